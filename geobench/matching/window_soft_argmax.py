"""Window soft-argmax: the expected place within a square window around the most similar cell.

Zhang et al., CVPR 2024 (arXiv 2311.17034), section 3.2; GeoAware-SC, utils/utils_correspondence.py:297-337, whose
``SOFT_EVAL_WINDOW = w`` is a window of side ``2 w + 1``.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import AfterValidator, Field
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.matching.similarity import (
    CellMatcher,
    SoftSettings,
    expected_point,
    first_maximum,
    offsets,
)


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("must be odd, so that the window has a middle")
    return side


class Settings(SoftSettings):
    """Settings of ``kind = "window-soft-argmax"``, beside ``temperature`` and ``padding``.

    Attributes:
        window: side of the window in cells, odd; the paper compares 5, 9 and 15.
        masked: what becomes of the cells outside the window: ``excluded`` from the softmax, or ``zero`` as in the
            authors' code, where their similarity is multiplied by 0 and takes part with that value.
    """

    window: Annotated[int, Field(ge=1), AfterValidator(_odd)] = 15
    masked: Literal["excluded", "zero"] = "excluded"


class Matcher(CellMatcher[Settings]):
    """Expectation within a window around the first of the most similar cells."""

    def places(self, similarity: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
        """Return the expected place per point."""
        best, side = first_maximum(similarity), self.settings.window
        if self.settings.masked == "excluded" and side <= min(target.grid):
            return self._within(similarity, best, target)
        outside = ~_window(best, target.grid, side)
        if self.settings.masked == "zero":
            # Cells of ignored padding stay at minus infinity.
            similarity = similarity.masked_fill_(outside & similarity.isfinite(), 0.0)
        else:
            similarity = similarity.masked_fill_(outside, -torch.inf)
        return expected_point(similarity / self.settings.temperature, target)

    def _within(
        self, similarity: Float[Tensor, "n hw"], best: Int64[Tensor, " n"], target: FeatureMap
    ) -> Float[Tensor, "n 2"]:
        """Return the expected place per point from the window's cells alone, a few hundred instead of thousands."""
        width, height = target.grid
        steps = torch.arange(self.settings.window, device=best.device) - self.settings.window // 2
        column, row = (best % width)[:, None] + steps, (best // width)[:, None] + steps
        # Beyond the border the window repeats border cells, which do not take part.
        column_in, row_in = column.clamp(0, width - 1), row.clamp(0, height - 1)
        cells = (row_in * width)[:, :, None] + column_in[:, None, :]
        beyond = (row != row_in)[:, :, None] | (column != column_in)[:, None, :]
        logits = similarity.gather(1, cells.flatten(1)).masked_fill_(beyond.flatten(1), -torch.inf)
        chance = torch.softmax(logits / self.settings.temperature, dim=1).reshape(beyond.shape)
        column_mean = (chance.sum(dim=1) * column_in).sum(dim=1)
        row_mean = (chance.sum(dim=2) * row_in).sum(dim=1)
        return target.between_cells(torch.stack([column_mean, row_mean], dim=1))


def _window(best: Int64[Tensor, " n"], grid: tuple[int, int], side: int) -> Bool[Tensor, "n hw"]:
    """Return which cells lie in the square of ``side`` cells around each of the ``best`` cells."""
    in_column, in_row = (distance.abs() <= side // 2 for distance in offsets(best, grid))
    return (in_row[:, :, None] & in_column[:, None, :]).flatten(1)

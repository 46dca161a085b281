"""Gaussian soft-argmax: the expected place, with cells weighted by their nearness to the most similar cell.

The authors' code (GeoAware-SC, utils/utils_correspondence.py:279-295,328-331, ``SOFT_EVAL_WINDOW = -sigma``), after
the kernel soft-argmax of SFNet (Lee et al., CVPR 2019), multiplies similarities by the kernel, so that far cells take
part in the softmax with similarity 0. Here the kernel by default multiplies the probabilities, and far cells vanish.
"""

from __future__ import annotations

from typing import Annotated, Literal

from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.matching.similarity import (
    CellMatcher,
    SoftSettings,
    expected_point,
    first_maximum,
    offsets,
)


class Settings(SoftSettings):
    """Settings of ``kind = "gaussian-soft-argmax"``, beside ``temperature`` and ``padding``.

    Attributes:
        sigma: standard deviation of the kernel in cells.
        masked: what becomes of far cells: ``excluded`` (the kernel multiplies probabilities, which go to 0), or
            ``zero`` (it multiplies similarities, which go to 0 and stay in the softmax, as in the authors' code).
    """

    sigma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 7.0
    masked: Literal["excluded", "zero"] = "excluded"


class Matcher(CellMatcher[Settings]):
    """Expectation under a softmax with a Gaussian kernel around the first of the most similar cells."""

    def places(self, similarity: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
        """Return the expected place per point."""
        exponent = _exponent(first_maximum(similarity), target.grid, self.settings.sigma)
        if self.settings.masked == "zero":
            # A kernel that underflows to 0 would make minus infinity, the mark of ignored padding, NaN.
            logits = similarity * exponent.exp().clamp_min(1e-30) / self.settings.temperature
        else:
            logits = similarity / self.settings.temperature + exponent
        return expected_point(logits, target)


def _exponent(best: Int64[Tensor, " n"], grid: tuple[int, int], sigma: float) -> Float[Tensor, "n hw"]:
    """Return the logarithm of the kernel at every cell, ``-d^2 / (2 sigma^2)``; d from the ``best`` cell, in cells."""
    columns, rows = (distance.square() for distance in offsets(best, grid))
    return (rows[:, :, None] + columns[:, None, :]).flatten(1) / (-2 * sigma**2)

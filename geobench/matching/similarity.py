"""What the matchers share: similarities of the query points to every target cell, softmax over them, and expectation.

Only the query points' rows are ever computed, [n, hw], never the whole [hw, hw] table. Cells are numbered row by row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Generic, Literal, TypeVar

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from geobench.features.feature_map import FeatureMap, PooledMaps
from geobench.typed_toml import StrictModel

BLOCK = 128  # channels per product: 1.8 MiB of a 60 x 60 map, which a core's cache holds

Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Padding = Literal["ignored", "searched"]


class PaddingSettings(StrictModel):
    """The setting that every matcher over cells has.

    Attributes:
        padding: whether cells of the letterbox's padding may be answers: ``ignored``, or ``searched`` as in the
            authors' code (GeoAware-SC, utils/utils_correspondence.py:360-377), where a query point that lies in the
            padding is also described by it.
    """

    padding: Padding = "ignored"


class SoftSettings(PaddingSettings):
    """The settings of every matcher that takes an expectation.

    Attributes:
        temperature: similarities are divided by it before the softmax (utils_correspondence.py:226: 0.02).
    """

    temperature: Temperature = 0.02


SettingsT = TypeVar("SettingsT", bound=PaddingSettings)


class CellMatcher(ABC, Generic[SettingsT]):
    """A matcher that reads its answers off the similarity of each query point to every target cell.

    Args:
        settings: among them whether cells of the padding may be answers.
    """

    pools_sources = True

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    def __call__(
        self, source: FeatureMap | PooledMaps, target: FeatureMap, points: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 2"]:
        """Return where each point lies in the target image.

        Args:
            source: map of the source image; a point's descriptor is that of the cell that contains it.
            target: map of the target image, with as many channels.
            points: (x, y) in pixels of the source image.

        Returns:
            (x, y) in pixels of the target image.
        """
        similarity = searched_similarity(source, target, points, self.settings.padding)
        return self.places(similarity, target).to(points.device)

    @abstractmethod
    def places(self, similarity: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
        """Return the answer per row of ``similarity``, (x, y) in pixels of the target image; may write to it."""


def point_similarity(
    source: FeatureMap | PooledMaps, target: FeatureMap, points: Float[Tensor, "n 2"], padding: Padding = "ignored"
) -> Float[Tensor, "n hw"]:
    """Return the similarity of each query point to every target cell: the cosine where the maps are of unit length.

    A point's descriptor is that of the cell that contains it. One batched product for all points, so that the target
    map comes from memory once. A pair is always asked all its points together, in the same order, and the sum over
    blocks has a fixed order whatever the number of threads, so the same question gives the same bits.

    Args:
        source: map of the source image, or the maps of several.
        target: map of the target image, with as many channels.
        points: (x, y) in pixels of the source image.
        padding: whether points outside the image are described by the padding, or by the nearest cell of the image.
    """
    return products(source.descriptors(points, padding == "searched"), target.columns)


def products(queries: Float[Tensor, "n c"], columns: Float[Tensor, "c hw"]) -> Float[Tensor, "n hw"]:
    """Return the dot product of each query with each column.

    In blocks of channels: a single product of a few rows with a wide matrix first copies that matrix, which here
    takes two to four times as long as reading it.
    """
    (n, channels), width = queries.shape, columns.shape[1]
    count = channels // BLOCK
    whole = count * BLOCK
    blocks = queries[:, :whole].reshape(n, count, BLOCK).transpose(0, 1)
    result = torch.bmm(blocks, columns[:whole].reshape(count, BLOCK, width)).sum(dim=0)
    return result if whole == channels else result.addmm_(queries[:, whole:], columns[whole:])


def searched_similarity(
    source: FeatureMap | PooledMaps, target: FeatureMap, points: Float[Tensor, "n 2"], padding: Padding
) -> Float[Tensor, "n hw"]:
    """Return :func:`point_similarity`, minus infinity in the padding where that is ignored."""
    similarity = point_similarity(source, target, points, padding)
    if padding == "searched" or target.fills_frame():
        return similarity
    return similarity.masked_fill_(~target.in_image(), -torch.inf)


def first_maximum(similarity: Float[Tensor, "n hw"]) -> Int64[Tensor, " n"]:
    """Return the column of each row's maximum, the first one where several are equal."""
    return similarity.argmax(dim=1)  # torch: "the indices of the first maximal value are returned"


def offsets(best: Int64[Tensor, " n"], grid: tuple[int, int]) -> tuple[Int64[Tensor, "n w"], Int64[Tensor, "n h"]]:
    """Return by how many columns and by how many rows each of the grid's columns and rows lies from ``best`` cells."""
    columns, rows = (torch.arange(count, device=best.device) for count in grid)
    return columns - (best % grid[0])[:, None], rows - (best // grid[0])[:, None]


def expected_point(logits: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
    """Return the expectation of the cell under the softmax of ``logits``, (x, y) in pixels of the target image.

    The cell's column and row are averaged, kept within the grid, and the place between the cells' centres is carried
    into the image (GeoAware-SC, utils_correspondence.py:235-256,369-377).
    """
    chance = torch.softmax(logits, dim=1).reshape(-1, *target.grid[::-1])
    # Sums in float64, and divided by their total: over 3600 similar chances float32 is off by thousandths of a cell.
    places = [_mean_index(chance.sum(dim=axis, dtype=torch.float64)) for axis in (1, 2)]
    return target.between_cells(torch.stack(places, dim=1).to(logits.dtype))


def _mean_index(chance: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
    index = torch.arange(chance.shape[1], dtype=chance.dtype, device=chance.device)
    return (chance @ index / chance.sum(dim=1)).clamp(0, chance.shape[1] - 1)

"""Nearest neighbour: each query point takes the most similar cell of the target map.

Only the query points' similarities are computed, [n, c] x [c, hw], never the whole [hw, hw] table.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.typed_toml import StrictModel


class Settings(StrictModel):
    """Settings of ``kind = "nearest"``.

    Attributes:
        padding: whether cells of the letterbox's padding may be answers: ``ignored``, or ``searched`` as in the
            authors' code (GeoAware-SC, utils/utils_correspondence.py:360-377).
    """

    padding: Literal["ignored", "searched"] = "ignored"


class Matcher:
    """Nearest neighbour by cosine similarity; among equals the first cell in reading order."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, source: FeatureMap, target: FeatureMap, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return the centre of the most similar target cell per point.

        Args:
            source: map of the source image; a point's descriptor is that of the cell that contains it.
            target: map of the target image, with as many channels.
            points: (x, y) in pixels of the source image.

        Returns:
            (x, y) in pixels of the target image.
        """
        similarity = point_similarity(source, target, points)
        if self.settings.padding == "ignored":
            similarity = similarity.masked_fill(~target.in_image(), -torch.inf)
        return target.centres(first_maximum(similarity)).to(points.device)


def point_similarity(source: FeatureMap, target: FeatureMap, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n hw"]:
    """Return the similarity of each query point to every target cell (cosine, as the maps are of unit length).

    Each row is one vector-matrix product: a matrix-matrix product may round a row differently depending on how many
    rows there are, and is not faster for the handful of points of a pair.
    """
    queries = source.columns[:, source.cells(points.to(source.features.device))].T
    rows = [query[None] @ target.columns for query in queries.contiguous()]
    return torch.cat(rows) if rows else queries.new_zeros((0, target.columns.shape[1]))


def first_maximum(similarity: Float[Tensor, "n hw"]) -> Int64[Tensor, " n"]:
    """Return the column of each row's maximum, the first one where several are equal."""
    count = similarity.shape[1]
    order = torch.arange(count, device=similarity.device)
    best = similarity.amax(dim=1, keepdim=True)
    return torch.where(similarity == best, order, count).amin(dim=1)

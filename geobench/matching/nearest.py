"""Nearest neighbour: each query point takes the most similar cell of the target map."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from geobench.features.feature_map import FeatureMap, PooledMaps
from geobench.matching.similarity import PaddingSettings, first_maximum, point_similarity, searched_similarity

__all__ = ["Matcher", "Settings", "first_maximum", "point_similarity"]


class Settings(PaddingSettings):
    """Settings of ``kind = "nearest"``: ``padding`` alone."""


class Matcher:
    """Nearest neighbour by similarity; among equals the first cell in reading order."""

    pools_sources = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(
        self, source: FeatureMap | PooledMaps, target: FeatureMap, points: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 2"]:
        """Return the centre of the most similar target cell per point.

        Args:
            source: map of the source image; a point's descriptor is that of the cell that contains it.
            target: map of the target image, with as many channels.
            points: (x, y) in pixels of the source image.

        Returns:
            (x, y) in pixels of the target image.
        """
        similarity = searched_similarity(source, target, points, self.settings.padding)
        return target.centres(first_maximum(similarity)).to(points.device)

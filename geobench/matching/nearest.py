"""Nearest neighbour: each query point takes the most similar cell of the target map."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.matching.similarity import (
    CellMatcher,
    PaddingSettings,
    first_maximum,
    point_similarity,
    searched_similarity,
)

__all__ = ["Matcher", "Settings", "first_maximum", "point_similarity", "searched_similarity"]


class Settings(PaddingSettings):
    """Settings of ``kind = "nearest"``: ``padding`` alone."""


class Matcher(CellMatcher[Settings]):
    """Nearest neighbour by similarity; among equals the first cell in reading order."""

    def places(self, similarity: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
        """Return the centre of the most similar target cell per point."""
        return target.centres(first_maximum(similarity))

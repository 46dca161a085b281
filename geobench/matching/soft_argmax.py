"""Soft-argmax: each query point takes the expected place under a softmax over all target cells.

GeoAware-SC, utils/utils_correspondence.py:226-256 (``SOFT_EVAL`` with ``SOFT_EVAL_WINDOW = 0``).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.matching.similarity import CellMatcher, SoftSettings, expected_point


class Settings(SoftSettings):
    """Settings of ``kind = "soft-argmax"``: ``temperature`` and ``padding``."""


class Matcher(CellMatcher[Settings]):
    """Expectation over all cells."""

    def places(self, similarity: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
        """Return the expected place per point."""
        return expected_point(similarity / self.settings.temperature, target)

"""Soft-argmax: each query point takes the expected place under a softmax over all target cells.

GeoAware-SC, utils/utils_correspondence.py:226-256 (``SOFT_EVAL`` with ``SOFT_EVAL_WINDOW = 0``).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from geobench.features.feature_map import FeatureMap, PooledMaps
from geobench.matching.similarity import SoftSettings, expected_point, searched_similarity


class Settings(SoftSettings):
    """Settings of ``kind = "soft-argmax"``: ``temperature`` and ``padding``."""


class Matcher:
    """Expectation over all cells."""

    pools_sources = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(
        self, source: FeatureMap | PooledMaps, target: FeatureMap, points: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 2"]:
        """Return the expected place per point.

        Args:
            source: map of the source image; a point's descriptor is that of the cell that contains it.
            target: map of the target image, with as many channels.
            points: (x, y) in pixels of the source image.

        Returns:
            (x, y) in pixels of the target image.
        """
        similarity = searched_similarity(source, target, points, self.settings.padding)
        return expected_point(similarity / self.settings.temperature, target).to(points.device)

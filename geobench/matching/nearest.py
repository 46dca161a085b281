"""Nearest neighbour: each query point takes the most similar cell of the target map.

The most similar cell is also the nearest by L2 distance: map features are of unit length, and then
``|a - b|^2 = 2 - 2 a b``. (sd-dino adds 1e-6 to every difference, PairwiseDistance of pck_spair_pascal.py:373, which
moves squared distances by some 1e-6.)
"""

from __future__ import annotations

from typing import Literal

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
    """Settings of ``kind = "nearest"``, beside ``padding``.

    Attributes:
        centre: where in its cell the answer lies: ``cell``, in the middle; or ``pixel-index``, half a model pixel
            nearer to the corner, as sd-dino counts (pck_spair_pascal.py:386-387: 14 column + 6.5).
    """

    centre: Literal["cell", "pixel-index"] = "cell"


class Matcher(CellMatcher[Settings]):
    """Nearest neighbour by similarity; among equals the first cell in reading order."""

    def places(self, similarity: Float[Tensor, "n hw"], target: FeatureMap) -> Float[Tensor, "n 2"]:
        """Return the centre of the most similar target cell per point."""
        centres = target.centres(first_maximum(similarity))
        if self.settings.centre == "cell":
            return centres
        return centres - 0.5 / centres.new_tensor(target.letterbox.scale)

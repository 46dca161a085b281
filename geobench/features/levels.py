"""Levels: feature maps of one image on grids of several sizes, as the blocks of a U-Net give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)

from geobench.features.feature_map import FeatureMap


@dataclass(frozen=True, eq=False)
class Levels:
    """What an extractor of several levels returns.

    Attributes:
        maps: one per level, in the order in which their channels are concatenated; all over the same model frame.
    """

    maps: Sequence[FeatureMap]

    def joined(self) -> FeatureMap:
        """Return the levels as one map: each interpolated bilinearly to the finest grid, channels concatenated.

        As GeoAware-SC joins s3, s4 and s5 (pck_train.py:55-60); nothing is normalised.
        """
        finest = max(self.maps, key=lambda level: level.grid[0] * level.grid[1])
        shape = finest.features.shape[1:]
        parts = [
            level.features
            if level.features.shape[1:] == shape
            else F.interpolate(level.features[None], shape, mode="bilinear", align_corners=False)[0]
            for level in self.maps
        ]
        return FeatureMap(torch.cat(parts), finest.letterbox)


def joined(found: FeatureMap | Levels) -> FeatureMap:
    """Return what an extractor gave as one map."""
    return found.joined() if isinstance(found, Levels) else found

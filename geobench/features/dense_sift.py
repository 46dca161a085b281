"""Dense SIFT: the field's classical baseline. Upright SIFT descriptors on a regular grid, several scales side by side.

Descriptors are OpenCV's (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004), square-rooted
(RootSIFT: Arandjelovic and Zisserman, CVPR 2012), without orientation, colour or position. Those of larger scales are
taken from the pyramid level on which a spatial bin is as wide as the finest scale's.

Measured with nearest neighbour on PF-Willow (900 pairs, PCK per point at 0.1 and 0.05 of the longer image side; the
same position in the image gets 43.8 and 18.4): the defaults get 58.2 and 34.6. Rejected, by the share at
0.1: one scale only (32.5, 41.8, 45.6 and 39.3, from fine to coarse), no bins of 96 (51.9), no square root (53.9), the
maximum over scales instead of their concatenation (43.9), border pixels repeated into the padding instead of black
(56.0), a descriptor in every cell instead of every second (57.3, and three times as slow).
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float, Float32, UInt8
from pydantic import Field
from torch import Tensor

from geobench.features.feature_map import FeatureMap, unit_length
from geobench.features.letterbox import Letterbox
from geobench.picture import Picture
from geobench.typed_toml import StrictModel

_BINS_PER_SIZE = 1.5  # OpenCV: a bin is 3 * size / 2 wide (sift.simd.hpp, SIFT_DESCR_SCL_FCTR = 3)
_LARGEST_BIN = 12.0  # pixels of the pyramid level a descriptor is read from


class Settings(StrictModel):
    """Settings of ``extractor = "dense-sift"``.

    Attributes:
        side: the image is padded with black to a square of this many model pixels.
        grid: cells per side of the feature map.
        samples: descriptors per side of the image, interpolated bilinearly to the grid.
        bins: widths in model pixels of one of a descriptor's 4 x 4 spatial bins, one scale each.
    """

    side: Annotated[int, Field(ge=16, le=4096)] = 256
    grid: Annotated[int, Field(ge=1, le=512)] = 48
    samples: Annotated[int, Field(ge=1, le=512)] = 24
    bins: Annotated[tuple[Annotated[float, Field(ge=1, le=1000)], ...], Field(min_length=1)] = (12.0, 24.0, 48.0, 96.0)


class Extractor:
    """Image to dense SIFT map, 128 channels per scale; computes on the CPU whatever the device.

    Args:
        settings: scales and resolution.
        device: where the map is put.
    """

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        self.settings = settings
        self.device = device
        self._keypoints = [point for width in settings.bins for point in _keypoints(settings, width)]

    def __call__(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image, on a square grid over the padded image."""
        letterbox = Letterbox.pad(picture.size, self.settings.side)
        descriptors = torch.from_numpy(self._descriptors(letterbox.place(picture.pixels)))
        features = unit_length(torch.cat([self._on_grid(scale) for scale in descriptors]))
        return FeatureMap(features.to(self.device), letterbox)

    def _descriptors(self, pixels: UInt8[np.ndarray, "side side 3"]) -> Float32[np.ndarray, "scales n 128"]:
        """Return RootSIFT descriptors of unit length, zero where the image is flat; n is row by row."""
        gray = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
        _, raw = cv2.SIFT.create().compute(gray, self._keypoints)
        root: np.ndarray = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-10))
        return root.astype(np.float32).reshape(len(self.settings.bins), -1, raw.shape[1])

    def _on_grid(self, descriptors: Float[Tensor, "n 128"]) -> Float[Tensor, "128 grid grid"]:
        samples, grid = self.settings.samples, self.settings.grid
        square = descriptors.T.reshape(1, -1, samples, samples)
        return unit_length(F.interpolate(square, (grid, grid), mode="bilinear", align_corners=False)[0])


def _keypoints(settings: Settings, width: float) -> list[cv2.KeyPoint]:
    """Return upright keypoints on the regular grid of samples, row by row, with bins of ``width`` model pixels."""
    # OpenCV puts pixel centres on whole numbers.
    centres = ((np.arange(settings.samples) + 0.5) * settings.side / settings.samples - 0.5).tolist()
    octave = max(0, round(np.log2(width / _LARGEST_BIN)))
    size = width / _BINS_PER_SIZE
    return [cv2.KeyPoint(x=x, y=y, size=size, angle=0.0, octave=octave) for y in centres for x in centres]

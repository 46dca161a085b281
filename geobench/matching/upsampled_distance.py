"""Distance to the nearest pixel of an upsampled map, without the products at its full resolution.

A pixel of a bilinearly upsampled map is a mean of four cells, and so is its product with a query. The products are
computed with the cells and upsampled, which takes ``(h w) / resolution**2`` of the multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.matching.distance import CLOSE, nearest_distances

ROWS = 1024
"""Queries per matrix product."""
CACHED = 1 << 20
"""How many upsampled products are held at a time: 4 MiB of float32."""


def upsampled(features: Float[Tensor, "c h w"], resolution: int) -> Float[Tensor, "c resolution resolution"]:
    """Return features interpolated bilinearly to ``resolution`` x ``resolution``; lengths are what that gives."""
    size = (resolution, resolution)
    return F.interpolate(features[None], size, mode="bilinear", align_corners=False)[0]


@dataclass(frozen=True, eq=False)
class UpsampledMap:
    """A map to which distances are asked many times; holds the grid, never its upsampled vectors.

    Attributes:
        features: vectors of the grid's cells.
        resolution: pixels per side after upsampling.
        half_squares: half the squared length of each upsampled pixel, infinite where no answer may lie.
    """

    features: Float[Tensor, "c h w"]
    resolution: int
    half_squares: Float[Tensor, " pixels"]

    @classmethod
    def of(cls, shown: FeatureMap, resolution: int) -> UpsampledMap:
        """Return the map of an image; pixels of the letterbox's padding are no answers."""
        large = FeatureMap(upsampled(shown.features, resolution), shown.letterbox)
        half = large.features.flatten(1).square().sum(dim=0) / 2
        return cls(shown.features, resolution, half.masked_fill(~large.in_image(), torch.inf))

    def distances(self, queries: Float[Tensor, "n c"]) -> Float[Tensor, " n"]:
        """Return the L2 distance of each query to the nearest pixel of the upsampled map (of the image in it)."""
        winners = torch.cat([self._nearest(chunk) for chunk in torch.split(queries, ROWS)])
        distances: Tensor = (queries - self.vectors(winners)).norm(dim=1)
        # As in matching.distance: float32 products cannot tell such close neighbours apart.
        doubtful = distances < CLOSE * queries.norm(dim=1)
        if bool(doubtful.any()):
            candidates = upsampled(self.features.double(), self.resolution).flatten(1).T[self._answers]
            distances[doubtful] = nearest_distances(queries[doubtful].double(), candidates).to(distances.dtype)
        return distances

    def vectors(self, pixels: Int64[Tensor, " n"]) -> Float[Tensor, "n c"]:
        """Return the upsampled vectors of pixels, numbered row by row."""
        (top, bottom, down), (left, right, across) = (
            self._neighbours(place, count)
            for place, count in zip(
                (pixels // self.resolution, pixels % self.resolution), self.features.shape[1:], strict=True
            )
        )
        cells = self.features.permute(1, 2, 0)
        upper = cells[top, left].lerp(cells[top, right], across[:, None])
        lower = cells[bottom, left].lerp(cells[bottom, right], across[:, None])
        return upper.lerp(lower, down[:, None])

    @property
    def _answers(self) -> Bool[Tensor, " pixels"]:
        return self.half_squares.isfinite()

    def _nearest(self, queries: Float[Tensor, "n c"]) -> Int64[Tensor, " n"]:
        """Return the pixel of least ``|c|^2 / 2 - q c``, which orders pixels as their distances to q do."""
        products = (queries @ self.features.flatten(1)).reshape(len(queries), *self.features.shape[1:])
        # Few rows at a time, so that each pass finds them in the processor's cache.
        rows = max(1, CACHED // len(self.half_squares))
        return torch.cat([self._best(part) for part in torch.split(products, rows)])

    def _best(self, products: Float[Tensor, "n h w"]) -> Int64[Tensor, " n"]:
        large = upsampled(products, self.resolution).flatten(1).sub_(self.half_squares)
        if large.device.type == "cpu":
            return torch.from_numpy(large.numpy().argmax(axis=1))  # ten times as fast as torch's
        return large.argmax(dim=1)

    def _neighbours(
        self, place: Int64[Tensor, " n"], count: int
    ) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Float[Tensor, " n"]]:
        """Return the two cells along one axis whose mean a pixel is, and the weight of the second."""
        at = ((place + 0.5) * (count / self.resolution) - 0.5).clamp(0).to(self.features.dtype)
        first = at.floor().long()
        return first, (first + 1).clamp(max=count - 1), at - first

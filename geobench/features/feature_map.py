"""FeatureMap: a grid of feature vectors over one image, and where its cells lie in the image.

The grid covers the model frame evenly: cell (row i, column j) spans ``cell`` model pixels from (j, i) * cell, and its
centre is (j + 0.5, i + 0.5) * cell. Points are (x, y) in pixels of the original image, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from geobench.errors import InputError
from geobench.features.letterbox import Letterbox


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Features of one image on a grid.

    Attributes:
        features: one vector per cell, [c, h, w]; of unit length, or zero where the image has no feature.
        letterbox: how the image entered the model frame that the grid covers.
    """

    features: Float[Tensor, "c h w"]
    letterbox: Letterbox

    @property
    def grid(self) -> tuple[int, int]:
        """The number of (columns, rows)."""
        return self.features.shape[2], self.features.shape[1]

    @property
    def cell(self) -> tuple[float, float]:
        """The (width, height) of one cell in model pixels."""
        return self.letterbox.size[0] / self.grid[0], self.letterbox.size[1] / self.grid[1]

    @property
    def columns(self) -> Float[Tensor, "c hw"]:
        """The features with the grid flattened row by row; column ``row * w + column`` is that cell."""
        return self.features.flatten(1)

    def grid_points(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return image points in units of cells: (0, 0) is the grid's corner, (0.5, 0.5) its first cell's centre."""
        return self.letterbox.to_model(points) / points.new_tensor(self.cell)

    def cells(self, points: Float[Tensor, "n 2"]) -> Int64[Tensor, " n"]:
        """Return the number of the cell that contains each image point.

        A point outside the image, or on its far border, counts as in the nearest cell that shows some of the image.
        """
        column, row = self.grid_points(points).floor().long().unbind(1)
        (left, right), (top, bottom) = self._content(0), self._content(1)
        return row.clamp(top, bottom) * self.grid[0] + column.clamp(left, right)

    def _content(self, axis: int) -> tuple[int, int]:
        """Return the first and the last column (axis 0) or row (axis 1) that show some of the image."""
        offset, content = self.letterbox.offset[axis], self.letterbox.content[axis]
        return int(offset // self.cell[axis]), int(-(-(offset + content) // self.cell[axis])) - 1

    def centres(self, cells: Int64[Tensor, " n"]) -> Float[Tensor, "n 2"]:
        """Return the centres of cells, (x, y) in image pixels (GeoAware-SC: ``cell * 14 + 7`` in its frame)."""
        row, column = cells // self.grid[0], cells % self.grid[0]
        middle = torch.stack([column, row], dim=1).to(torch.float32) + 0.5
        points: Tensor = self.letterbox.to_image(middle * middle.new_tensor(self.cell))
        return points

    def in_image(self) -> Bool[Tensor, " hw"]:
        """Return which cells have their centre in the image rather than in the padding; never all False."""
        count = self.grid[0] * self.grid[1]
        centres = self.letterbox.to_model(self.centres(torch.arange(count, device=self.features.device)))
        low = centres.new_tensor(self.letterbox.offset)
        high = low + low.new_tensor(self.letterbox.content)
        inside = ((centres >= low) & (centres <= high)).all(dim=1)
        return inside if bool(inside.any()) else torch.ones_like(inside)


def unit_length(features: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Return every cell's vector divided by its L2 norm; a zero vector stays zero."""
    return F.normalize(features, dim=0, eps=1e-10)


def fuse(maps: Sequence[FeatureMap], weights: Sequence[float]) -> FeatureMap:
    """Return several maps of one image as one: each of unit length, times its weight, concatenated, of unit length.

    The cosine of two fused vectors is the mean of the groups' cosines weighted by the squared weights (sd-dino,
    pck_spair_pascal.py:283-288; GeoAware-SC, pck_train.py:25-39). Coarser grids are first interpolated bilinearly
    to the finest one.

    Raises:
        InputError: two maps show different parts of the image, so that their grids do not lie on each other.
    """
    if len(maps) == 1:
        return FeatureMap(unit_length(maps[0].features), maps[0].letterbox)
    finest = max(maps, key=lambda m: m.grid[0] * m.grid[1])
    rows, columns = finest.features.shape[1:]
    parts = []
    for one, weight in zip(maps, weights, strict=True):
        if not _same_view(one.letterbox, finest.letterbox):
            raise InputError("feature groups show different parts of the image; give them all the same frame")
        features = one.features
        if features.shape[1:] != (rows, columns):
            features = F.interpolate(features[None], (rows, columns), mode="bilinear", align_corners=False)[0]
        parts.append(unit_length(features) * weight)
    return FeatureMap(unit_length(torch.cat(parts)), finest.letterbox)


def _same_view(a: Letterbox, b: Letterbox) -> bool:
    """Return whether two frames show the same rectangle of the image, to half a model pixel of the finer frame."""
    corners = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    seen = [box.to_image(corners * torch.tensor(box.size, dtype=torch.float64)) for box in (a, b)]
    step = 0.5 / max(*a.scale, *b.scale)
    return bool((seen[0] - seen[1]).abs().max() <= max(step, 0.5 / min(*a.scale, *b.scale)))

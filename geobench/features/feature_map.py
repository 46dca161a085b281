"""FeatureMap: a grid of feature vectors over one image, and where its cells lie in the image.

The grid covers the model frame evenly: cell (row i, column j) spans ``cell`` model pixels from (j, i) * cell, and its
centre is (j + 0.5, i + 0.5) * cell. Points are (x, y) in pixels of the original image, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from geobench.errors import InputError
from geobench.features.letterbox import Letterbox

_BLOCK = 32  # channels


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Features of one image on a grid.

    Attributes:
        features: one vector per cell, [c, h, w]; of unit length, or zero where the image has no feature, unless the
            recipe says ``normalise = false``. Matchers take dot products of them as they are.
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
        # Multiplied as in GeoAware-SC (utils_correspondence.py:384-389): dividing puts points on a border between
        # cells, such as 300 * 1.68 = 504 = 36 * 14, into the cell before it in float32.
        width, height = self.cell
        return self.letterbox.to_model(points) * points.new_tensor([1 / width, 1 / height])

    def cells(self, points: Float[Tensor, "n 2"], padding: bool = False) -> Int64[Tensor, " n"]:
        """Return the number of the cell that contains each image point.

        A point outside the image, or on its far border, counts as in the nearest cell that shows some of the image;
        with ``padding`` as in the nearest cell of the grid.
        """
        column, row = self.grid_points(points).floor().long().unbind(1)
        if padding:
            left, right, top, bottom = 0, self.grid[0] - 1, 0, self.grid[1] - 1
        else:
            (left, right), (top, bottom) = self._content(0), self._content(1)
        return row.clamp(top, bottom) * self.grid[0] + column.clamp(left, right)

    def descriptors(self, points: Float[Tensor, "n 2"], padding: bool = False) -> Float[Tensor, "n c"]:
        """Return the vector of the cell that contains each image point (see :meth:`cells`)."""
        return self.columns.index_select(1, self.cells(points.to(self.features.device), padding)).T

    def _content(self, axis: int) -> tuple[int, int]:
        """Return the first and the last column (axis 0) or row (axis 1) that show some of the image."""
        offset, size = int(self.letterbox.offset[axis]), self.letterbox.size[axis]
        # In whole numbers: 256 / (256 / 48) is a little more than 48, and there is no 49th cell.
        first, beyond = offset * self.grid[axis], (offset + self.letterbox.content[axis]) * self.grid[axis]
        return first // size, -(-beyond // size) - 1

    def centres(self, cells: Int64[Tensor, " n"]) -> Float[Tensor, "n 2"]:
        """Return the centres of cells, (x, y) in image pixels (GeoAware-SC: ``cell * 14 + 7`` in its frame)."""
        return self.between_cells(torch.stack([cells % self.grid[0], cells // self.grid[0]], dim=1).to(torch.float32))

    def between_cells(self, places: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return where (column, row) places, whole numbers at the centres of cells, lie; (x, y) in image pixels."""
        points: Tensor = self.letterbox.to_image((places + 0.5) * places.new_tensor(self.cell))
        return points

    def in_image(self) -> Bool[Tensor, " hw"]:
        """Return which cells have their centre in the image rather than in the padding; never all False."""
        return self._in_image

    def fills_frame(self) -> bool:
        """Return whether every cell has its centre in the image, so that there is no padding to leave out."""
        return self._fills_frame

    @cached_property
    def _fills_frame(self) -> bool:
        return bool(self._in_image.all())

    @cached_property
    def _in_image(self) -> Bool[Tensor, " hw"]:
        count = self.grid[0] * self.grid[1]
        centres = self.letterbox.to_model(self.centres(torch.arange(count, device=self.features.device)))
        low = centres.new_tensor(self.letterbox.offset)
        high = low + low.new_tensor(self.letterbox.content)
        inside = ((centres >= low) & (centres <= high)).all(dim=1)
        return inside if bool(inside.any()) else torch.ones_like(inside)

    def neighbour_products(self) -> Float[Tensor, "4 h w"]:
        """Return dot products of each cell's vector with its neighbours', which give the length between the cells.

        With itself; with its right neighbour; with its lower neighbour; and the sum of the two diagonals of the four
        cells that begin at it (itself with lower right, right with lower). Where a cell has no such neighbour the
        number means nothing.
        """
        return self._neighbour_products

    @cached_property
    def _neighbour_products(self) -> Float[Tensor, "4 h w"]:
        (width, height), count = self.grid, self.features.shape[1] * self.features.shape[2]
        # Flattened, the neighbours are shifts by 1 and by the width; at the right border they run on into the next row.
        terms = [(0, 0, 0), (1, 0, 1), (2, 0, width), (3, 0, width + 1), (3, 1, width)]
        total = self.features.new_zeros((4, _BLOCK, count))
        for block in torch.split(self.columns, _BLOCK):  # products of the whole map would not fit a processor's cache
            for number, here, there in terms:
                length = max(0, count - there)
                sums = total[number, : len(block), :length]
                sums.addcmul_(block[:, here : here + length], block[:, there:])
        return total.sum(dim=1).reshape(4, height, width)


@dataclass(frozen=True, eq=False)
class PooledMaps:
    """Several source maps read as one: query points of many pairs that share their target.

    Attributes:
        maps: one per pair.
        counts: how many of the points belong to each, in order.
    """

    maps: Sequence[FeatureMap]
    counts: Sequence[int]

    def descriptors(self, points: Float[Tensor, "n 2"], padding: bool = False) -> Float[Tensor, "n c"]:
        """Return the vector of the cell that contains each point, (x, y) in pixels of its own source image."""
        parts = torch.split(points, list(self.counts))
        return torch.cat([one.descriptors(part, padding) for one, part in zip(self.maps, parts, strict=True)])


def unit_length(features: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    """Return every cell's vector divided by its L2 norm; a zero vector stays zero."""
    return F.normalize(features, dim=0, eps=1e-10)


def fuse(maps: Sequence[FeatureMap], weights: Sequence[float], normalise: Sequence[bool] | None = None) -> FeatureMap:
    """Return several maps of one image as one: each of unit length, times its weight, concatenated, of unit length.

    The cosine of two fused vectors is the mean of the groups' cosines weighted by the squared weights (sd-dino,
    pck_spair_pascal.py:283-288; GeoAware-SC, pck_train.py:25-39). Coarser grids are first interpolated bilinearly
    to the finest one. Points are read in the frame that :func:`frame_of` chooses.

    Args:
        maps: the groups.
        weights: factor of each group.
        normalise: whether each group is brought to unit length; by default all are. Unless all are, the result keeps
            the length that comes out: DIFT interpolates features as the network gives them.

    Raises:
        InputError: two maps show different parts of the image, so that their grids do not lie on each other.
    """
    normalise = [True] * len(maps) if normalise is None else normalise
    if len(maps) == 1:
        return FeatureMap(unit_length(maps[0].features), maps[0].letterbox) if normalise[0] else maps[0]
    finest, gridded = on_one_grid(maps)
    parts = [
        (unit_length(features) if to_unit else features) * weight
        for features, weight, to_unit in zip(gridded, weights, normalise, strict=True)
    ]
    fused = torch.cat(parts)
    return FeatureMap(unit_length(fused) if all(normalise) else fused, finest.letterbox)


def on_one_grid(maps: Sequence[FeatureMap]) -> tuple[FeatureMap, list[Float[Tensor, "_ h w"]]]:
    """Return the map in whose grid and frame others are read, and the features of each interpolated to that grid.

    Raises:
        InputError: two maps show different parts of the image, so that their grids do not lie on each other.
    """
    finest = frame_of(maps)
    rows, columns = finest.features.shape[1:]
    parts = []
    for one in maps:
        if not _same_view(one.letterbox, finest.letterbox):
            raise InputError("feature groups show different parts of the image; give them all the same frame")
        features = one.features
        if features.shape[1:] != (rows, columns):
            features = F.interpolate(features[None], (rows, columns), mode="bilinear", align_corners=False)[0]
        parts.append(features)
    return finest, parts


def frame_of(maps: Sequence[FeatureMap]) -> FeatureMap:
    """Return the map in whose grid and frame fused maps are read, whatever their order.

    That of the finest grid; among equals that of the smallest frame: sd-dino and GeoAware-SC carry keypoints through
    the frame of 840 pixels of DINOv2, not through that of 960 of the diffusion model, and the two round the image's
    place differently, by up to a model pixel (pck_spair_pascal.py:161-204; pck_train.py:41-61).
    """
    return max(maps, key=lambda one: (one.grid[0] * one.grid[1], -one.letterbox.size[0] * one.letterbox.size[1]))


def _same_view(a: Letterbox, b: Letterbox) -> bool:
    """Return whether two frames show the same rectangle of the image, to a model pixel of the coarser frame.

    A padded frame rounds the image's size to whole pixels and its offset down: its corner lies 0.75 model pixels
    before to 0.25 after its place.
    """
    corners = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    seen = [box.to_image(corners * torch.tensor(box.size, dtype=torch.float64)) for box in (a, b)]
    return bool((seen[0] - seen[1]).abs().max() <= (1 + 1e-6) / min(*a.scale, *b.scale))

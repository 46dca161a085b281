"""What the losses see of a pair: descriptors of the two images and of their mirror images, and keypoints in cells.

The post-processor runs once per distinct image of a batch, however many pairs the image is in. Its output is never
brought to unit length as a whole: the losses divide similarities by the vectors' lengths, which gives the same numbers
and keeps no second copy of the maps for the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.posing import MIRROR

_LEAST = 1e-10  # added to lengths (GeoAware-SC, pck_train.py:25-39), so that a zero vector stays zero


@dataclass(frozen=True, eq=False)
class Shown:
    """One image of a training pair, with the keypoints of its instance.

    Attributes:
        key: names the features; images of equal key share one pass of the post-processor.
        features: what enters the post-processor (:func:`geobench.methods.post_processing.grouped`).
        points: (x, y) of every keypoint in pixels of the image.
        visible: which keypoints are.
        size: longer side of the instance's box in pixels of the image, by which the ground truth is perturbed.
    """

    key: str
    features: FeatureMap
    points: Float[Tensor, "k 2"]
    visible: Bool[Tensor, " k"]
    size: float

    def mirrored(self, features: FeatureMap, mirror: Sequence[int]) -> Shown:
        """Return the mirror image with its keypoints: the left paw is where the right paw was, mirrored.

        Args:
            features: what enters the post-processor for the mirrored picture, which is not the mirror of
                ``self.features``.
            mirror: for each keypoint the one that it becomes (:class:`geobench.skeleton.Skeleton`).
        """
        points, visible = mirrored_keypoints(self.points, self.visible, mirror, self.features.letterbox.image)
        return replace(self, key=f"{self.key} mirrored", features=features, points=points, visible=visible)


@dataclass(frozen=True, eq=False)
class View:
    """One image as the losses read it.

    Attributes:
        columns: a descriptor per cell, row by row; gradients flow to it.
        lengths: by which descriptors are divided; None where they are compared as they are.
        grid: the number of (columns, rows).
        points: (x, y) of every keypoint in cells: (0, 0) is the grid's corner, (0.5, 0.5) the first cell's centre.
        cells: number of the cell that contains each keypoint; of those not visible, some cell.
        visible: which keypoints are.
        size: longer side of the instance's box in cells.
    """

    columns: Float[Tensor, "c hw"]
    lengths: Float[Tensor, " hw"] | None
    grid: tuple[int, int]
    points: Float[Tensor, "k 2"]
    cells: Int64[Tensor, " k"]
    visible: Bool[Tensor, " k"]
    size: float

    @cached_property
    def keypoints(self) -> Float[Tensor, "k c"]:
        """The descriptor of every keypoint's cell, of unit length where lengths are known; read off the map once."""
        found = self.columns.index_select(1, self.cells).T
        return found if self.lengths is None else found / self.lengths[self.cells, None]

    def similarity(self, queries: Float[Tensor, "n c"]) -> Float[Tensor, "n hw"]:
        """Return the similarity of each query to every cell: the rows of the queries alone."""
        products = queries @ self.columns
        return products if self.lengths is None else products / self.lengths


ImageT = TypeVar("ImageT", Shown, View)


@dataclass(frozen=True, eq=False)
class PairOf(Generic[ImageT]):
    """A training pair.

    Attributes:
        source: the source image.
        target: the target image; its keypoints have the source's numbers.
        source_mirrored: the source's mirror image, where an augmentation needs it.
        target_mirrored: the target's mirror image, where an augmentation needs it.
    """

    source: ImageT
    target: ImageT
    source_mirrored: ImageT | None = None
    target_mirrored: ImageT | None = None

    @property
    def images(self) -> list[ImageT]:
        """The images that are there."""
        return [one for one in (self.source, self.target, self.source_mirrored, self.target_mirrored) if one]


ShownPair = PairOf[Shown]
ViewPair = PairOf[View]


def mirrored_keypoints(
    points: Float[Tensor, "k 2"], visible: Bool[Tensor, " k"], mirror: Sequence[int], size: tuple[int, int]
) -> tuple[Float[Tensor, "k 2"], Bool[Tensor, " k"]]:
    """Return where each keypoint lies in the mirror image, and whether it is visible there.

    Args:
        points: (x, y) in pixels of the image.
        visible: which are visible in the image.
        mirror: for each keypoint its mirror partner, or itself.
        size: (width, height) of the image in pixels.
    """
    partners = torch.as_tensor(mirror, dtype=torch.int64, device=points.device)
    return MIRROR.points(points, size)[partners], visible[partners]


def view_of(shown: Shown, columns: Float[Tensor, "c hw"], lengths: Float[Tensor, " hw"]) -> View:
    """Return an image as the losses read it.

    Args:
        shown: the image.
        columns: the post-processor's output for it, row by row.
        lengths: of those vectors (:func:`lengths_of`).
    """
    frame = shown.features
    (width, height), scale = frame.cell, frame.letterbox.scale
    return View(
        columns=columns,
        lengths=lengths,
        grid=frame.grid,
        points=frame.grid_points(shown.points).to(columns.device),
        cells=frame.cells(shown.points).to(columns.device),
        visible=shown.visible.to(columns.device),
        size=shown.size * max(scale[0] / width, scale[1] / height),
    )


def lengths_of(columns: Float[Tensor, "*b c hw"]) -> Float[Tensor, "*b hw"]:
    """Return by what vectors are divided to be of unit length; a zero vector stays zero."""
    return columns.norm(dim=-2) + _LEAST


def post_processed(network: Callable[[Tensor], Tensor], pairs: Sequence[ShownPair]) -> list[ViewPair]:
    """Return the pairs of a batch with their descriptors; the network runs once, on the distinct images.

    Args:
        network: the post-processor, [b, c, h, w] to [b, d, h, w], or what wraps it. Computed on in float32.
        pairs: the batch, whose images have the same grid.
    """
    distinct = {image.key: image for pair in pairs for image in pair.images}
    columns = network(torch.stack([image.features.features for image in distinct.values()]).float()).flatten(2).float()
    # Taken apart once: a selection per use would each fill a gradient of the whole batch.
    made = dict(zip(distinct, zip(columns.unbind(), lengths_of(columns).unbind(), strict=True), strict=True))

    def view(image: Shown | None) -> View | None:
        return None if image is None else view_of(image, *made[image.key])

    return [
        ViewPair(
            view_of(pair.source, *made[pair.source.key]),
            view_of(pair.target, *made[pair.target.key]),
            view(pair.source_mirrored),
            view(pair.target_mirrored),
        )
        for pair in pairs
    ]

"""The one place where image pixels become model pixels and back: ``model = image * scale + offset``, (x, y), pixels.

The frames the field uses (sources: utils/utils_dataset.py:13-35 and utils/utils_correspondence.py:75-117 of
GeoAware-SC for ``pad``; data/dataset.py of CATs and SD4Match for ``squash``; model/util.py of HPF for
``longest-side``):

- ``original``: the image as it is.
- ``pad``: longer side scaled to ``side``, aspect kept, centred on a square of ``side``.
- ``squash``: both sides scaled to ``side``, aspect lost.
- ``longest-side``: longer side scaled to ``side``, aspect kept, no padding.

Works on NumPy arrays and torch tensors alike, in the precision they come in, and imports neither torch nor Pillow
before they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from geobench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FrameKind = Literal["original", "pad", "squash", "longest-side"]
PointsT = TypeVar("PointsT", bound=Any)  # np.ndarray or torch.Tensor


@dataclass(frozen=True, eq=False)
class Transform:
    """How N images enter their model frames: ``model = image * scale + offset``; every column is (x, y), N rows.

    Attributes:
        scale: model pixels per image pixel. Not corrected for the rounding of ``content``, as in GeoAware-SC: the
            image and its keypoints may disagree by up to half a model pixel.
        offset: where the image's corner lies in the frame, model pixels.
        content: width and height of the resized image, model pixels.
        size: width and height of the frame, model pixels.
    """

    scale: Float64[np.ndarray, "n 2"]
    offset: Float64[np.ndarray, "n 2"]
    content: Int64[np.ndarray, "n 2"]
    size: Int64[np.ndarray, "n 2"]


def frame_transform(kind: FrameKind, side: int | None, width: ArrayLike, height: ArrayLike) -> Transform:
    """Return the transforms from images to a model frame, one row per image.

    Args:
        kind: ``original``, ``pad``, ``squash`` or ``longest-side`` (see the module).
        side: length of the frame's (longer) side in model pixels; ignored for ``original``.
        width: widths of the images in pixels, [N].
        height: heights of the images in pixels, [N].

    Raises:
        UsageError: the kind is unknown, or needs a side and has none.
    """
    images = np.stack([np.asarray(width, np.int64).reshape(-1), np.asarray(height, np.int64).reshape(-1)], axis=1)
    if kind == "original":
        return Transform(np.ones(images.shape), np.zeros(images.shape), images, images)
    if side is None or side < 1:
        raise UsageError(f"frame {kind!r} needs a side of at least one pixel, found {side}; give one")
    if kind == "squash":
        content = np.full_like(images, side)
        return Transform(side / images, np.zeros(images.shape), content, content)
    if kind not in ("pad", "longest-side"):
        raise UsageError(f"unknown frame {kind!r}; known: original, pad, squash, longest-side")
    longest = images.max(axis=1, keepdims=True)
    scale = np.repeat(side / longest, 2, axis=1)
    # Rounds half to even (utils_dataset.py:22,27); a sliver of an image keeps at least one pixel.
    content = np.maximum(np.rint(side * images / longest).astype(np.int64), 1)
    if kind == "longest-side":
        return Transform(scale, np.zeros(images.shape), content, content)
    size = np.full_like(images, side)
    return Transform(scale, ((size - content) // 2).astype(np.float64), content, size)


@dataclass(frozen=True)
class Letterbox:
    """How one image enters a model frame: ``model = image * scale + offset``; every pair is (x, y).

    Attributes:
        scale: model pixels per image pixel.
        offset: where the image's corner lies in the frame, model pixels.
        size: width and height of the model frame.
        content: width and height of the resized image, model pixels.
        image: width and height of the original image.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]
    size: tuple[int, int]
    content: tuple[int, int]
    image: tuple[int, int]

    @classmethod
    def of(cls, kind: FrameKind, size: tuple[int, int], side: int | None) -> Letterbox:
        """Return the letterbox of an image of ``size`` (width, height) for a frame (see :func:`frame_transform`)."""
        frame = frame_transform(kind, side, [size[0]], [size[1]])
        rows = (frame.scale, frame.offset, frame.size, frame.content)
        scale, offset, framed, content = (tuple(row[0].tolist()) for row in rows)
        return cls(scale, offset, framed, content, size)

    @classmethod
    def pad(cls, size: tuple[int, int], side: int) -> Letterbox:
        """Return the letterbox that centres an image of ``size`` (width, height) on a square of ``side``."""
        return cls.of("pad", size, side)

    @classmethod
    def squash(cls, size: tuple[int, int], side: int) -> Letterbox:
        """Return the letterbox that stretches an image of ``size`` (width, height) to a square of ``side``."""
        return cls.of("squash", size, side)

    def to_model(self, points: PointsT) -> PointsT:
        """Return where (x, y) points of the image, [n, 2] floats in image pixels, lie in the model frame."""
        moved: PointsT = points * _like(points, self.scale) + _like(points, self.offset)
        return moved

    def to_image(self, points: PointsT) -> PointsT:
        """Return where (x, y) points of the model frame, [n, 2] floats in model pixels, lie in the image."""
        moved: PointsT = (points - _like(points, self.offset)) / _like(points, self.scale)
        return moved

    def place(
        self,
        pixels: UInt8[np.ndarray, "h w 3"],
        edge: bool = False,
        resample: Literal["lanczos", "bicubic"] = "lanczos",
    ) -> UInt8[np.ndarray, "frame_h frame_w 3"]:
        """Return the image resized by Pillow and set into the model frame.

        Args:
            pixels: RGB, 0 to 255.
            edge: repeat the border pixels into the padding instead of leaving it black.
            resample: Pillow's filter.
        """
        from PIL import Image

        kernel = Image.Resampling[resample.upper()]
        resized = np.asarray(Image.fromarray(pixels).resize(self.content, kernel))
        (left, top), (width, height) = (int(v) for v in self.offset), self.content
        margins = ((top, self.size[1] - height - top), (left, self.size[0] - width - left), (0, 0))
        return np.pad(resized, margins, mode="edge" if edge else "constant")


def _like(points: Any, values: tuple[float, float]) -> Any:
    """Return ``values`` as an array of the kind, precision and device of ``points``."""
    if isinstance(points, np.ndarray):
        return np.asarray(values, dtype=points.dtype)
    return points.new_tensor(values)

"""Crops of 512 pixels that cover a square image, and the average of what was computed on them (ODISE's sliding).

Offsets are multiples of 512; the last crop is shifted back so that it ends with the image: 0 and 448 for a side of 960
(ODISE, modeling/backbone/feature_extractor.py:189-259 at 2b187e4). Crops are in reading order.
"""

from __future__ import annotations

from jaxtyping import Float, Shaped
from torch import Tensor

CROP = 512


def offsets(side: int) -> list[int]:
    """Return where crops begin along one axis of an image of ``side`` >= 512 pixels."""
    count = -(-(side - CROP) // CROP) + 1
    return [min(number * CROP, side - CROP) for number in range(count)]


def corners(side: int) -> list[tuple[int, int]]:
    """Return the (left, top) pixel of each crop of a square image of ``side`` pixels."""
    return [(left, top) for top in offsets(side) for left in offsets(side)]


def cut(image: Shaped[Tensor, "c side side"]) -> list[Shaped[Tensor, "c crop crop"]]:
    """Return the crops of a square image."""
    return [image[:, top : top + CROP, left : left + CROP] for left, top in corners(image.shape[-1])]


def averaged(parts: Float[Tensor, "crops c h w"], side: int, stride: int) -> Float[Tensor, "c rows columns"]:
    """Return the map of a square image from those of its crops: where crops overlap, their mean.

    Args:
        parts: one map per crop.
        side: of the image, pixels; a multiple of ``stride``.
        stride: pixels per cell.
    """
    total = parts.new_zeros((parts.shape[1], side // stride, side // stride))
    covered = parts.new_zeros(total.shape[1:])
    rows, columns = parts.shape[2:]
    for part, (left, top) in zip(parts, corners(side), strict=True):
        at = slice(top // stride, top // stride + rows), slice(left // stride, left // stride + columns)
        total[:, *at] += part
        covered[at] += 1
    return total / covered

"""Whether points lie on an object: in its mask, or in its box where there is none."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int

from geobench.benchmark import Benchmark
from geobench.errors import InputError

Extent = Literal["mask", "box"]


def on_instance(
    benchmark: Benchmark,
    rows: Int[np.ndarray, " r"],
    points: Float32[np.ndarray, "r 2"],
    extent: Extent = "mask",
) -> Bool[np.ndarray, " r"]:
    """Return which points lie on their instance; NaN never does.

    Args:
        benchmark: where the instances are.
        rows: the instance of each point.
        points: (x, y), pixels of the original image.
        extent: ``mask``: in the dataset's mask, and in the box of an instance without one; ``box``: in the box.

    Raises:
        InputError: a mask is missing, or is not as large as its image.
    """
    box = benchmark.instances.bbox[rows]
    inside: np.ndarray = ((points >= box[:, :2]) & (points <= box[:, :2] + box[:, 2:])).all(axis=1)
    if extent == "box":
        return inside
    masked = np.flatnonzero(benchmark.instances.mask[rows] != "")
    order = masked[np.argsort(rows[masked], kind="stable")]
    instances, starts = np.unique(rows[order], return_index=True)
    bounds = [*starts.tolist(), len(order)]
    for number, instance in enumerate(instances.tolist()):
        some = order[bounds[number] : bounds[number + 1]]
        inside[some] = _in_mask(_mask(benchmark, instance), points[some])
    return inside


def _mask(benchmark: Benchmark, row: int) -> Bool[np.ndarray, "h w"]:
    picture = benchmark.picture(row)
    if picture.mask_path is None or not picture.mask_path.is_file():
        raise InputError(f"{picture.mask_path}: no such mask; fetch it, or take boxes with --extent box")
    mask = picture.mask
    assert mask is not None  # the path is there
    if mask.shape[::-1] != picture.size and min(picture.size) > 0:
        raise InputError(
            f"{picture.mask_path}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, its image "
            f"{picture.size[0]}x{picture.size[1]}; fetch the original mask, or take boxes with --extent box"
        )
    return mask


def _in_mask(mask: Bool[np.ndarray, "h w"], points: Float32[np.ndarray, "r 2"]) -> Bool[np.ndarray, " r"]:
    """Return which points lie in a pixel of the mask: pixel (column, row) holds column <= x < column + 1."""
    size = np.array(mask.shape[::-1])
    in_image = np.flatnonzero(((points >= 0) & (points < size)).all(axis=1))
    column, row = np.floor(points[in_image]).astype(np.int64).T
    inside = np.zeros(len(points), bool)
    inside[in_image] = mask[row, column]
    return inside

"""Finds keypoints that are annotated outside their image: kept as they are, but told of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class Outside(NamedTuple):
    """The first keypoint outside its image, by row and then by number, and how many there are.

    Attributes:
        row: of the instance.
        keypoint: its number among the instance's keypoints.
        x: in pixels of the original image.
        y: in pixels of the original image.
        total: number of all such keypoints of all instances.
    """

    row: int
    keypoint: int
    x: float
    y: float
    total: int


def first_outside(
    keypoints: Float[np.ndarray, "n k 2"], labelled: Bool[np.ndarray, "n k"], size: Int[np.ndarray, "n 2"]
) -> Outside | None:
    """Return the first labelled keypoint outside its image, or None where all are inside; the border is inside.

    Args:
        keypoints: (x, y) in pixels of the original image; anything where they are not labelled.
        labelled: which keypoints are annotated.
        size: (width, height) of the images; 0 where it is unknown, and nothing is too far right or down.
    """
    limit = np.where(size > 0, size, np.inf)[:, None]
    outside = labelled & ((keypoints < 0) | (keypoints > limit)).any(axis=2)
    if not outside.any():
        return None
    row, keypoint = np.argwhere(outside)[0].tolist()
    x, y = keypoints[row, keypoint].tolist()
    return Outside(row, keypoint, x, y, int(outside.sum()))

"""Reads PF-Pascal's keypoint files, ``Annotations/<class>/<image>.mat``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from geobench.builders.matlab import read_table
from geobench.builders.pf_pascal_pairs import Points
from geobench.errors import InputError

Rows = tuple[int, ...]
ImageKey = tuple[str, str]
"""Class and stem of an image: the same photograph may be in several classes."""

_LARGEST = 2**24  # float32 cannot tell neighbouring pixels apart beyond it


@dataclass(frozen=True, eq=False)
class Annotation:
    """One ``.mat`` file.

    Attributes:
        path: of the file.
        points: ``kps``, (x, y) by row of the class's table; NaN where not visible.
        box: ``bbox``: x, y of the upper left and x, y of the lower right corner.
    """

    path: Path
    points: Points
    box: Float64[np.ndarray, " 4"]

    @property
    def visible(self) -> Rows:
        """The visible rows."""
        return tuple(np.flatnonzero(~np.isnan(self.points[:, 0])).tolist())


def read_annotations(folder: Path, images: Iterable[ImageKey]) -> dict[ImageKey, Annotation]:
    """Return the annotations of those ``images`` that have a file below ``folder``.

    Raises:
        InputError: a file is malformed.
    """
    paths = {(category, stem): folder / category / f"{stem}.mat" for category, stem in images}
    return {image: read_annotation(path) for image, path in paths.items() if path.is_file()}


def read_annotation(path: Path) -> Annotation:
    """Return the keypoints and the box of an image.

    Raises:
        InputError: the file is missing or malformed; half of a keypoint is NaN; a box is turned inside out.
    """
    points, box = read_table(path, "kps", 2), read_table(path, "bbox", 4)
    absent = np.isnan(points)
    half = np.flatnonzero(absent.any(axis=1) & ~absent.all(axis=1))
    if len(half):
        raise InputError(f"{path}: kps: keypoint {half[0]} has one coordinate only; fetch the file again")
    wide = np.flatnonzero((np.abs(points) > _LARGEST).any(axis=1))
    if len(wide):
        raise InputError(f"{path}: kps: keypoint {wide[0]} is not a position in the image; fetch the file again")
    if len(box) != 1 or not (np.abs(box) <= _LARGEST).all():
        raise InputError(f"{path}: bbox is not one row of four positions; fetch the file again")
    if (box[0, 2:] < box[0, :2]).any():
        raise InputError(f"{path}: bbox has a negative width or height; fetch the file again")
    return Annotation(path, points, box[0])

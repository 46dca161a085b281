"""Reads keypoints from MATLAB annotation files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from geobench.builders.mat5 import MatArray, MatError, MatVersionError, read_array
from geobench.errors import InputError


def read_points(path: Path, field: str, count: int) -> Float32[np.ndarray, "k 2"]:
    """Return the ``count`` keypoints stored in a ``.mat`` file as ``field`` [2, count]: (x, y) in pixels, as stored.

    Raises:
        InputError: the file is not a MATLAB file of version 5 to 7, or the field is missing or malformed.
    """
    found = _read_field(path, field)
    if found.values is None or found.shape != (2, count):
        shown = f"{found.kind} of shape {found.shape}"
        raise InputError(f"{path}: {field} is {shown}, expected numbers of shape (2, {count}); fetch the file again")
    with np.errstate(over="ignore"):
        points = found.values.T.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: {field}: keypoint {bad[0]} is not finite; fetch the file again")
    return np.asarray(points)


def read_table(path: Path, field: str, columns: int) -> Float64[np.ndarray, "rows columns"]:
    """Return the numbers stored in a ``.mat`` file as ``field`` [rows, columns]; NaN and infinity are let through.

    Raises:
        InputError: the file is not a MATLAB file of version 5 to 7, or the field is missing or has another shape.
    """
    found = _read_field(path, field)
    if found.values is None or len(found.shape) != 2 or found.shape[1] != columns or not found.shape[0]:
        shown = f"{found.kind} of shape {found.shape}"
        raise InputError(f"{path}: {field} is {shown}, expected numbers of shape (n, {columns}); fetch the file again")
    return found.values


def _read_field(path: Path, field: str) -> MatArray:
    try:
        found = read_array(path.read_bytes(), field)
    except MatVersionError as error:
        raise InputError(f"{path}: a MATLAB 7.3 file, which is not read; save it with -v7") from error
    except (MatError, OSError) as error:
        raise InputError(f"{path}: not a readable MATLAB file ({error}); fetch it again") from error
    if found is None:
        raise InputError(f"{path}: required field {field} is missing; fetch the file again")
    return found

"""Reads keypoints from MATLAB annotation files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Float32

from geobench.errors import InputError


def read_points(path: Path, field: str, count: int) -> Float32[np.ndarray, "k 2"]:
    """Return the ``count`` keypoints stored in a ``.mat`` file as ``field`` [2, count]: (x, y) in pixels, as stored.

    Raises:
        InputError: the file is not a MATLAB file up to version 7, or the field is missing or malformed.
    """
    try:
        content = scipy.io.loadmat(path, variable_names=[field])
    except NotImplementedError as error:
        raise InputError(f"{path}: a MATLAB 7.3 file, which is not read; save it with -v7") from error
    except Exception as error:  # scipy's parser raises whatever a damaged file makes it trip over
        raise InputError(f"{path}: not a readable MATLAB file ({error}); fetch it again") from error
    if field not in content:
        raise InputError(f"{path}: required field {field} is missing; fetch the file again")
    points = np.asarray(content[field])
    if points.dtype.kind not in "fiu" or points.shape != (2, count):
        found = f"{points.dtype} of shape {points.shape}"
        raise InputError(f"{path}: {field} is {found}, expected numbers of shape (2, {count}); fetch the file again")
    with np.errstate(over="ignore"):
        points = points.T.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: {field}: keypoint {bad[0]} is not finite; fetch the file again")
    return np.asarray(points)

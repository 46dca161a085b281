"""Middlebury ``.flo`` files: the displacement of every pixel of an image, little-endian float32.

Source of the layout and of the value for "unknown": the description of Middlebury's flow code (vision.middlebury.edu):
the number 202021.25, width, height, then (u, v) row by row; a pixel is unknown where |u| or |v| exceeds 1e9.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from geobench.errors import InputError
from geobench.image_file import MOST_PIXELS

MAGIC = 202021.25
UNKNOWN = 1e9
_HEADER = 12  # bytes
_LARGEST = 2**24  # pixels; beyond it float32 cannot tell neighbouring pixels apart


def flow_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the flow at ``path`` in pixels; the displacements are not read.

    Raises:
        InputError: the file is missing or is not a flow file.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEADER)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; fetch it again") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if len(head) < _HEADER or np.frombuffer(head, "<f4", 1)[0] != MAGIC:
        raise InputError(f"{path}: not a .flo file (it does not begin with {MAGIC}); fetch it again")
    width, height = (int(side) for side in np.frombuffer(head, "<i4", 2, offset=4))
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise InputError(f"{path}: says it has {width}x{height} pixels; fetch it again")
    return width, height


def read_flow(path: Path) -> Float32[np.ndarray, "h w 2"]:
    """Return the flow at ``path``: what to add to (x, y) of each pixel, in pixels; unknown ones as stored.

    Raises:
        InputError: the file is missing, is not a flow file, is cut off, or holds NaN or absurd displacements.
    """
    width, height = flow_size(path)
    expected, found = _HEADER + 8 * width * height, path.stat().st_size
    if found != expected:
        raise InputError(f"{path}: has {found} bytes, a flow of {width}x{height} pixels has {expected}; fetch it again")
    flow = np.fromfile(path, "<f4", offset=_HEADER).reshape(height, width, 2).astype(np.float32, copy=False)
    bad = np.isnan(flow).any(axis=2) | (known_pixels(flow) & (np.abs(flow) > _LARGEST).any(axis=2))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        u, v = flow[row, column]
        raise InputError(f"{path}: column {column}, row {row}: the displacement is ({u:g}, {v:g}); fetch it again")
    return flow


def known_pixels(flow: Float32[np.ndarray, "h w 2"]) -> Bool[np.ndarray, "h w"]:
    """Return which pixels have a displacement."""
    known: np.ndarray = (np.abs(flow) <= UNKNOWN).all(axis=2)
    return known

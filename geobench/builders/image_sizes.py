"""Sizes of image files, read from their headers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from geobench.image_file import size_of


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the image at ``path`` in pixels, as stored; the pixels are not decoded.

    Raises:
        InputError: the file is missing, is not an image, or is larger than any that is read.
    """
    return size_of(path)


def sizes_where_present(root: Path, names: Sequence[str]) -> Int32[np.ndarray, "n 2"]:
    """Return (width, height) of every image below ``root``, (0, 0) where the file is absent.

    Raises:
        InputError: a file is there but is not an image.
    """
    sizes = [image_size(root / name) if (root / name).is_file() else (0, 0) for name in names]
    return np.asarray(sizes, dtype=np.int32).reshape(len(names), 2)

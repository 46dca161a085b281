"""Sizes of image files, read from their headers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32
from PIL import Image, UnidentifiedImageError

from geobench.errors import InputError


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the image at ``path`` in pixels, as stored; the pixels are not decoded.

    Raises:
        InputError: the file is missing or is not an image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such image; fetch it") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not a readable image ({error}); fetch it again") from error


def sizes_where_present(root: Path, names: Sequence[str]) -> Int32[np.ndarray, "n 2"]:
    """Return (width, height) of every image below ``root``, (0, 0) where the file is absent.

    Raises:
        InputError: a file is there but is not an image.
    """
    sizes = [image_size(root / name) if (root / name).is_file() else (0, 0) for name in names]
    return np.asarray(sizes, dtype=np.int32).reshape(len(names), 2)

"""Image files as arrays of 8 bits: what Pillow reads, checked, with one rule for each kind of file.

- Pixels are as stored. An orientation in the EXIF data is not applied: the authors of the methods open images without
  it (Pillow's ``convert("RGB")`` alone), and a benchmark's sizes and keypoints are those of the stored pixels.
- Alpha and transparency are dropped, the stored colours kept; CMYK becomes RGB by Pillow's rule; colour profiles are
  ignored; of several frames the first counts.
- 16-bit grey is scaled to 8 bits by its high byte, as Pillow scales 16-bit colour; its ``convert("RGB")`` would make
  everything above 255 white.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import UInt8

from geobench.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 2**28
"""Pixels of the largest image that is read: 20,000 x 13,421; as RGB it takes 0.8 GB. Pillow warns from a third on."""

_opening = threading.Lock()


@contextmanager
def opened(path: Path) -> Iterator[Image]:
    """Yield the image at ``path``, its pixels not yet decoded.

    Raises:
        InputError: the file is missing, is not an image, is damaged, or has more than ``MOST_PIXELS``; also for what
            goes wrong while the caller decodes it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's on damaged EXIF data and the like
            with _open(path) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise InputError(
                        f"{path}: has {width}x{height} pixels, more than the {MOST_PIXELS:,} that are read; scale it "
                        "down, and its annotation with it"
                    )
                yield image
    except (InputError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such image; fetch it, or name the folder that has it") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise InputError(f"{path}: not a readable image ({_told(error)}); fetch it again") from error


def size_of(path: Path) -> tuple[int, int]:
    """Return (width, height) of the image at ``path`` in pixels, as stored; the pixels are not decoded.

    Raises:
        InputError: the file is missing, or is not an image that :func:`read_image` would read.
    """
    with opened(path) as image:
        return image.size


def read_image(path: Path, mode: Literal["RGB", "L"]) -> UInt8[np.ndarray, ...]:
    """Return the image at ``path`` as [height, width, 3] for ``RGB``, [height, width] for grey (``L``), 0 to 255.

    Raises:
        InputError: the file is missing, damaged, too large, or holds 32-bit numbers instead of colours.
    """
    with opened(path) as image:
        image.info.pop("transparency", None)  # else Pillow warns that it drops it
        return np.array(_eight_bits(image, path).convert(mode))


def turned_size(path: Path) -> tuple[int, int] | None:
    """Return the (width, height) at which viewers show an image that its EXIF data turns by 90 degrees, else None."""
    with opened(path) as image:
        return image.size[::-1] if image.getexif().get(_ORIENTATION) in (5, 6, 7, 8) else None


_ORIENTATION = 0x0112  # EXIF 2.3, table 4


def _open(path: Path) -> Image:
    """Open an image without Pillow's own limit, which is one for the whole process."""
    from PIL import Image

    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _eight_bits(image: Image, path: Path) -> Image:
    """Return an image whose pixels have at most 8 bits per channel."""
    from PIL import Image

    of_png = image.mode == "I" and image.format == "PNG"  # 16 bits, as Pillow before 10.3 has them
    if image.mode.startswith("I;16") or of_png:
        return Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(f"{path}: holds 32-bit numbers, which are no colours; save it with 8 or 16 bits per channel")
    return image


def _told(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

"""Picture: what a method may know of one image. It never carries keypoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from geobench.errors import InputError


@dataclass(frozen=True)
class Picture:
    """One image with one instance in it.

    Attributes:
        key: unique name within the benchmark; a mirrored picture has another key.
        path: the image file.
        size: (width, height) in pixels.
        category: what kind of object it shows.
        box: (x, y, width, height) of the instance in pixels.
        mask_path: file of the instance mask, or None.
        is_mirrored: whether this is the horizontal mirror image of the file.
    """

    key: str
    path: Path
    size: tuple[int, int]
    category: str
    box: tuple[float, float, float, float]
    mask_path: Path | None = None
    is_mirrored: bool = False

    @property
    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """The image as RGB, 0 to 255; read from disk at each access.

        Raises:
            InputError: the file is missing, is not an image, or does not have the annotated size.
        """
        image = _read_image(self.path, "RGB")
        if (image.shape[1], image.shape[0]) != self.size:
            raise InputError(
                f"{self.path}: the image is {image.shape[1]}x{image.shape[0]} pixels, its annotation says "
                f"{self.size[0]}x{self.size[1]}; fetch the original image"
            )
        return np.ascontiguousarray(image[:, ::-1]) if self.is_mirrored else image

    @property
    def mask(self) -> Bool[np.ndarray, "h w"] | None:
        """The instance mask, True on the object, or None when the dataset has none."""
        if self.mask_path is None:
            return None
        mask = _read_image(self.mask_path, "L") > 127
        return np.ascontiguousarray(mask[:, ::-1]) if self.is_mirrored else mask

    def mirrored(self) -> Picture:
        """Return the horizontal mirror image of this picture; twice gives the picture itself."""
        x, y, w, h = self.box
        key = self.key.removesuffix("|mirrored") if self.is_mirrored else f"{self.key}|mirrored"
        return replace(self, key=key, box=(self.size[0] - x - w, y, w, h), is_mirrored=not self.is_mirrored)

    def mirror_points(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return where (x, y) points lie in the mirrored picture: ``(width - x, y)``."""
        return points * np.array([-1, 1], points.dtype) + np.array([self.size[0], 0], points.dtype)


def _read_image(path: Path, mode: str) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.array(image.convert(mode))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such image; fetch it, or point --images at the folder that has it") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not a readable image ({error}); fetch it again") from error

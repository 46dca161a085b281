"""Picture: what a method may know of one image. It never carries keypoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from geobench.errors import InputError
from geobench.image_file import read_image, turned_size
from geobench.posing import IDENTITY, MIRROR, Pose


@dataclass(frozen=True)
class Picture:
    """One image with one instance in it.

    Attributes:
        key: unique name within the benchmark; every pose of a picture has another key.
        path: the image file.
        size: (width, height) in pixels, in this pose.
        category: what kind of object it shows.
        box: (x, y, width, height) of the instance in pixels, in this pose.
        mask_path: file of the instance mask, or None.
        pose: how the picture is held against its file: mirrored, turned.
    """

    key: str
    path: Path
    size: tuple[int, int]
    category: str
    box: tuple[float, float, float, float]
    mask_path: Path | None = None
    pose: Pose = IDENTITY

    @property
    def is_mirrored(self) -> bool:
        """Whether left and right are exchanged against the file."""
        return self.pose.mirrored

    @property
    def pixels(self) -> UInt8[np.ndarray, "h w 3"]:
        """The image as RGB, 0 to 255, as stored (:mod:`geobench.image_file`); read from disk at each access.

        Raises:
            InputError: the file is missing, is not an image, or does not have the annotated size.
        """
        image, (width, height) = read_image(self.path, "RGB"), self.pose.size(self.size)
        if (image.shape[1], image.shape[0]) != (width, height):
            shown = turned_size(self.path) == (width, height)
            remedy = "save it turned as its EXIF orientation says" if shown else "fetch the original image"
            raise InputError(
                f"{self.path}: the image is {image.shape[1]}x{image.shape[0]} pixels, its annotation says "
                f"{width}x{height}; {remedy}"
            )
        return self.pose.array(image)

    @property
    def mask(self) -> Bool[np.ndarray, "h w"] | None:
        """The instance mask, True on the object, or None when the dataset has none."""
        if self.mask_path is None:
            return None
        return self.pose.array(read_image(self.mask_path, "L") > 127)

    def posed(self, pose: Pose) -> Picture:
        """Return this picture mirrored and turned; ``posed(pose).posed(pose.inverse())`` gives the picture itself."""
        total = self.pose.then(pose)
        key = self.key.removesuffix(_suffix(self.pose)) + _suffix(total)
        return replace(self, key=key, size=pose.size(self.size), box=pose.box(self.box, self.size), pose=total)

    def mirrored(self) -> Picture:
        """Return the horizontal mirror image of this picture; twice gives the picture itself."""
        return self.posed(MIRROR)

    def mirror_points(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return where (x, y) points lie in the mirrored picture: ``(width - x, y)``."""
        moved: np.ndarray = MIRROR.points(points, self.size)
        return moved


def _suffix(pose: Pose) -> str:
    """Return what tells a pose's key from that of the picture as it is in its file."""
    mirrored, turned = "|mirrored" if pose.mirrored else "", f"|turned {90 * pose.turns}" if pose.turns else ""
    return mirrored + turned

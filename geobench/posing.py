"""Poses of a picture: its mirror image, its rotations by quarter turns, and what they do to pixels and points.

The eight poses are the symmetries of a square. A pose first mirrors (left becomes right), then turns
counter-clockwise. Points are (x, y), pixels, pixel centres at .5; NumPy arrays and torch tensors alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from geobench.errors import UsageError, nearest_names

PointsT = TypeVar("PointsT", bound=Any)  # np.ndarray or torch.Tensor


@dataclass(frozen=True)
class Pose:
    """One way to hold a picture.

    Attributes:
        mirrored: whether left and right are exchanged first.
        turns: quarter turns counter-clockwise afterwards, 0 to 3.
    """

    mirrored: bool = False
    turns: int = 0

    @classmethod
    def named(cls, name: str) -> Pose:
        """Return the pose of a name in :data:`POSES`.

        Raises:
            UsageError: there is none.
        """
        if name not in POSES:
            raise UsageError(f"unknown pose {name!r}{nearest_names(name, POSES)}; known: {', '.join(POSES)}")
        return POSES[name]

    @property
    def name(self) -> str:
        """The pose's name in recipes."""
        return next(name for name, pose in POSES.items() if pose == self)

    def then(self, after: Pose) -> Pose:
        """Return this pose followed by another."""
        # A mirror reverses the sense of the turns before it.
        turns = after.turns + (-self.turns if after.mirrored else self.turns)
        return Pose(self.mirrored != after.mirrored, turns % 4)

    def inverse(self) -> Pose:
        """Return the pose that undoes this one."""
        return self if self.mirrored else Pose(False, -self.turns % 4)

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) of an image of ``size`` (width, height) in this pose."""
        return size[::-1] if self.turns % 2 else size

    def array(self, image: np.ndarray) -> np.ndarray:
        """Return an image or mask, rows first, in this pose."""
        flipped = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(np.rot90(flipped, self.turns)) if self != IDENTITY else image

    def points(self, points: PointsT, size: tuple[int, int]) -> PointsT:
        """Return where (x, y) points, [n, 2], of an image of ``size`` (width, height) lie in its posed image.

        A mirrored x is ``width - x`` (GeoAware-SC, utils/utils_geoware.py:199-204).
        """
        x, y = points[..., 0], points[..., 1]
        if self.mirrored:
            x = size[0] - x
        for turn in range(self.turns):
            x, y = y, size[turn % 2] - x
        moved: PointsT = points.copy() if isinstance(points, np.ndarray) else points.clone()
        moved[..., 0], moved[..., 1] = x, y
        return moved

    def box(self, box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return where a box (x, y, width, height) of an image of ``size`` lies in its posed image."""
        x, y, width, height = box
        corners = self.points(np.array([[x, y], [x + width, y + height]], np.float64), size)
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return left, top, right - left, bottom - top


IDENTITY = Pose()
MIRROR = Pose(mirrored=True)
POSES: dict[str, Pose] = {
    "identity": IDENTITY,
    "mirror": MIRROR,
    "rotate90": Pose(turns=1),
    "rotate180": Pose(turns=2),
    "rotate-90": Pose(turns=3),
    "mirror-rotate90": Pose(mirrored=True, turns=1),
    "mirror-rotate180": Pose(mirrored=True, turns=2),
    "mirror-rotate-90": Pose(mirrored=True, turns=3),
}
"""Every pose by its name; a positive angle turns counter-clockwise."""

"""What an animal is made of: parts, proportions, joint angles, bones and solids.

Body axes: x forward, y to the animal's own left, z up; the ground is z = 0. Lengths are in body units, one
unit being the distance from shoulder joint to hip joint. Angles are radians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from geobench.builders.synthetic.raycast import Array, Ellipsoid, Primitive, RoundCone, first_hit

TRUNK_PIECES = 4
"""An animal's first pieces are its trunk."""

TOLERANCE = 0.035
"""How far, in body units, a keypoint may lie behind the rendered surface and still be visible.

Elbows, knees and paws add the thickness of their own limb: a far leg's outer side is hidden only by something
other than that leg, as annotators of photographs have it.
"""

SIDES = ((1.0, "left"), (-1.0, "right"))


class Part(IntEnum):
    """What a solid belongs to; decides its colour."""

    TRUNK, NECK, HEAD, MUZZLE, EAR, UPPER_LEG, LOWER_LEG, FOOT, TAIL, TUFT, MANE, HORN, NOSE, EYE, INNER_EAR = range(15)


@dataclass(frozen=True)
class Shape:
    """Proportions in body units (widths are half-widths), resting angles in radians."""

    leg: float = 0.95
    upper_leg: float = 0.11
    lower_leg: float = 0.05
    foot: float = 0.065
    hoof: bool = False
    depth: float = 0.29
    width: float = 0.21
    tuck: float = 0.80
    stance: float = 0.15
    neck: float = 0.42
    neck_pitch: float = 0.70
    neck_base: float = 0.20
    neck_top: float = 0.13
    head: float = 0.46
    head_pitch: float = -0.25
    head_width: float = 0.135
    muzzle: float = 0.065
    ear: float = 0.17
    ear_width: float = 0.065
    ear_tilt: float = 0.35
    eye: float = 0.026
    horn: float = 0.0
    horn_curve: float = 0.0
    mane: float = 0.0
    tail: float = 0.60
    tail_pitch: float = -0.75
    tail_base: float = 0.05
    tail_tip: float = 0.025
    tuft: float = 0.0


@dataclass(frozen=True)
class Pose:
    """Joint angles added to the resting ones; four-vectors run left front, right front, left back, right back.

    Positive leg angles swing forward, positive pitch raises, positive yaw turns to the animal's left.
    """

    upper: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    lower: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    foot: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    splay: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    neck_pitch: float = 0.0
    neck_yaw: float = 0.0
    head_pitch: float = 0.0
    head_yaw: float = 0.0
    tail_pitch: float = 0.0
    tail_yaw: float = 0.0
    tail_curl: float = 0.0


@dataclass(frozen=True)
class Frame:
    """A bone's axes: ``rotation`` [3, 3] and origin [3], both in body axes."""

    rotation: Array
    origin: Array

    def at(self, x: float, y: float, z: float) -> Array:
        """Return the body point [3] of bone coordinates (x, y, z)."""
        point: Array = self.rotation @ np.array([x, y, z]) + self.origin
        return point

    def child(self, origin: Array, pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> Frame:
        """Return a frame at body point ``origin``, turned by yaw, then pitch, then roll in this frame's axes."""
        return Frame(self.rotation @ turn(pitch, yaw, roll), origin)


@dataclass(frozen=True)
class Piece:
    """One solid of an animal, in body axes, with the bone it hangs on.

    Solids that share a ``seam`` are shaded as one smooth surface.
    """

    solid: Primitive
    part: Part
    frame: Frame
    seams: tuple[str, ...] = ()


@dataclass
class Body:
    """A posed animal: solids, and a surface point [3] per keypoint with its tolerance (body units)."""

    pieces: list[Piece] = field(default_factory=list)
    points: dict[str, Array] = field(default_factory=dict)
    tolerances: dict[str, float] = field(default_factory=dict)
    marked: bool = True

    def add(self, part: Part, solid: Primitive, frame: Frame, *seams: str) -> None:
        """Add a solid given in body axes."""
        self.pieces.append(Piece(solid, part, frame, seams))

    def cone(
        self, part: Part, frame: Frame, a: Sequence[float], b: Sequence[float], ra: float, rb: float, *seams: str
    ) -> None:
        """Add a round cone given in the axes of ``frame``."""
        self.add(part, RoundCone(frame.at(*a), frame.at(*b), ra, rb), frame, *seams)

    def egg(self, part: Part, frame: Frame, centre: Sequence[float], half: Sequence[float], *seams: str) -> None:
        """Add an ellipsoid whose half-axes lie along the axes of ``frame``."""
        self.add(part, Ellipsoid(frame.at(*centre), frame.rotation * np.asarray(half)), frame, *seams)

    def mark(self, name: str, inside: Array, outward: Array, on: Sequence[int], thickness: float = 0.0) -> None:
        """Put a keypoint where the ray from ``inside`` leaves the union of the pieces numbered ``on``.

        ``thickness`` (body units) of the limb is added to the tolerance. Does nothing on an unmarked body.
        """
        if not self.marked:
            return
        solids = [self.pieces[number].solid for number in on]
        self.points[name], self.tolerances[name] = first_hit(solids, inside, outward), TOLERANCE + thickness


def turn(pitch: float, yaw: float, roll: float) -> Array:
    """Return the rotation [3, 3] by yaw about z, then pitch (nose up) about y, then roll about x."""
    cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    cr, sr = np.cos(roll), np.sin(roll)
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_y = np.array([[cp, 0.0, -sp], [0.0, 1.0, 0.0], [sp, 0.0, cp]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    return np.asarray(about_z @ about_y @ about_x)

"""Front and back legs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geobench.builders.synthetic.body import TRUNK_PIECES, Body, Frame, Part, Pose, Shape


def _leg_scale(height: float, lengths: Sequence[float], angles: Sequence[float]) -> float:
    return height / sum(n * float(np.cos(a)) for n, a in zip(lengths, angles, strict=True))


def _angles(pose: Pose, number: int, rest: Sequence[float]) -> list[float]:
    """Return the angles of a leg's three segments from the vertical: a joint turns all that hangs below it."""
    bends = (pose.upper[number], pose.lower[number], pose.foot[number])
    return [float(a + r) for a, r in zip(np.cumsum(bends), rest, strict=True)]


def _leg(
    body: Body,
    hip: Frame,
    lengths: Sequence[float],
    angles: Sequence[float],
    splay: float,
    radii: Sequence[float],
    seams: tuple[str, str],
) -> list[Frame]:
    """Add three segments below ``hip``; return a frame per segment and one at the foot (−z along the bone)."""
    parts = (Part.UPPER_LEG, Part.LOWER_LEG, Part.LOWER_LEG)
    frames, at = [], hip.origin
    tilt = hip.child(at, roll=splay)
    for i, part in enumerate(parts):
        frame = tilt.child(at, pitch=angles[i])
        names = seams if i == 0 else seams[1:]
        body.cone(part, frame, (0.0, 0.0, 0.0), (0.0, 0.0, -lengths[i]), radii[i], radii[i + 1], *names)
        frames.append(frame)
        at = frame.at(0.0, 0.0, -lengths[i])
    return [*frames, tilt.child(at, pitch=0.5 * angles[2])]


def _foot(body: Body, shape: Shape, frame: Frame, seam: str) -> None:
    size = shape.foot
    if shape.hoof:
        body.cone(Part.FOOT, frame, (0.0, 0.0, 0.02), (0.03, 0.0, -0.06), size * 0.72, size)
        return
    body.egg(Part.FOOT, frame, (0.045, 0.0, -0.015), (size * 1.45, size * 1.05, size * 0.8), seam)


def front_leg(body: Body, shape: Shape, pose: Pose, trunk: Frame, number: int, side: float, name: str) -> None:
    """Add a front leg and mark its shoulder (front outer side), elbow and paw (outer sides)."""
    rest = (-0.38, 0.06, 0.02)
    fractions = (0.34, 0.38, 0.24)
    drop = 0.42 * shape.depth
    size = _leg_scale(shape.leg - drop - 0.05, fractions, rest)
    lengths = [size * f for f in fractions]
    angles = _angles(pose, number, rest)
    seam = f"{name} front"
    shoulder = trunk.child(trunk.at(0.46, side * shape.stance, -drop))
    start = len(body.pieces)
    radii = (shape.upper_leg, shape.lower_leg * 1.45, shape.lower_leg, shape.lower_leg * 0.92)
    frames = _leg(body, shoulder, lengths, angles, side * pose.splay[number], radii, ("trunk", seam))
    _foot(body, shape, frames[3], seam)
    end = len(body.pieces)
    body.egg(
        Part.TRUNK,
        frames[0].child(frames[0].at(0.0, 0.0, 0.0), pitch=0.25),
        (0.0, 0.0, 0.06),
        (shape.upper_leg * 1.25, shape.upper_leg * 0.85, 0.25 * shape.depth + shape.upper_leg),
        "trunk",
        seam,
    )
    outward = np.array([0.0, side, 0.0])
    body.mark(
        f"{name}_shoulder",
        shoulder.origin,
        np.array([0.75, side, 0.1]),
        [*range(TRUNK_PIECES), *range(start, len(body.pieces))],
    )
    body.mark(f"{name}_elbow", frames[1].origin, outward, range(start, end), 2 * radii[1])
    body.mark(f"{name}_front_paw", frames[3].at(0.04, 0.0, -0.01), outward, range(start + 3, end), 2 * shape.foot)


def back_leg(body: Body, shape: Shape, pose: Pose, trunk: Frame, number: int, side: float, name: str) -> None:
    """Add a back leg and mark its hip (back outer side), knee (the stifle) and paw (outer sides)."""
    rest = (0.36, -0.52, 0.10)
    fractions = (0.36, 0.36, 0.30)
    drop = 0.10 * shape.depth
    size = _leg_scale(shape.leg - drop - 0.05, fractions, rest)
    lengths = [size * f for f in fractions]
    angles = _angles(pose, number, rest)
    seam = f"{name} back"
    hip = trunk.child(trunk.at(-0.46, side * shape.stance * 0.95, -drop))
    start = len(body.pieces)
    radii = (shape.upper_leg * 1.45, shape.lower_leg * 1.75, shape.lower_leg, shape.lower_leg * 0.92)
    frames = _leg(body, hip, lengths, angles, side * pose.splay[number], radii, ("trunk", seam))
    _foot(body, shape, frames[3], seam)
    end = len(body.pieces)
    body.egg(
        Part.UPPER_LEG,
        frames[0],
        (-0.02, 0.0, -0.10),
        (shape.upper_leg * 1.55, shape.upper_leg * 1.0, 0.5 * lengths[0]),
        "trunk",
        seam,
    )
    outward = np.array([0.0, side, 0.0])
    body.mark(
        f"{name}_hip", hip.origin, np.array([-0.6, side, 0.15]), [*range(TRUNK_PIECES), *range(start, len(body.pieces))]
    )
    body.mark(f"{name}_knee", frames[1].origin, outward, range(start, end), 2 * radii[1])
    body.mark(f"{name}_back_paw", frames[3].at(0.04, 0.0, -0.01), outward, range(start + 3, end), 2 * shape.foot)

"""A quadruped: from proportions and joint angles to solids and keypoints, in the axes of ``body``."""

from __future__ import annotations

import numpy as np

from geobench.builders.synthetic.body import SIDES, TRUNK_PIECES, Body, Frame, Part, Piece, Pose, Shape
from geobench.builders.synthetic.head import add_head, add_neck
from geobench.builders.synthetic.legs import back_leg, front_leg


def build(shape: Shape, pose: Pose, marked: bool = True) -> Body:
    """Return the animal with ``shape`` in ``pose``, its lowest foot on the ground; keypoints if ``marked``."""
    body = Body(marked=marked)
    trunk = Frame(np.eye(3), np.array([0.0, 0.0, shape.leg]))
    _trunk(body, shape, trunk)
    for number, (side, name) in enumerate(SIDES):
        front_leg(body, shape, pose, trunk, number, side, name)
        back_leg(body, shape, pose, trunk, number + 2, side, name)
    head = add_neck(body, shape, pose, trunk)
    add_head(body, shape, head)
    _tail(body, shape, pose, trunk)
    return _grounded(body)


def _grounded(body: Body) -> Body:
    lowest = min(
        float(centre[2] - np.sqrt(spread[2, 2]))
        for piece in body.pieces
        if piece.part == Part.FOOT
        for centre, spread in piece.solid.spheres()
    )
    lift = np.array([0.0, 0.0, -lowest])
    still = np.eye(3)
    pieces = [
        Piece(p.solid.moved(still, lift), p.part, Frame(p.frame.rotation, p.frame.origin + lift), p.seams)
        for p in body.pieces
    ]
    return Body(pieces, {name: point + lift for name, point in body.points.items()}, body.tolerances)


def _trunk(body: Body, shape: Shape, trunk: Frame) -> None:
    d, w, tuck = shape.depth, shape.width, shape.tuck
    body.egg(Part.TRUNK, trunk, (0.34, 0.0, -0.02), (0.36, w, d), "trunk")
    body.egg(Part.TRUNK, trunk, (-0.02, 0.0, 0.02), (0.56, w * 0.98, d * (0.55 + 0.45 * tuck)), "trunk")
    body.egg(Part.TRUNK, trunk, (-0.40, 0.0, 0.06), (0.27, w * 0.92, d * 0.84), "trunk")
    body.cone(Part.TRUNK, trunk, (0.40, 0.0, 0.10), (-0.44, 0.0, 0.10), d * 0.64, d * 0.60, "trunk")


def _tail(body: Body, shape: Shape, pose: Pose, trunk: Frame) -> None:
    at = trunk.at(-0.63, 0.0, 0.06 + 0.40 * shape.depth)
    start = len(body.pieces)
    radii = np.linspace(shape.tail_base, shape.tail_tip, 5)
    pitch, yaw = shape.tail_pitch + pose.tail_pitch, pose.tail_yaw
    for i in range(4):
        frame = trunk.child(at, pitch=-(pitch + i * pose.tail_curl), yaw=yaw * (1 + 0.4 * i))
        seams = ("trunk", "tail") if i == 0 else ("tail",)
        part = Part.TUFT if i == 3 else Part.TAIL
        body.cone(
            part, frame, (0.0, 0.0, 0.0), (-shape.tail / 4, 0.0, 0.0), float(radii[i]), float(radii[i + 1]), *seams
        )
        if i == 3 and shape.tuft > 0:
            body.egg(Part.TUFT, frame, (-shape.tail / 4, 0.0, 0.0), (0.12, shape.tuft, shape.tuft), "tail")
        at = frame.at(-shape.tail / 4, 0.0, 0.0)
    body.mark(
        "root_of_tail",
        trunk.at(-0.62, 0.0, 0.06),
        np.array([-0.35, 0.0, 1.0]),
        [*range(TRUNK_PIECES), *range(start, len(body.pieces))],
    )

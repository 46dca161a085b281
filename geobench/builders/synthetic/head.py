"""Neck and head."""

from __future__ import annotations

import numpy as np

from geobench.builders.synthetic.body import SIDES, Body, Frame, Part, Pose, Shape, turn
from geobench.builders.synthetic.raycast import first_hit


def add_neck(body: Body, shape: Shape, pose: Pose, trunk: Frame) -> Frame:
    """Add the neck and mark the middle of its crest; return the head's frame (x towards the nose)."""
    base = trunk.at(0.50, 0.0, 0.30 * shape.depth)
    neck = trunk.child(base, pitch=shape.neck_pitch + pose.neck_pitch, yaw=pose.neck_yaw)
    start = len(body.pieces)
    body.cone(
        Part.NECK, neck, (0.0, 0.0, 0.0), (shape.neck, 0.0, 0.0), shape.neck_base, shape.neck_top, "trunk", "head"
    )
    body.egg(Part.NECK, neck, (0.12, 0.0, -0.05), (0.24, shape.neck_base * 0.9, shape.neck_base), "trunk", "head")
    body.mark("neck", neck.at(0.5 * shape.neck, 0.0, 0.0), neck.rotation[:, 2], range(start, len(body.pieces)))
    if shape.mane > 0:
        _mane(body, shape, neck)
    pitch = shape.head_pitch + pose.head_pitch - shape.neck_pitch - pose.neck_pitch
    return Frame(neck.rotation @ turn(pitch, 0.0, 0.0) @ turn(0.0, pose.head_yaw, 0.0), neck.at(shape.neck, 0.0, 0.0))


def _mane(body: Body, shape: Shape, neck: Frame) -> None:
    for share in np.linspace(0.08, 1.02, 7):
        radius = shape.neck_base + (shape.neck_top - shape.neck_base) * share
        body.egg(
            Part.MANE,
            neck,
            (share * shape.neck, 0.0, radius + 0.25 * shape.mane),
            (0.62 * shape.neck / 6 + 0.03, 0.032, shape.mane),
            "mane",
        )


def add_head(body: Body, shape: Shape, head: Frame) -> None:
    """Add skull, muzzle, nose, eyes, ears and horns; mark nose and eyes."""
    n, w, m = shape.head, shape.head_width, shape.muzzle
    start = len(body.pieces)
    body.egg(Part.HEAD, head, (0.30 * n, 0.0, 0.15 * w), (0.36 * n, w, w * 0.98), "head")
    body.cone(Part.HEAD, head, (0.34 * n, 0.0, 0.0), (0.70 * n, 0.0, -0.28 * w), 0.80 * w, m * 1.15, "head", "muzzle")
    body.cone(Part.MUZZLE, head, (0.66 * n, 0.0, -0.26 * w), (n - m, 0.0, -0.40 * w), m * 1.2, m, "head", "muzzle")
    body.cone(
        Part.MUZZLE,
        head,
        (0.40 * n, 0.0, -0.50 * w),
        (0.92 * n - m, 0.0, -0.40 * w - 0.55 * m),
        0.45 * w,
        0.72 * m,
        "head",
        "muzzle",
    )
    face = len(body.pieces)
    tip = head.at(n - 0.25 * m, 0.0, -0.40 * w + 0.42 * m)
    body.egg(Part.NOSE, head.child(tip), (0.0, 0.0, 0.0), (0.42 * m, 0.56 * m, 0.40 * m))
    body.mark("nose", tip, head.rotation @ np.array([1.0, 0.0, 0.35]), range(face, len(body.pieces)))
    for side, name in SIDES:
        _eye(body, shape, head, side, name, start, face)
        _ear(body, shape, head, side)
        if shape.horn > 0:
            _horn(body, shape, head, side)


def _eye(body: Body, shape: Shape, head: Frame, side: float, name: str, start: int, face: int) -> None:
    inside = head.at(0.40 * shape.head, 0.0, 0.18 * shape.head_width)
    outward = head.rotation @ np.array([0.50, side, 0.34])
    socket = first_hit([piece.solid for piece in body.pieces[start:face]], inside, outward)
    here = len(body.pieces)
    body.egg(Part.EYE, head.child(socket), (0.0, 0.0, 0.0), (shape.eye, shape.eye, shape.eye))
    body.mark(f"{name}_eye", socket, outward, range(here, len(body.pieces)))


def _ear(body: Body, shape: Shape, head: Frame, side: float) -> None:
    base = head.at(0.14 * shape.head, side * 0.62 * shape.head_width, 0.72 * shape.head_width)
    ear = head.child(base, pitch=-0.15, roll=-side * shape.ear_tilt)
    long, wide = shape.ear, shape.ear_width
    body.egg(Part.EAR, ear, (0.0, 0.0, 0.26 * long), (0.42 * wide, 0.95 * wide, 0.46 * long), "ear")
    body.egg(Part.EAR, ear, (0.0, 0.0, 0.58 * long), (0.30 * wide, 0.62 * wide, 0.46 * long), "ear")
    body.egg(Part.INNER_EAR, ear, (0.25 * wide, 0.0, 0.42 * long), (0.16 * wide, 0.50 * wide, 0.42 * long))


def _horn(body: Body, shape: Shape, head: Frame, side: float) -> None:
    at = head.at(0.22 * shape.head, side * 0.42 * shape.head_width, 0.85 * shape.head_width)
    step, radius = shape.horn / 3.0, 0.036
    for i in range(3):
        roll = -side * (0.25 + shape.horn_curve * (1 - 0.8 * i))
        frame = head.child(at, pitch=0.35 - 0.1 * i, roll=roll)
        body.cone(Part.HORN, frame, (0.0, 0.0, 0.0), (0.0, 0.0, step), radius, radius * 0.72, "horn")
        at, radius = frame.at(0.0, 0.0, step), radius * 0.72

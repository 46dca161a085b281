"""Random individuals and random articulation."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from geobench.builders.synthetic.body import Pose, Shape

_ANGLES = ("ear_tilt", "neck_pitch", "head_pitch", "tail_pitch")
_GRAZERS = {"Bovidae", "Equidae"}


def individual(shape: Shape, rng: np.random.Generator) -> Shape:
    """Return ``shape`` with every length varied by a few per cent and every resting angle by a few degrees."""
    varied: dict[str, Any] = {}
    for name, value in asdict(shape).items():
        if name in _ANGLES:
            varied[name] = float(value + 0.06 * rng.standard_normal())
        elif name != "hoof":
            varied[name] = float(value * (1 + 0.045 * rng.standard_normal()))
    return replace(shape, **varied)


def random_pose(family: str, rng: np.random.Generator) -> Pose:
    """Return a standing, walking or trotting pose; cattle and horses sometimes graze."""
    stride = rng.choice([0.08, 0.30, 0.50], p=[0.3, 0.4, 0.3])
    phase = rng.uniform(0, 2 * np.pi)
    gait = rng.choice([np.pi / 2, np.pi], p=[0.5, 0.5])
    # Walk: the four feet fall a quarter cycle apart; trot: diagonal pairs move together.
    offsets = np.array([0.0, np.pi, gait, gait + np.pi]) + rng.normal(0, 0.25, 4)
    swing = stride * np.sin(phase + offsets) + rng.normal(0, 0.04, 4)
    flex = 1.5 * stride * np.clip(np.cos(phase + offsets), 0, 1)
    front, back = np.array([1.0, 1.0, 0, 0]), np.array([0, 0, 1.0, 1.0])
    lower = flex * (0.85 * front - 0.75 * back) * np.array([-1, -1, 1, 1]) + 0.35 * flex * front
    foot = flex * (-0.7 * front + 0.5 * back)
    grazes = family in _GRAZERS and rng.random() < 0.25
    drop = rng.uniform(-1.45, -1.1) if grazes else rng.normal(0, 0.16)
    return Pose(
        upper=_four(swing + 0.35 * flex * (front + back)), lower=_four(lower), foot=_four(foot),
        splay=_four(np.abs(rng.normal(0.02, 0.035, 4))),
        neck_pitch=float(drop), neck_yaw=float(np.clip(rng.normal(0, 0.28), -0.6, 0.6)),
        head_pitch=float(rng.normal(0, 0.15) - (0.35 if grazes else 0.0)),
        head_yaw=float(np.clip(rng.normal(0, 0.28), -0.6, 0.6)),
        tail_pitch=float(rng.normal(0, 0.25)), tail_yaw=float(rng.normal(0, 0.22)),
        tail_curl=float(rng.normal(0.05, 0.16)),
    )  # fmt: skip


def _four(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(v) for v in values)
    return a, b, c, d

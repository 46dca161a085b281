"""Where animals stand: ground, sky, and the rocks, bushes, trees and grass that distract from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geobench.builders.synthetic.noise import cloud_tile, lookup, smoothstep
from geobench.builders.synthetic.raycast import Array, Ellipsoid, Primitive, RoundCone

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Habitat:
    """Colours in 0..1, and how many of each kind of thing stand around.

    ``number`` is the ``background`` id of AP-10K's image records.
    """

    number: int
    ground: tuple[Colour, Colour]
    sky: tuple[Colour, Colour]
    leaf: Colour
    rock: Colour
    blade: Colour
    grass: int
    bushes: int
    rocks: int
    trees: int


_BLUE = ((0.35, 0.58, 0.86), (0.82, 0.90, 0.95))

HABITATS: dict[str, Habitat] = {
    "meadow": Habitat(1, ((0.36, 0.52, 0.20), (0.52, 0.62, 0.28)), _BLUE, (0.27, 0.47, 0.18), (0.55, 0.54, 0.52),
                      (0.38, 0.56, 0.20), 12, 2, 2, 2),
    "forest": Habitat(2, ((0.25, 0.28, 0.14), (0.38, 0.34, 0.20)), ((0.50, 0.62, 0.58), (0.78, 0.84, 0.76)),
                      (0.20, 0.37, 0.16), (0.40, 0.40, 0.38), (0.28, 0.42, 0.18), 10, 3, 3, 6),
    "savanna": Habitat(3, ((0.70, 0.58, 0.32), (0.82, 0.71, 0.42)), ((0.42, 0.62, 0.85), (0.93, 0.89, 0.78)),
                       (0.42, 0.46, 0.20), (0.60, 0.50, 0.40), (0.80, 0.68, 0.36), 16, 1, 2, 2),
    "desert": Habitat(4, ((0.83, 0.66, 0.44), (0.91, 0.77, 0.55)), ((0.45, 0.66, 0.88), (0.95, 0.90, 0.80)),
                      (0.50, 0.52, 0.32), (0.70, 0.50, 0.36), (0.72, 0.66, 0.40), 5, 1, 4, 0),
    "snow": Habitat(5, ((0.86, 0.89, 0.94), (0.96, 0.97, 0.99)), ((0.62, 0.70, 0.80), (0.90, 0.92, 0.94)),
                    (0.22, 0.36, 0.29), (0.48, 0.50, 0.54), (0.66, 0.60, 0.46), 6, 1, 3, 4),
    "autumn": Habitat(6, ((0.50, 0.42, 0.20), (0.66, 0.50, 0.22)), ((0.55, 0.66, 0.80), (0.94, 0.88, 0.80)),
                      (0.72, 0.38, 0.10), (0.50, 0.47, 0.44), (0.66, 0.56, 0.24), 12, 3, 2, 3),
}  # fmt: skip


@dataclass(frozen=True)
class Prop:
    """A solid that is not an animal; ``rough`` is the contrast of its grain."""

    solid: Primitive
    colour: Colour
    rough: float
    casts_shadow: bool = True


def random_props(
    habitat: Habitat, camera: float, places: Sequence[tuple[float, float, float]], rng: np.random.Generator
) -> tuple[Prop, ...]:
    """Return grass, rocks, bushes and trees around ``places``; ``camera`` is the camera's bearing (radians).

    Towards the camera only grass and small stones are let in, so that animals are hidden only in part.
    """
    props: list[Prop] = []
    for _ in range(habitat.rocks):
        at, front = _spot(camera, rng)
        if _clear(at, places):
            props.append(_rock(at, rng.uniform(0.06, 0.14 if front else 0.38), habitat.rock, rng))
    for _ in range(rng.integers(0, habitat.bushes + 1)):
        at = _behind(camera, 1.5, 4.0, rng)
        if _clear(at, places):
            props += _bush(at, rng.uniform(0.25, 0.55), habitat.leaf, rng)
    for _ in range(rng.integers(0, habitat.trees + 1)):
        props += _tree(_behind(camera, 4.0, 11.0, rng), habitat.leaf, rng)
    for _ in range(rng.integers(habitat.grass // 2, habitat.grass + 1)):
        props += _tuft(rng.uniform(-2.2, 2.2, 2), habitat.blade, rng)
    return tuple(props)


def _spot(camera: float, rng: np.random.Generator) -> tuple[Array, bool]:
    bearing, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.9, 3.2)
    return radius * np.array([np.cos(bearing), np.sin(bearing)]), bool(np.cos(bearing - camera) > 0.3)


def _behind(camera: float, near: float, far: float, rng: np.random.Generator) -> Array:
    bearing, radius = camera + np.pi + rng.uniform(-0.6, 0.6), rng.uniform(near, far)
    return radius * np.array([np.cos(bearing), np.sin(bearing)])


def _clear(at: Array, places: Sequence[tuple[float, float, float]]) -> bool:
    return all(float(np.hypot(at[0] - x, at[1] - y)) > 1.25 for x, y, _ in places)


def _shade(colour: Colour, rng: np.random.Generator, spread: float = 0.12) -> Colour:
    scale = 1 + rng.uniform(-spread, spread)
    return colour[0] * scale, colour[1] * scale, colour[2] * scale


def _rock(at: Array, size: float, colour: Colour, rng: np.random.Generator) -> Prop:
    half = size * rng.uniform(0.7, 1.3, 3) * np.array([1.1, 1.0, 0.7])
    turn = rng.uniform(0, np.pi)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]]) * half
    return Prop(Ellipsoid(np.array([at[0], at[1], 0.25 * half[2]]), axes), _shade(colour, rng), 0.55)


def _bush(at: Array, size: float, colour: Colour, rng: np.random.Generator) -> list[Prop]:
    return [
        Prop(
            Ellipsoid(
                np.array([*(at + size * rng.uniform(-0.7, 0.7, 2)), size * rng.uniform(0.05, 0.45)]),
                np.diag(size * rng.uniform(0.4, 0.65, 3)),
            ),
            _shade(colour, rng, 0.25), 1.0,
        )
        for _ in range(6)
    ]  # fmt: skip


def _tree(at: Array, colour: Colour, rng: np.random.Generator) -> list[Prop]:
    height, width = rng.uniform(2.4, 4.5), rng.uniform(0.12, 0.22)
    foot, top = np.array([at[0], at[1], -0.1]), np.array([at[0], at[1], height])
    trunk = Prop(RoundCone(foot, top, width, width * 0.6), _shade((0.33, 0.25, 0.18), rng), 0.7)
    crown = [
        Prop(
            Ellipsoid(top + rng.uniform(-0.9, 0.9, 3), np.diag(rng.uniform(0.7, 1.3, 3) * np.array([1, 1, 0.7]))),
            _shade(colour, rng, 0.25), 1.0,
        )
        for _ in range(5)
    ]  # fmt: skip
    return [trunk, *crown]


def _tuft(at: Array, colour: Colour, rng: np.random.Generator) -> list[Prop]:
    root = np.array([at[0], at[1], 0.0])
    tips = np.column_stack([rng.uniform(-0.10, 0.10, (4, 2)), rng.uniform(0.10, 0.26, 4)])
    roots = root + np.column_stack([rng.uniform(-0.05, 0.05, (4, 2)), np.zeros(4)])
    return [
        Prop(RoundCone(a, a + tip, 0.016, 0.004), _shade(colour, rng, 0.22), 0.2, casts_shadow=False)
        for a, tip in zip(roots, tips, strict=True)
    ]


def sky_colour(habitat: Habitat, direction: Array, offset: tuple[float, float]) -> Array:
    """Return the colour [N, 3] of the sky, with clouds and far hills, along world ``direction`` [N, 3]."""
    flat = np.hypot(direction[:, 0], direction[:, 1])
    rise = direction[:, 2] / np.maximum(flat, 1e-9)
    bearing = np.arctan2(direction[:, 1], direction[:, 0]) / (2 * np.pi)
    high, low = np.array(habitat.sky[0]), np.array(habitat.sky[1])
    colour = low + smoothstep(0.0, 0.55, rise)[:, None] * (high - low)
    cloud = lookup(cloud_tile(), bearing * 2 + offset[0], rise * 1.6 + offset[1])
    colour += (0.55 * smoothstep(0.55, 0.80, cloud))[:, None] * (1.0 - colour)
    ridge = 0.02 + 0.10 * lookup(cloud_tile(), bearing * 3 + offset[1], np.full(len(rise), offset[0]))
    hill = 0.72 * low + 0.28 * np.array(habitat.leaf)
    return np.asarray(colour + smoothstep(0.004, -0.004, rise - ridge)[:, None] * (hill - colour))


def ground_colour(habitat: Habitat, point: Array, distance: Array, offset: tuple[float, float]) -> Array:
    """Return the unlit colour [N, 3] of the ground at world ``point`` [N, 2], seen from ``distance`` [N]."""
    x, y = point[:, 0], point[:, 1]
    broad = lookup(cloud_tile(), 0.06 * x + offset[0], 0.06 * y + offset[1])
    fine = lookup(cloud_tile(), 0.55 * x + offset[1], 0.55 * y + offset[0])
    near = np.clip(9.0 / np.maximum(distance, 1e-9), 0.0, 1.0)
    grain, mix = 1 + 0.40 * near * (fine - 0.5), smoothstep(0.25, 0.75, broad)
    haze = smoothstep(12.0, 90.0, distance) * 0.75
    result = np.empty((len(x), 3), order="F")
    for i in range(3):
        first, second = habitat.ground[0][i], habitat.ground[1][i]
        colour = (first + mix * (second - first)) * grain
        result[:, i] = colour + haze * (0.9 * habitat.sky[1][i] - colour)
    return result

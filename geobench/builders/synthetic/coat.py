"""Coats: colour as a function of the place on the resting body, so that a pattern moves with the skin.

Colours are linear mixes of sRGB-like triples in 0..1. A coat is symmetric: a point and its mirror image
(y -> −y) have the same colour, so that left and right can be told apart only by geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from geobench.builders.synthetic.body import Part
from geobench.builders.synthetic.noise import cell_tiles, cloud_tile, lookup, smoothstep
from geobench.builders.synthetic.raycast import Array

Colour: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class Coat:
    """The colours of a species.

    ``pattern`` is plain, stripes, spots, patches, mottle or net, drawn in ``ink`` with period ``scale`` (body
    units) over about ``share`` of the coat; ``socks`` is the height (body units) below which legs are ``sock``.
    """

    base: Colour
    belly: Colour
    pattern: str = "plain"
    ink: Colour = (0.1, 0.1, 0.1)
    scale: float = 0.2
    share: float = 0.4
    muzzle: Colour | None = None
    ear: Colour | None = None
    sock: Colour = (0.95, 0.93, 0.90)
    socks: float = 0.0
    foot: Colour | None = None
    mane: Colour | None = None
    tail: Colour | None = None
    tuft: Colour | None = None
    band: Colour | None = None
    blaze: Colour | None = None
    horn: Colour = (0.6, 0.55, 0.45)
    nose: Colour = (0.10, 0.09, 0.09)
    eye: Colour = (0.22, 0.12, 0.05)
    inner: Colour = (0.72, 0.52, 0.46)


@dataclass(frozen=True)
class Skin:
    """Where visible surface points lie on the resting animal.

    ``point`` [N, 3] and ``normal`` [N, 3] in body axes, ``local`` [N, 3] in the axes of the bone, ``part`` [N].
    ``belly`` is the height of the resting belly, ``shift`` moves the pattern from one individual to the next.
    """

    point: Array
    normal: Array
    local: Array
    part: NDArray[np.int64]
    belly: float
    shift: tuple[float, float] = (0.0, 0.0)


_INKED = (Part.TRUNK, Part.NECK, Part.HEAD, Part.UPPER_LEG, Part.LOWER_LEG, Part.TAIL, Part.MANE)


def colour(coat: Coat, skin: Skin) -> Array:
    """Return the colour [N, 3] in 0..1 of every point of ``skin``."""
    result = np.empty(skin.point.shape, order="F")
    result[:] = coat.base
    part, x, z = skin.part, skin.point[:, 0], skin.point[:, 2]
    under = smoothstep(0.25, 0.75, -skin.normal[:, 2]) * np.isin(part, (Part.TRUNK, Part.NECK, Part.HEAD))
    if coat.band is not None:
        flank = smoothstep(0.02, 0.06, z - skin.belly) * smoothstep(0.17, 0.13, z - skin.belly)
        _mix(result, coat.band, flank * (part == Part.TRUNK) * smoothstep(-0.62, -0.50, x))
    _mix(result, coat.belly, under)
    ink = pattern(coat, skin) * np.isin(part, _INKED) * (1 - 0.75 * under)
    _mix(result, coat.ink, ink)
    if coat.socks > 0:
        legs = np.isin(part, (Part.LOWER_LEG, Part.FOOT))
        _mix(result, coat.sock, legs * smoothstep(coat.socks + 0.03, coat.socks - 0.03, z))
    if coat.blaze is not None:
        narrow = smoothstep(0.045, 0.03, np.abs(skin.local[:, 1])) * (skin.normal[:, 2] > 0)
        _mix(result, coat.blaze, narrow * np.isin(part, (Part.HEAD, Part.MUZZLE)))
    _flat_parts(result, coat, part)
    _eyes(result, coat, skin)
    return result


def _flat_parts(result: Array, coat: Coat, part: NDArray[np.int64]) -> None:
    flat: dict[Part, Colour | None] = {
        Part.MUZZLE: None if coat.blaze else coat.muzzle, Part.EAR: coat.ear, Part.TUFT: coat.tuft,
        Part.HORN: coat.horn, Part.NOSE: coat.nose, Part.INNER_EAR: coat.inner, Part.FOOT: coat.foot,
        Part.TAIL: coat.tail,
        Part.MANE: None if coat.pattern == "stripes" else coat.mane,
    }  # fmt: skip
    for name, value in flat.items():
        if value is not None:
            result[part == name] = value


def _eyes(result: Array, coat: Coat, skin: Skin) -> None:
    eye = np.flatnonzero(skin.part == Part.EYE)
    x, y, z = skin.local[eye, 0], np.abs(skin.local[eye, 1]), skin.local[eye, 2]
    size = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-9)
    result[eye] = coat.eye
    result[eye[(0.43 * x + 0.85 * y + 0.29 * z) / size > 0.86]] = (0.02, 0.02, 0.02)
    result[eye[(0.50 * x + 0.62 * y + 0.60 * z) / size > 0.955]] = (1.6, 1.6, 1.6)


def _mix(result: Array, value: Colour, weight: Array) -> None:
    for i in range(3):
        result[:, i] += weight * (value[i] - result[:, i])


def pattern(coat: Coat, skin: Skin) -> Array:
    """Return how much of the ink [N] in 0..1 lies on every point of ``skin``."""
    side = np.abs(skin.point[:, 1])
    u = skin.point[:, 0] + 0.55 * side + skin.shift[0]
    v = skin.point[:, 2] + 0.75 * side + skin.shift[1]
    draw = {"stripes": _stripes, "spots": _spots, "patches": _patches, "mottle": _mottle, "net": _net}
    if coat.pattern not in draw:
        return np.zeros(len(u))
    return draw[coat.pattern](coat, skin, u, v)


def _stripes(coat: Coat, skin: Skin, u: Array, v: Array) -> Array:
    warp = lookup(cloud_tile(3.0), u * 0.40, v * 0.40) - 0.5
    x, z = skin.point[:, 0], skin.point[:, 2]
    limb = np.isin(skin.part, (Part.LOWER_LEG,))
    upper = skin.part == Part.UPPER_LEG
    head = np.isin(skin.part, (Part.HEAD, Part.MUZZLE))
    along = np.where(limb, z * 1.25, np.where(upper, 0.7 * x + 0.6 * z, x))
    along = np.where(np.isin(skin.part, (Part.NECK, Part.MANE)), skin.local[:, 0] + 0.5, along)
    along = np.where(head, 1.4 * skin.local[:, 0] + 0.9 * np.abs(skin.local[:, 1]), along)
    along = np.where(skin.part == Part.TAIL, x, along)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (along / coat.scale + 1.5 * warp + 1.3 * skin.shift[0]))
    breadth = coat.share * (0.75 + 0.5 * lookup(cloud_tile(3.0), v * 0.7, u * 0.7))
    return smoothstep(-0.10, 0.10, breadth - (1 - wave))


def _spots(coat: Coat, _: Skin, u: Array, v: Array) -> Array:
    near = lookup(cell_tiles()[0], u / coat.scale, v / coat.scale)
    return smoothstep(coat.share + 0.05, coat.share - 0.05, near)


def _patches(coat: Coat, _: Skin, u: Array, v: Array) -> Array:
    field = lookup(cloud_tile(2.2), 0.30 * u / coat.scale, 0.30 * v / coat.scale)
    return smoothstep(-0.02, 0.02, field - (1 - coat.share) * 0.5 - 0.25)


def _mottle(coat: Coat, skin: Skin, u: Array, v: Array) -> Array:
    field = lookup(cloud_tile(), 0.8 * u / coat.scale, 0.35 * v / coat.scale)
    back = smoothstep(-0.2, 0.7, skin.normal[:, 2])
    return np.asarray(np.clip(0.35 * back + smoothstep(0.35, 0.75, field) * (0.3 + 0.7 * back), 0, 1))


def _net(coat: Coat, _: Skin, u: Array, v: Array) -> Array:
    first, second = cell_tiles()
    scale = coat.scale * 2.2
    gap = lookup(second, u / scale, v / scale) - lookup(first, u / scale, v / scale)
    return smoothstep(coat.share + 0.05, coat.share - 0.05, gap)

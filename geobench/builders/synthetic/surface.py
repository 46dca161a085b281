"""The colour of what the camera sees of animals and things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobench.builders.synthetic.body import Piece
from geobench.builders.synthetic.coat import Skin, colour
from geobench.builders.synthetic.habitat import Prop
from geobench.builders.synthetic.light import Shadow, lit
from geobench.builders.synthetic.noise import cloud_tile, lookup
from geobench.builders.synthetic.raycast import Array, Primitive, View, dot, turned
from geobench.builders.synthetic.scene import Animal, Scene

SEAM = 0.09
"""Width (body units) over which normals of solids that share a seam are blended."""


@dataclass(frozen=True)
class Hits:
    """Samples of surfaces, sorted by solid.

    ``pixel`` [N] is a pixel's number, ``share`` [N] how much of it is covered, ``point`` [N, 3] a world point;
    ``slices`` has one (solid, rows) per solid.
    """

    pixel: NDArray[np.int64]
    share: Array
    point: Array
    slices: list[tuple[int, slice]]


def gather(view: View, depth: Array, index: NDArray[np.int64], factor: int) -> Hits:
    """Return the samples of a picture cast with ``factor`` × ``factor`` rays a pixel.

    Rays of one pixel that see one solid are merged, so that shading is done about once a pixel.
    """
    pixel = np.flatnonzero(index.ravel() >= 0)
    row, column = np.divmod(pixel, view.shape[1])
    width = view.shape[1] // factor
    coarse = (row // factor) * width + column // factor
    key = index.ravel()[pixel] * (view.shape[0] // factor * width) + coarse
    order = np.argsort(key, kind="stable")
    key, pixel, row, column = key[order], pixel[order], row[order], column[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    counts = np.diff(starts, append=len(key))
    t = depth.ravel()[pixel]
    x, y = (column + 0.5 - view.centre[0]) / view.focal, (row + 0.5 - view.centre[1]) / view.focal
    means = [np.add.reduceat(values, starts) / counts for values in (x * t, y * t, t)]
    point = turned(np.stack(means).T, view.rotation.T) + view.position
    merged = pixel[starts]
    return Hits(coarse[order][starts], counts / factor**2, point, _runs(index.ravel()[merged]))


def _runs(numbers: NDArray[np.int64]) -> list[tuple[int, slice]]:
    names, starts = np.unique(numbers, return_index=True)
    ends = [*starts[1:], len(numbers)]
    return [(int(n), slice(int(a), int(b))) for n, a, b in zip(names, starts, ends, strict=True)]


def shade(scene: Scene, hits: Hits, shadow: Shadow) -> Array:
    """Return the colour [N, 3] of every sample."""
    albedo, normal = np.empty_like(hits.point), np.empty_like(hits.point)
    first = 0
    for animal in scene.animals:
        _paint_animal(animal, first, hits, albedo, normal)
        first += len(animal.body.pieces)
    for number, rows in hits.slices:
        if number >= first:
            _paint_prop(scene.props[number - first], hits.point[rows], albedo[rows], normal[rows])
    return lit(scene, albedo, normal, shadow.light(hits.point + 0.02 * normal))


def _paint_animal(animal: Animal, first: int, hits: Hits, albedo: Array, normal: Array) -> None:
    pieces = animal.body.pieces
    own = [(number - first, rows) for number, rows in hits.slices if first <= number < first + len(pieces)]
    if not own:
        return
    whole = slice(own[0][1].start, own[-1][1].stop)
    skin = _empty_skin(animal, whole.stop - whole.start)
    seams = _Seams(pieces)
    for number, rows in own:
        part = slice(rows.start - whole.start, rows.stop - whole.start)
        normal[rows] = seams.normal(number, hits.point[rows])
        _to_rest(pieces[number], animal.rest.pieces[number], hits.point[rows], normal[rows], skin, part)
    across = 1.2 * (skin.point[:, 2] + np.abs(skin.local[:, 1]))
    fur = 1 + 0.16 * (lookup(cloud_tile(), 1.6 * skin.point[:, 0], across) - 0.5)
    albedo[whole] = np.clip(colour(animal.species.coat, skin) * (animal.tint * fur)[:, None], 0.0, 1.8)


def _empty_skin(animal: Animal, n: int) -> Skin:
    point, normal, local = (np.empty((n, 3), order="F") for _ in range(3))
    belly = animal.shape.leg - animal.shape.depth
    return Skin(point, normal, local, np.empty(n, dtype=np.int64), belly, animal.shift)


def _to_rest(posed: Piece, rest: Piece, point: Array, normal: Array, skin: Skin, rows: slice) -> None:
    skin.local[rows] = turned(point - posed.frame.origin, posed.frame.rotation.T)
    skin.point[rows] = turned(skin.local[rows], rest.frame.rotation) + rest.frame.origin
    skin.normal[rows] = turned(normal, rest.frame.rotation @ posed.frame.rotation.T)
    skin.part[rows] = posed.part


class _Seams:
    """Which pieces of an animal are shaded as one, and the boxes [P, 3] they lie in."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        bounds = np.array([_bounds(piece.solid) for piece in pieces])
        self.low, self.high = bounds[:, 0], bounds[:, 1]
        names = sorted({seam for piece in pieces for seam in piece.seams})
        member = np.array([[name in piece.seams for name in names] for piece in pieces], dtype=np.int64)
        self.joined = (member @ member.T > 0) & ~np.eye(len(pieces), dtype=bool)

    def normal(self, number: int, points: Array) -> Array:
        """Return unit normals [N, 3] at ``points`` of one piece, blended with those of joined pieces near by."""
        _, total = self.pieces[number].solid.nearest(points)
        near = (self.low <= points.max(axis=0) + SEAM) & (self.high >= points.min(axis=0) - SEAM)
        for other in np.flatnonzero(self.joined[number] & near.all(axis=1)):
            distance, normal = self.pieces[other].solid.nearest(points)
            total += (np.clip(1.0 - distance / SEAM, 0.0, 1.0) ** 2)[:, None] * normal
        size = np.sqrt(dot(total.T, total.T))
        return np.asarray(total / np.maximum(size, 1e-9)[:, None])


def _bounds(solid: Primitive) -> tuple[Array, Array]:
    boxes = [(centre - half, centre + half) for centre, half in _halves(solid)]
    return np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)


def _halves(solid: Primitive) -> list[tuple[Array, Array]]:
    return [(centre, np.sqrt(spread.diagonal())) for centre, spread in solid.spheres()]


def _paint_prop(prop: Prop, points: Array, albedo: Array, normal: Array) -> None:
    _, normal[:] = prop.solid.nearest(points)
    u, v = 0.8 * points[:, 0] + 0.3 * points[:, 2], 0.8 * points[:, 1] + 0.6 * points[:, 2]
    grain = lookup(cloud_tile(), u, v) - 0.5
    albedo[:] = np.array(prop.colour) * (1 + prop.rough * grain)[:, None]

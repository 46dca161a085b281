"""Sun, sky and shadow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geobench.builders.synthetic.raycast import Array, Primitive, View, cast, dot
from geobench.builders.synthetic.scene import Scene


class Shadow:
    """A depth map seen from the sun."""

    def __init__(self, scene: Scene, solids: list[Primitive], side: int = 192) -> None:
        forward = -scene.sun
        right = np.array([-forward[1], forward[0], 0.0]) / np.hypot(forward[0], forward[1])
        rotation = np.stack([right, np.cross(forward, right), forward])
        centre = np.mean([[a.place[0], a.place[1], a.shape.leg * 0.8] for a in scene.animals], axis=0)
        reach = 2.4 + 0.8 * (len(scene.animals) - 1) + 0.5 * scene.animals[0].shape.neck
        position = centre - 20.0 * forward
        self.view = View(rotation, position, side / (2 * reach), (side / 2, side / 2), (side, side), parallel=True)
        self.depth, _ = cast(self.view, solids)
        self.shade = _blurred(np.isfinite(self.depth).astype(np.float64))

    def _pixels(self, points: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.bool_]]:
        pixels, depths = self.view.project(points)
        column, row = np.floor(pixels[:, 0]).astype(np.int64), np.floor(pixels[:, 1]).astype(np.int64)
        side = self.view.shape[0]
        inside = (column > 0) & (column < side - 1) & (row > 0) & (row < side - 1)
        return column.clip(1, side - 2), row.clip(1, side - 2), depths, inside

    def light(self, points: Array, bias: float = 0.05) -> Array:
        """Return the share of sunlight [N] in 0..1 that reaches world ``points`` [N, 3]."""
        column, row, depths, inside = self._pixels(points)
        lit = np.zeros(len(points))
        flat, at, reach = self.depth.ravel(), row * self.view.shape[1] + column, depths - bias
        for step in (-self.view.shape[1], -1, 1, self.view.shape[1]):
            lit += flat[at + step] > reach
        return np.where(inside, 0.25 * lit, 1.0)

    def light_on_ground(self, points: Array) -> Array:
        """Return the same for ``points`` on the ground, where everything the sun sees is in between."""
        pixels, _ = self.view.project(points)
        side = self.view.shape[0]
        near = np.flatnonzero(((pixels > 0) & (pixels < side - 1)).all(axis=1))
        x, y = pixels[near, 0], pixels[near, 1]
        column, row = x.astype(np.int64), y.astype(np.int64)
        right, low, flat, at = x - column, y - row, self.shade.ravel(), row * side + column
        top = flat[at] * (1 - right) + flat[at + 1] * right
        bottom = flat[at + side] * (1 - right) + flat[at + side + 1] * right
        lit = np.ones(len(points))
        lit[near] -= top + low * (bottom - top)
        return lit


def _blurred(image: Array) -> Array:
    """Return ``image`` averaged over 3 × 3 pixels, zero at its edges so that nothing is lit from outside."""
    wide = np.pad(image, 1)
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    result: Array = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9.0
    result[[0, -1], :] = 0.0
    result[:, [0, -1]] = 0.0
    return result


def lit(scene: Scene, albedo: Array, normal: Array, light: Array) -> Array:
    """Return the colour [N, 3] of surfaces under sky, reflected light of the ground, and sun (Lambert)."""
    up = 0.5 + 0.5 * normal[:, 2:]
    sky, ground = np.array(scene.habitat.sky[1]), np.array(scene.habitat.ground[0])
    ambient = 0.60 * (up * (0.35 + 0.65 * sky) + (1 - up) * (0.30 + 0.45 * ground))
    toward = np.clip((dot(normal.T, scene.sun) + 0.12) / 1.12, 0.0, 1.0)
    direct = (0.68 * toward * light)[:, None] * np.array([1.0, 0.96, 0.88])
    return np.asarray(albedo * (ambient + direct))

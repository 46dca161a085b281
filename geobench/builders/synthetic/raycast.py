"""Analytic ray casting of round cones and ellipsoids with NumPy.

A *view* has right-handed axes: x to the right, y down, z forward. Rays are written ``o + t·d`` with
``d_z = 1``, so ``t`` is the depth along the view's axis. Everything is float64 and uses only ``+ − × ÷ √``,
which IEEE 754 defines exactly, so that a picture does not hang on the machine that renders it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Components: TypeAlias = tuple[Any, Any, Any] | Array
"""The x, y and z of a vector field; each a scalar or an array, broadcast against the others."""


def dot(first: Components, second: Components) -> Any:
    """Return the scalar product of two vectors given by components."""
    return first[0] * second[0] + first[1] * second[1] + first[2] * second[2]


def turned(points: Array, matrix: Array) -> Array:
    """Return ``matrix @ p`` for every row p of ``points`` [N, 3].

    Written out, because BLAS may fuse or reorder, and is slow on such thin arrays. Columns are contiguous.
    """
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    result = np.empty(points.shape, order="F")
    for i, row in enumerate(matrix.tolist()):
        result[:, i] = row[0] * x + row[1] * y + row[2] * z
    return result


@dataclass(frozen=True)
class RoundCone:
    """The convex hull of a sphere of radius ``ra`` at ``a`` and one of radius ``rb`` at ``b``.

    Needs ``|a − b| > |ra − rb|``. With ``y`` the height along the axis, ``ρ`` the distance from it and
    ``s = (ra − rb)/|b − a|``, the side is ``ρ·√(1−s²) = ra − s·y`` for ``s·ra <= y <= |b − a| + s·rb``.
    """

    a: Array
    b: Array
    ra: float
    rb: float

    def moved(self, rotation: Array, translation: Array) -> RoundCone:
        """Return the solid after the rigid motion ``p -> rotation @ p + translation``."""
        return RoundCone(rotation @ self.a + translation, rotation @ self.b + translation, self.ra, self.rb)

    def _axis(self) -> tuple[Array, float, float]:
        axis = self.b - self.a
        length = float(np.sqrt(axis @ axis))
        return axis / length, length, (self.ra - self.rb) / length

    def hit(self, origin: Components, direction: Components) -> Array:
        """Return the smallest ``t`` where each ray, from outside, meets a sphere or the side; ``inf``: none."""
        first = _enter_sphere(self.a, self.ra, origin, direction)
        second = _enter_sphere(self.b, self.rb, origin, direction)
        return np.asarray(np.minimum(np.minimum(first, second), self._enter_side(origin, direction)))

    def _enter_side(self, origin: Components, direction: Components) -> Array:
        axis, length, slope = self._axis()
        start = (origin[0] - self.a[0], origin[1] - self.a[1], origin[2] - self.a[2])
        w = (axis[0], axis[1], axis[2])
        cosine2 = 1.0 - slope * slope
        along, height = dot(direction, w), dot(start, w)
        # c²·(ρ² + y²) = (ra − s·y)² + c²·y², a quadratic in t.
        second = cosine2 * dot(direction, direction) - along * along
        first = cosine2 * dot(start, direction) - along * (height - slope * self.ra)
        zeroth = cosine2 * (dot(start, start) - height * height) - (self.ra - slope * height) ** 2
        root = np.sqrt(np.maximum(discriminant := first * first - second * zeroth, 0.0))
        safe = np.where(np.abs(second) < 1e-12, 1e-12, second)
        nearest = np.full(np.shape(discriminant), np.inf)
        for t in ((-first - root) / safe, (-first + root) / safe):
            y = height + t * along
            valid = (discriminant >= 0) & (y >= slope * self.ra) & (y <= length + slope * self.rb)
            nearest = np.minimum(nearest, np.where(valid, t, np.inf))
        return np.asarray(nearest)

    def nearest(self, points: Array) -> tuple[Array, Array]:
        """Return signed distance [N] (negative inside) and outward unit normal [N, 3] at ``points`` [N, 3].

        Both are exact: a round cone is a sphere swept along its axis while it grows or shrinks.
        """
        axis, length, slope = self._axis()
        relative = points - self.a
        height = dot(relative.T, axis)
        radial = np.sqrt(np.maximum(dot(relative.T, relative.T) - height * height, 0.0))
        share = np.clip((height - radial * slope / np.sqrt(1.0 - slope * slope)) / length, 0.0, 1.0)
        offset = relative - share[:, None] * (axis * length)
        distance = np.sqrt(dot(offset.T, offset.T))
        return distance - (self.ra + share * (self.rb - self.ra)), offset / np.maximum(distance, 1e-12)[:, None]

    def spheres(self) -> list[tuple[Array, Array]]:
        """Return ellipsoids (centre [3], A·Aᵀ [3, 3]) whose convex hull is the solid: here both end spheres."""
        return [(self.a, np.eye(3) * self.ra**2), (self.b, np.eye(3) * self.rb**2)]


@dataclass(frozen=True)
class Ellipsoid:
    """The image of the unit sphere under ``q -> axes @ q + centre``.

    The columns of ``axes`` [3, 3] are the half-axes, perpendicular to each other.
    """

    centre: Array
    axes: Array

    def moved(self, rotation: Array, translation: Array) -> Ellipsoid:
        """Return the solid after a rigid motion."""
        return Ellipsoid(rotation @ self.centre + translation, rotation @ self.axes)

    def _inverse(self) -> Array:
        squared: Array = (self.axes * self.axes).sum(axis=0)
        return (self.axes / squared).T

    def hit(self, origin: Components, direction: Components) -> Array:
        """Return the depth where each ray enters, found in the frame where the solid is the unit sphere."""
        inverse = self._inverse()
        start = tuple(origin[i] - self.centre[i] for i in range(3))
        rows = [(row[0], row[1], row[2]) for row in inverse]
        local = tuple(dot(row, start) for row in rows)
        heading = tuple(dot(row, direction) for row in rows)
        return _enter_sphere(np.zeros(3), 1.0, local, heading)

    def nearest(self, points: Array) -> tuple[Array, Array]:
        """Return a first-order signed distance (exact on the surface) and the normal."""
        inverse = self._inverse()
        unit = turned(points - self.centre, inverse)
        gradient = turned(unit, inverse.T)
        size = np.maximum(np.sqrt(dot(gradient.T, gradient.T)), 1e-12)
        level = np.sqrt(dot(unit.T, unit.T))
        return level * (level - 1.0) / size, gradient / size[:, None]

    def spheres(self) -> list[tuple[Array, Array]]:
        """Return the ellipsoid itself."""
        return [(self.centre, self.axes @ self.axes.T)]


Primitive: TypeAlias = RoundCone | Ellipsoid
"""A convex solid that rays can hit; both kinds have ``moved``, ``hit``, ``nearest`` and ``spheres``."""


def _enter_sphere(centre: Array, radius: float, origin: Components, direction: Components) -> Array:
    start = (origin[0] - centre[0], origin[1] - centre[1], origin[2] - centre[2])
    second, first = dot(direction, direction), dot(start, direction)
    discriminant = first * first - second * (dot(start, start) - radius * radius)
    t = (-first - np.sqrt(np.maximum(discriminant, 0.0))) / second
    hit: Array = np.where(discriminant >= 0, t, np.inf)
    return hit


@dataclass(frozen=True)
class View:
    """A pinhole camera, or a parallel projection such as the sun's.

    ``rotation`` [3, 3] has the view's right, down and forward axes as rows, ``position`` [3] is its origin in
    the world. ``focal`` is in pixels (pixels per unit when parallel), ``centre`` the (x, y) pixel of the axis;
    the centre of the first pixel is at (0.5, 0.5). ``shape`` is (height, width).
    """

    rotation: Array
    position: Array
    focal: float
    centre: tuple[float, float]
    shape: tuple[int, int]
    parallel: bool = False

    def enlarged(self, factor: int) -> View:
        """Return the same view with ``factor`` × ``factor`` as many pixels."""
        centre = (self.centre[0] * factor, self.centre[1] * factor)
        shape = (self.shape[0] * factor, self.shape[1] * factor)
        return View(self.rotation, self.position, self.focal * factor, centre, shape, self.parallel)

    def to_view(self, points: Array) -> Array:
        """Return world ``points`` [N, 3] in the view's axes [N, 3]."""
        return turned(points - self.position, self.rotation)

    def project(self, points: Array) -> tuple[Array, Array]:
        """Return pixels (x, y) [N, 2] and depths [N] of world ``points`` [N, 3]."""
        local = self.to_view(points)
        scale = self.focal if self.parallel else self.focal / local[:, 2:]
        return local[:, :2] * scale + np.array(self.centre), local[:, 2]

    def rays(self, rows: slice, columns: slice) -> tuple[Components, Components]:
        """Return origins and directions, in the view's axes, through the centres of a block of pixels."""
        x = (np.arange(columns.start, columns.stop) + 0.5 - self.centre[0]) / self.focal
        y = ((np.arange(rows.start, rows.stop) + 0.5 - self.centre[1]) / self.focal)[:, None]
        flat, origin = (x, y, 0.0), (0.0, 0.0, 0.0)
        return (flat, (0.0, 0.0, 1.0)) if self.parallel else (origin, (x, y, 1.0))

    def block(self, primitive: Primitive) -> tuple[slice, slice]:
        """Return the rows and columns that a primitive, given in the view's axes, can cover."""
        solids = primitive.spheres()
        blocks = []
        for i, limit in ((1, self.shape[0]), (0, self.shape[1])):
            sides = [self.extent(centre, spread, i) for centre, spread in solids]
            low = min(side[0] for side in sides) * self.focal + self.centre[i]
            high = max(side[1] for side in sides) * self.focal + self.centre[i]
            blocks.append(slice(math.floor(min(max(low, 0), limit)), math.ceil(min(max(high, 0), limit))))
        return blocks[0], blocks[1]

    def extent(self, centre: Array, spread: Array, i: int) -> tuple[float, float]:
        """Return the least and greatest x (``i`` = 0) or y (1) of an ellipsoid on the plane at depth 1."""
        if self.parallel:
            half = math.sqrt(spread[i, i])
            return float(centre[i]) - half, float(centre[i]) + half
        c, z = float(centre[i]), float(centre[2])
        if z <= 0:  # Behind the camera.
            return math.inf, -math.inf
        # The outline of a quadric is the conic with dual A·Aᵀ − c·cᵀ (Hartley and Zisserman 2004, section 8.3).
        own, mixed, far = float(spread[i, i]) - c * c, float(spread[i, 2]) - c * z, float(spread[2, 2]) - z * z
        if far >= 0:  # The camera is inside.
            return -math.inf, math.inf
        root = math.sqrt(max(mixed * mixed - own * far, 0.0))
        return (mixed + root) / far, (mixed - root) / far


def cast(view: View, primitives: Sequence[Primitive]) -> tuple[Array, NDArray[np.int64]]:
    """Return the depth [H, W] (``inf`` = nothing) and the number [H, W] of the primitive seen (−1 = nothing).

    A primitive is met only by the rays inside its projected bounding box. World coordinates.
    """
    depth = np.full(view.shape, np.inf)
    index = np.full(view.shape, -1, dtype=np.int64)
    translation = -view.rotation @ view.position
    for number, primitive in enumerate(primitives):
        local = primitive.moved(view.rotation, translation)
        rows, columns = view.block(local)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        t = np.asarray(local.hit(*view.rays(rows, columns)))
        nearer = (t < depth[rows, columns]) & (t > 0)
        depth[rows, columns][nearer] = t[nearer]
        index[rows, columns][nearer] = number
    return depth, index


def first_hit(primitives: Sequence[Primitive], inside: Array, outward: Array) -> Array:
    """Return the outermost surface point [3] of the union of ``primitives`` on the ray ``inside + t·outward``.

    ``inside`` is a world point, ``outward`` a direction; ``inside`` itself is returned if nothing is hit.
    """
    heading = outward / np.sqrt(outward @ outward)
    start = inside + 8.0 * heading
    back = -heading
    hits = [float(p.hit((start[0], start[1], start[2]), (back[0], back[1], back[2]))) for p in primitives]
    t = min(hits)
    return start + t * back if np.isfinite(t) else inside

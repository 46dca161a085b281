"""Ray casting against the implicit surfaces, against a sphere-marching reference, and against projection."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geobench.builders.synthetic.raycast import Ellipsoid, RoundCone, View, cast, first_hit, turned

coordinate = st.floats(-1.0, 1.0)
point = st.tuples(coordinate, coordinate, coordinate).map(np.array)
radius = st.floats(0.05, 0.5)
seeds = st.integers(0, 2**32 - 1)


def rotation_from(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return q * np.sign(np.linalg.det(q))


@st.composite
def cones(draw: st.DrawFn) -> RoundCone:
    a, b, ra, rb = draw(point), draw(point), draw(radius), draw(radius)
    assume(np.linalg.norm(b - a) > abs(ra - rb) + 0.02)
    return RoundCone(a, b, ra, rb)


@st.composite
def ellipsoids(draw: st.DrawFn) -> Ellipsoid:
    axes = rotation_from(draw(seeds)) * np.array([draw(radius), draw(radius), draw(radius)])
    return Ellipsoid(draw(point), axes)


solids = st.one_of(cones(), ellipsoids())


def rays_at(solid: RoundCone | Ellipsoid, seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Origins on a far sphere, aimed at points in and around the solid."""
    rng = np.random.default_rng(seed)
    away = rng.standard_normal((n, 3))
    origins = 6.0 * away / np.linalg.norm(away, axis=1, keepdims=True)
    centre = solid.spheres()[0][0]
    return origins, centre + rng.uniform(-0.7, 0.7, (n, 3)) - origins


def march(solid: RoundCone, origin: np.ndarray, direction: np.ndarray) -> float:
    """The reference: step by the signed distance, which never overshoots."""
    unit, t = direction / np.linalg.norm(direction), 0.0
    for _ in range(3000):
        distance = float(solid.nearest((origin + t * unit)[None])[0][0])
        if distance < 1e-9:
            return t / float(np.linalg.norm(direction))
        t += distance
        if t > 20:
            return math.inf
    return math.nan  # grazing


@given(solids, seeds)
@settings(max_examples=80, deadline=None)
def test_hits_lie_on_the_implicit_surface_and_face_the_ray(solid: RoundCone | Ellipsoid, seed: int) -> None:
    origins, directions = rays_at(solid, seed)
    t = solid.hit(tuple(origins.T), tuple(directions.T))
    hit = np.isfinite(t)
    points = origins[hit] + t[hit, None] * directions[hit]
    distance, normal = solid.nearest(points)
    np.testing.assert_allclose(distance, 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-9)
    assert (np.einsum("ni,ni->n", normal, directions[hit]) < 1e-4).all()


@given(cones(), seeds)
@settings(max_examples=25, deadline=None)
def test_round_cone_agrees_with_marching_along_its_distance(solid: RoundCone, seed: int) -> None:
    origins, directions = rays_at(solid, seed, n=8)
    t = solid.hit(tuple(origins.T), tuple(directions.T))
    for origin, direction, found in zip(origins, directions, t, strict=True):
        reference = march(solid, origin, direction)
        if math.isnan(reference):
            continue
        along = origin + np.linspace(0, 2, 4000)[:, None] * direction
        if abs(float(solid.nearest(along)[0].min())) < 1e-4:
            continue  # a grazing ray: both answers are right to within rounding
        assert found == pytest.approx(reference, abs=1e-5)


@given(st.floats(0.1, 2.0), st.floats(2.5, 9.0), st.floats(-2.2, 2.2))
def test_sphere_depth_has_its_closed_form(r: float, distance: float, x: float) -> None:
    assume(abs(abs(x) - r) > 1e-6)
    ball = Ellipsoid(np.array([0.0, 0.0, distance]), np.eye(3) * r)
    t = float(ball.hit((x, 0.0, 0.0), (0.0, 0.0, 1.0)))
    expected = distance - math.sqrt(r * r - x * x) if abs(x) < r else math.inf
    assert t == pytest.approx(expected, abs=1e-9)


@given(st.lists(solids, min_size=1, max_size=3), seeds, st.booleans())
@settings(max_examples=30, deadline=None)
def test_boxes_cut_nothing_off(shapes: list[RoundCone | Ellipsoid], seed: int, parallel: bool) -> None:
    """Casting only inside projected boxes sees exactly what casting every ray against every solid sees."""
    rotation = rotation_from(seed)
    focal, position = (9.0, -5 * rotation[2]) if parallel else (30.0, -5 * rotation[2])
    view = View(rotation, position, focal, (16.0, 12.0), (24, 32), parallel)
    depth, index = cast(view, shapes)
    everywhere = view.rays(slice(0, 24), slice(0, 32))
    local = [s.moved(rotation, -rotation @ position) for s in shapes]
    every = np.stack([np.broadcast_to(s.hit(*everywhere), (24, 32)) for s in local])
    np.testing.assert_array_equal(depth, every.min(axis=0))
    np.testing.assert_array_equal(index, np.where(np.isfinite(depth), every.argmin(axis=0), -1))


@given(point, seeds)
def test_projecting_a_rendered_point_returns_its_pixel(centre: np.ndarray, seed: int) -> None:
    rotation = rotation_from(seed)
    view = View(rotation, -6 * rotation[2], 40.0, (20.0, 20.0), (40, 40))
    depth, _ = cast(view, [Ellipsoid(0.5 * centre, np.eye(3) * 0.4)])
    rows, columns = np.nonzero(np.isfinite(depth))
    x, y, z = columns + 0.5, rows + 0.5, depth[rows, columns]
    local = np.stack([(x - 20) / 40 * z, (y - 20) / 40 * z, z], axis=1)
    pixels, depths = view.project(local @ rotation + view.position)
    np.testing.assert_allclose(pixels, np.stack([x, y], axis=1), atol=1e-9)
    np.testing.assert_allclose(depths, z, atol=1e-9)


def test_first_hit_is_the_outermost_surface() -> None:
    inner = Ellipsoid(np.zeros(3), np.eye(3))
    outer = Ellipsoid(np.array([0.0, 1.5, 0.0]), np.eye(3))
    np.testing.assert_allclose(first_hit([inner, outer], np.zeros(3), np.array([0.0, 3.0, 0.0])), [0, 2.5, 0])
    np.testing.assert_array_equal(first_hit([inner], np.array([5.0, 0, 0]), np.array([0.0, 1, 0])), [5, 0, 0])


@given(seeds)
def test_turned_is_a_matrix_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, matrix = rng.standard_normal((7, 3)), rng.standard_normal((3, 3))
    np.testing.assert_allclose(turned(points, matrix), points @ matrix.T, atol=1e-12)

"""Anatomy, coats, azimuth and visibility."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.builders.synthetic.anatomy import build
from geobench.builders.synthetic.body import Part, Pose
from geobench.builders.synthetic.coat import Skin, colour
from geobench.builders.synthetic.habitat import HABITATS
from geobench.builders.synthetic.noise import cell_tiles, cloud_tile, lookup
from geobench.builders.synthetic.pose import individual, random_pose
from geobench.builders.synthetic.render import KEYPOINTS, Rendering, render
from geobench.builders.synthetic.scene import Scene, azimuth, frame_animals, orbit, place_animal
from geobench.builders.synthetic.species import SPECIES, Species

MIRROR = (1, 0, 2, 3, 4, 8, 9, 10, 5, 6, 7, 14, 15, 16, 11, 12, 13)
LEFT = np.array([name.startswith("left") for name in KEYPOINTS])
RIGHT = np.array([name.startswith("right") for name in KEYPOINTS])
kinds = st.sampled_from(SPECIES)
seeds = st.integers(0, 2**32 - 1)


def swapped(pose: Pose) -> Pose:
    """The mirror image of a pose: left and right change places, yaw changes sign."""
    names = ("upper", "lower", "foot", "splay")
    legs = {n: tuple(getattr(pose, n)[i] for i in (1, 0, 3, 2)) for n in names}
    turns = {n: -getattr(pose, n) for n in ("neck_yaw", "head_yaw", "tail_yaw")}
    return replace(pose, **legs, **turns)


def studio(kind: Species, pose: Pose, bearing: float, elevation: float = 12.0, size: int = 128) -> Rendering:
    """One animal, nothing else, the sun in the animal's plane of symmetry."""
    animal = place_animal(kind, kind.shape, pose)
    view = orbit(np.array([0.0, 0.0, kind.shape.leg]), bearing, elevation, 8.0, size)
    view = frame_animals(view, [animal], 0.8, (0.5, 0.5))
    return render(Scene((animal,), view, np.array([0.6, 0.0, 0.8]), HABITATS["meadow"], (), (0.0, 0.0)))


@given(kinds, seeds)
@settings(max_examples=25, deadline=None)
def test_every_keypoint_lies_on_the_surface_and_feet_stand_on_the_ground(kind: Species, seed: int) -> None:
    rng = np.random.default_rng(seed)
    body = build(individual(kind.shape, rng), random_pose(kind.family, rng))
    assert set(body.points) == set(KEYPOINTS) == set(body.tolerances)
    points = np.stack([body.points[name] for name in KEYPOINTS])
    distance = np.stack([piece.solid.nearest(points)[0] for piece in body.pieces])
    np.testing.assert_allclose(np.abs(distance).min(axis=0), 0, atol=1e-6)
    lowest = min(
        (centre[2] - np.sqrt(spread[2, 2]))
        for piece in body.pieces
        if piece.part == Part.FOOT
        for centre, spread in piece.solid.spheres()
    )
    assert lowest == pytest.approx(0, abs=1e-9)


@given(kinds, seeds)
@settings(max_examples=25, deadline=None)
def test_a_mirrored_pose_mirrors_the_keypoints(kind: Species, seed: int) -> None:
    pose = random_pose(kind.family, np.random.default_rng(seed))
    plain, mirrored = build(kind.shape, pose), build(kind.shape, swapped(pose))
    for k, name in enumerate(KEYPOINTS):
        expected = plain.points[KEYPOINTS[MIRROR[k]]] * np.array([1, -1, 1])
        np.testing.assert_allclose(mirrored.points[name], expected, atol=1e-9)


def test_rest_has_left_on_the_left_and_front_in_front() -> None:
    for kind in SPECIES:
        points = build(kind.shape, Pose()).points
        assert all((points[n][1] > 0) == n.startswith("left") for n in KEYPOINTS if "_" in n and n != "root_of_tail")
        assert points["nose"][0] > points["neck"][0] > points["left_hip"][0] > points["root_of_tail"][0]
        assert points["left_shoulder"][2] > points["left_elbow"][2] > points["left_front_paw"][2]
        assert points["left_hip"][2] > points["left_knee"][2] > points["left_back_paw"][2]


@given(kinds, seeds)
@settings(max_examples=40, deadline=None)
def test_coats_are_symmetric(kind: Species, seed: int) -> None:
    """Nothing in the texture tells left from right."""
    rng = np.random.default_rng(seed)
    n = 300
    points, normals, local = rng.uniform(-1, 1.5, (n, 3)), rng.standard_normal((n, 3)), rng.uniform(-1, 1, (n, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    part, flip = rng.integers(0, len(Part), n), np.array([1.0, -1.0, 1.0])
    shift = (float(rng.random()), float(rng.random()))
    plain = colour(kind.coat, Skin(points, normals, local, part, 0.6, shift))
    mirrored = colour(kind.coat, Skin(points * flip, normals * flip, local * flip, part, 0.6, shift))
    np.testing.assert_array_equal(plain, mirrored)


@pytest.mark.parametrize("kind", SPECIES[::3], ids=lambda kind: kind.name)
def test_the_mirrored_scene_gives_the_mirrored_picture(kind: Species) -> None:
    pose = random_pose(kind.family, np.random.default_rng(5))
    plain, mirrored = studio(kind, pose, 50.0), studio(kind, swapped(pose), -50.0)
    differs = (plain.masks[0][:, ::-1] != mirrored.masks[0]).mean()
    assert differs < 1e-3
    own = plain.masks[0][:, ::-1] & mirrored.masks[0]
    change = np.abs(plain.picture[:, ::-1].astype(int) - mirrored.picture)[own]
    assert np.median(change) <= 1
    assert change.mean() < 6
    both = plain.visible[0] & mirrored.visible[0][list(MIRROR)]
    assert both.sum() >= plain.visible[0].sum() - 1
    flipped = plain.keypoints[0] * [-1, 1] + [128, 0]
    np.testing.assert_allclose(mirrored.keypoints[0][list(MIRROR)][both], flipped[both], atol=0.02)


@pytest.mark.parametrize("bearing", [0.0, 30.0, 90.0, 180.0, 270.0, 359.0])
def test_azimuth_is_the_bearing_of_the_camera_from_the_heading(bearing: float) -> None:
    kind = SPECIES[3]
    view = orbit(np.zeros(3), bearing, 10.0, 7.0, 64)
    assert azimuth(place_animal(kind, kind.shape, Pose()), view) == pytest.approx(bearing, abs=0.05)
    turned = place_animal(kind, kind.shape, Pose(), (0.0, 0.0, np.radians(20.0)))
    assert azimuth(turned, view) == pytest.approx((bearing - 20.0) % 360, abs=0.1)


@pytest.mark.parametrize("kind", SPECIES, ids=lambda kind: kind.name)
def test_the_camera_sees_the_side_it_stands_on(kind: Species) -> None:
    from_left, from_right = studio(kind, Pose(), 90.0, size=96), studio(kind, Pose(), 270.0, size=96)
    for seen, near, far in ((from_left.visible[0], LEFT, RIGHT), (from_right.visible[0], RIGHT, LEFT)):
        assert seen[near].sum() >= 6
        assert seen[near].sum() > seen[far].sum()
    hips = [KEYPOINTS.index(n) for n in ("left_hip", "right_hip", "left_shoulder", "right_shoulder")]
    assert from_left.visible[0][hips].tolist() == [True, False, True, False]
    nose, tail = KEYPOINTS.index("nose"), KEYPOINTS.index("root_of_tail")
    assert from_left.keypoints[0][nose, 0] < from_left.keypoints[0][tail, 0], "seen from its left, it looks left"


def test_both_eyes_face_the_camera_at_azimuth_zero_and_none_at_180() -> None:
    for kind in SPECIES:
        assert studio(kind, Pose(), 0.0, 5.0, 96).visible[0][:3].all()
        assert not studio(kind, Pose(), 180.0, 5.0, 96).visible[0][:3].any()


def test_noise_is_periodic_and_in_range() -> None:
    u, v = np.random.default_rng(0).uniform(-3, 3, (2, 500))
    for tile in (cloud_tile(), cloud_tile(3.0), *cell_tiles()):
        np.testing.assert_allclose(lookup(tile, u, v), lookup(tile, u + 2, v - 1), atol=1e-9)
        assert tile.min() >= 0
    assert cloud_tile().max() <= 1
    assert (cell_tiles()[0] <= cell_tiles()[1]).all()

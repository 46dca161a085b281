"""Poses: pixels and points move together, poses compose and can be undone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import UsageError
from geobench.posing import IDENTITY, MIRROR, POSES, Pose
from tests.methods.examples import make_picture

poses = st.sampled_from(list(POSES.values()))
sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


@given(poses, poses, sizes)
def test_poses_compose_as_their_images_do(first, second, size):
    image = np.arange(size[0] * size[1]).reshape(size[::-1])
    np.testing.assert_array_equal(second.array(first.array(image)), first.then(second).array(image))
    assert second.size(first.size(size)) == first.then(second).size(size)


@given(poses, sizes)
def test_the_inverse_undoes_a_pose(pose, size):
    image = np.arange(size[0] * size[1]).reshape(size[::-1])
    np.testing.assert_array_equal(pose.inverse().array(pose.array(image)), image)
    assert pose.then(pose.inverse()) == pose.inverse().then(pose) == IDENTITY
    assert Pose.named(pose.name) == pose


@given(poses, sizes, st.data())
def test_points_stay_on_their_pixels(pose, size, data):
    column, row = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    image = np.zeros(size[::-1], bool)
    image[row, column] = True
    centre = np.array([[column + 0.5, row + 0.5]], np.float32)
    x, y = pose.points(centre, size)[0]
    assert pose.array(image)[int(y), int(x)]
    back = pose.inverse().points(pose.points(torch.from_numpy(centre), size), pose.size(size))
    np.testing.assert_array_equal(back.numpy(), centre)


def test_four_quarter_turns_and_two_mirrors_are_the_identity():
    turn = POSES["rotate90"]
    assert turn.then(turn) == POSES["rotate180"]
    assert turn.then(turn).then(turn) == POSES["rotate-90"]
    assert turn.then(turn).then(turn).then(turn) == MIRROR.then(MIRROR) == IDENTITY


def test_a_quarter_turn_is_counter_clockwise():
    assert POSES["rotate90"].array(np.array([[1, 2], [3, 4]])).tolist() == [[2, 4], [1, 3]]


@pytest.mark.parametrize("name", POSES)
def test_a_posed_picture_has_its_pixels_size_and_box(tmp_path, name):
    picture, pose = make_picture(tmp_path, "a"), POSES[name]
    posed = picture.posed(pose)
    assert posed.posed(pose.inverse()) == picture
    assert (posed.key == picture.key) == (pose == IDENTITY)
    np.testing.assert_array_equal(posed.pixels, pose.array(picture.pixels))
    assert posed.pixels.shape[1::-1] == posed.size
    x, y, width, height = (int(v) for v in picture.box)
    inside = np.zeros(picture.pixels.shape[:2], bool)
    inside[y : y + height, x : x + width] = True
    x, y, width, height = (int(v) for v in posed.box)
    assert pose.array(inside)[y : y + height, x : x + width].all()
    assert width * height == inside.sum()


def test_every_pose_has_a_key_of_its_own(tmp_path):
    picture = make_picture(tmp_path, "a")
    assert len({picture.posed(pose).key for pose in POSES.values()}) == 8
    assert picture.mirrored().key == "a|mirrored"


def test_an_unknown_pose_is_refused():
    with pytest.raises(UsageError, match=r"unknown pose 'mirorr'; did you mean mirror"):
        Pose.named("mirorr")

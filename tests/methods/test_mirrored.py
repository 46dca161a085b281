"""A mirrored picture, mirrored again, is the picture."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.methods.examples import make_picture


def test_mirrored_twice_is_the_picture_itself(tmp_path):
    picture = make_picture(tmp_path, "a")
    assert picture.mirrored().mirrored() == picture
    assert np.array_equal(picture.mirrored().pixels, picture.pixels[:, ::-1])
    assert np.array_equal(picture.mirrored().mirrored().pixels, picture.pixels)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), min_size=1))
def test_points_mirrored_twice_are_the_points(tmp_path_factory, points):
    picture = dataclasses.replace(make_picture(tmp_path_factory.getbasetemp(), "mirror"))
    points = np.array(points, np.float32)
    assert np.array_equal(picture.mirrored().mirror_points(picture.mirror_points(points)), points)

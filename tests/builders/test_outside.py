from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geobench.builders.outside import Outside, first_outside

SIZE = np.array([[40, 30], [20, 50]], np.int32)
INSIDE = np.full((2, 3, 2), 10, np.float32)
ALL = np.ones((2, 3), dtype=bool)


def with_points(*points: tuple[int, int, float, float]) -> np.ndarray:
    """Return keypoints inside their images but for those given as (row, keypoint, x, y)."""
    keypoints = INSIDE.copy()
    for row, keypoint, x, y in points:
        keypoints[row, keypoint] = x, y
    return keypoints


def test_points_on_the_border_are_inside() -> None:
    border = with_points((0, 0, 0, 0), (0, 1, 40, 30), (1, 2, 20, 50))
    assert first_outside(border, ALL, SIZE) is None


@pytest.mark.parametrize(
    "point", [(-0.5, 3.0), (3.0, -0.5), (20.25, 3.0), (3.0, 50.25)], ids=["left", "above", "right", "below"]
)
def test_each_side_of_the_image_counts(point: tuple[float, float]) -> None:
    found = first_outside(with_points((1, 2, *point)), ALL, SIZE)
    assert found == Outside(row=1, keypoint=2, x=point[0], y=point[1], total=1)


def test_the_first_is_by_row_and_then_by_number_and_all_are_counted() -> None:
    keypoints = with_points((1, 0, 99, 1), (0, 2, 1, 77), (0, 1, -4.5, 2))
    assert first_outside(keypoints, ALL, SIZE) == Outside(0, 1, -4.5, 2, 3)


def test_points_that_are_not_labelled_do_not_count_whatever_they_are() -> None:
    keypoints = with_points((0, 0, -1, -1), (0, 1, np.nan, np.nan), (1, 1, 99, 99))
    labelled = np.isin(np.arange(6), [0, 1, 4], invert=True).reshape(2, 3)
    assert first_outside(keypoints, labelled, SIZE) is None
    assert first_outside(keypoints, ~labelled, SIZE) == Outside(0, 0, -1, -1, 2)


def test_an_image_of_unknown_size_has_a_left_and_an_upper_side_only() -> None:
    unknown = np.zeros((2, 2), np.int32)
    assert first_outside(with_points((0, 0, 1e6, 1e6)), ALL, unknown) is None
    assert first_outside(with_points((0, 0, 1e6, 1e6), (1, 1, 5, -2)), ALL, unknown) == Outside(1, 1, 5, -2, 1)


def test_no_instances_have_none_outside() -> None:
    assert first_outside(INSIDE[:0], ALL[:0], SIZE[:0]) is None


@given(st.integers(0, 2**32 - 1))
def test_agrees_with_looking_at_one_point_after_the_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keypoints = rng.integers(-2, 12, (4, 3, 2)).astype(np.float32)
    labelled, size = rng.random((4, 3)) < 0.5, rng.integers(0, 11, (4, 2)).astype(np.int32)
    expected = [
        (row, number)
        for row, number in np.ndindex(4, 3)
        if labelled[row, number]
        and any(at < 0 or 0 < side < at for at, side in zip(keypoints[row, number], size[row], strict=True))
    ]
    found = first_outside(keypoints, labelled, size)
    assert (found is None) == (not expected)
    if found is not None:
        assert (found.row, found.keypoint) == expected[0]
        assert found.total == len(expected)
        assert [found.x, found.y] == keypoints[expected[0]].tolist()

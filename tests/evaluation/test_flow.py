"""Counting of dense flow against a slow implementation, pixel by pixel, on random inputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geobench.evaluation.flow import CONSISTENT, bilinear, flow_hits, foreground, overlap, pixel_centres
from geobench.evaluation.protocol import Protocol, find_protocol

SEEDS = st.integers(0, 2**32 - 1)
DEFAULT = find_protocol("default")


def random_flow(rng: np.random.Generator, height: int, width: int, spread: float) -> np.ndarray:
    """Return displacements, some of them whole numbers, so that ties and whole places come up."""
    flow = rng.normal(0, spread, (height, width, 2))
    whole = rng.random((height, width)) < 0.3
    return np.where(whole[..., None], flow.round(), flow).astype(np.float32)


def slow_accuracy(flow: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[int, int]:
    """Return the right pixels and the pixels of known truth (main.cpp: 1 - share of errors above the threshold).

    Displacements are float32, and so is their difference (CvUtils.h: computeFlowError), which decides ties.
    """
    right = counted = 0
    for predicted, true in zip(flow.reshape(-1, 2), truth.reshape(-1, 2), strict=True):
        if abs(true[0]) <= 1e9 and abs(true[1]) <= 1e9:
            counted += 1
            right += not math.hypot(*(predicted - true).tolist()) > threshold
    return right, counted


def slow_read(flow: np.ndarray, x: float, y: float) -> tuple[float, float] | None:
    """Return the flow at a place between pixels as a sum of its neighbours; None where a neighbour is outside."""
    height, width = flow.shape[:2]
    total = [0.0, 0.0]
    for column in (math.floor(x), math.floor(x) + 1):
        for row in (math.floor(y), math.floor(y) + 1):
            weight = (1 - abs(x - column)) * (1 - abs(y - row))
            if weight == 0:
                continue
            if not (0 <= column < width and 0 <= row < height):
                return None
            total[0] += weight * float(flow[row, column, 0])
            total[1] += weight * float(flow[row, column, 1])
    return total[0], total[1]


def slow_foreground(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    mask = np.zeros(there.shape[:2], bool)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            u, v = (float(value) for value in there[row, column])
            returned = slow_read(back, column + u, row + v)
            mask[row, column] = returned is not None and math.hypot(u + returned[0], v + returned[1]) < CONSISTENT
    return mask


@example(seed=192)  # a tie in float32 that is none in float64
@given(seed=SEEDS)
def test_hits_are_those_of_the_slow_count(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 12, 2)
    truth = random_flow(rng, height, width, 5.0)
    truth[rng.random((height, width)) < 0.4] = 1e10
    truth[rng.random((height, width)) < 0.1, 1] = -1e10
    flow = (truth + random_flow(rng, height, width, 2.0)).astype(np.float32)
    size = float(rng.integers(5, 60))
    hits, points = flow_hits(flow, truth, size, DEFAULT)
    for number, alpha in enumerate(DEFAULT.alphas):
        assert (hits[number], points) == slow_accuracy(flow, truth, alpha * size)


def test_a_tie_is_right_unless_the_protocol_says_otherwise():
    truth, flow = np.zeros((1, 2, 2), np.float32), np.array([[[3, 4], [0, 6]]], np.float32)
    strict = Protocol.model_validate({**DEFAULT.model_dump(), "comparison": "<"})
    assert flow_hits(flow, truth, 100.0, DEFAULT)[0].tolist() == [0, 1, 2, 2]  # 5 pixels are 0.05 * 100
    assert flow_hits(flow, truth, 100.0, strict)[0].tolist() == [0, 0, 2, 2]


def test_a_failed_pixel_is_wrong_and_counted():
    truth, flow = np.zeros((2, 2, 2), np.float32), np.full((2, 2, 2), np.nan, np.float32)
    hits, points = flow_hits(flow, truth, 10.0, DEFAULT)
    assert (hits.tolist(), points) == ([0, 0, 0, 0], 4)
    assert not foreground(flow, truth).any()
    assert not foreground(truth, flow).any()


@given(seed=SEEDS, spread=st.sampled_from([0.5, 4.0, 12.0]))
def test_the_foreground_is_that_of_the_slow_count(seed, spread):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 14, (2, 2))
    there, back = (random_flow(rng, *size, spread) for size in sizes)
    np.testing.assert_array_equal(foreground(there, back), slow_foreground(there, back))


@given(seed=SEEDS)
def test_bilinear_is_the_values_at_pixels_and_linear_between(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 9, 2)
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    plane = np.stack([3 * columns - 2 * rows + 1, rows], axis=-1).astype(np.float32)
    x, y = rng.uniform(-1, width, 30), rng.uniform(-1, height, 30)
    values, inside = bilinear(plane, x, y)
    np.testing.assert_array_equal(inside, (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))
    np.testing.assert_allclose(values[inside, 0], (3 * x - 2 * y + 1)[inside], atol=1e-4)
    np.testing.assert_array_equal(bilinear(plane, columns, rows)[0], plane)


def test_pixel_centres_run_row_by_row():
    assert pixel_centres(3, 2).tolist() == [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [1.5, 1.5], [2.5, 1.5]]


def test_overlap():
    one, other = np.array([[True, True, False]]), np.array([[False, True, False]])
    assert overlap(one, other) == (1, 2)
    assert overlap(one & False, other & False) == (0, 0)


@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_the_default_protocol_has_the_published_thresholds(alpha):
    assert alpha in DEFAULT.alphas

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geobench.evaluation.pck import correct, errors, per_image, per_point, tally


def test_errors_are_measured_in_the_frame() -> None:
    predicted, truth = np.array([[3.0, 4.0], [3.0, 4.0], [np.nan, 0.0]]), np.zeros((3, 2))
    scale = np.array([[1.0, 1.0], [2.0, 0.5], [1.0, 1.0]])
    np.testing.assert_array_equal(errors(predicted, truth, scale), [5.0, np.hypot(6, 2), np.nan])


@pytest.mark.parametrize(
    ("comparison", "arithmetic", "wanted"),
    [
        # float32(0.1) and float32(0.05) lie above the decimal, float32(0.01) below: errors 10, 5, 1 at size 100
        ("<=", "float64", [True, True, True]),
        ("<", "float64", [False, False, False]),
        ("<", "float32-alpha", [True, True, False]),
        ("<=", "float32-alpha", [True, True, False]),
        ("<", "float32", [False, False, False]),
        ("<=", "float32", [True, True, True]),
        ("<=", "ratio", [True, True, True]),
    ],
)
def test_exact_ties(comparison: str, arithmetic: str, wanted: list[bool]) -> None:
    marks = correct(np.array([10.0, 5.0, 1.0]), np.full(3, 100.0), (0.10, 0.05, 0.01), comparison, arithmetic)
    assert np.diag(marks).tolist() == wanted


@pytest.mark.parametrize("arithmetic", ["float64", "float32-alpha", "float32", "ratio"])
def test_a_failed_prediction_is_wrong(arithmetic: str) -> None:
    marks = correct(np.array([np.nan, np.inf, 0.0]), np.array([9.0, 9.0, 0.0]), (0.1,), "<=", arithmetic)
    assert not marks[:2].any()


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(1, 100)), min_size=1, max_size=20))
def test_arithmetics_differ_on_ties_alone(rows: list[tuple[float, float]]) -> None:
    distance, size = np.array(rows).T
    clear = np.abs(distance - 0.1 * size) > 1e-4
    counts = [
        correct(distance[clear], size[clear], (0.1,), comparison, arithmetic).tolist()
        for comparison in ("<", "<=")
        for arithmetic in ("float64", "float32-alpha", "float32", "ratio")
    ]
    assert all(count == counts[0] for count in counts)


def test_both_averages() -> None:
    # pair 0: 1 of 2; pair 1: 3 of 3; pair 2: none asked; pair 3: 0 of 1
    pair = np.array([0, 0, 1, 1, 1, 3])
    marks = np.array([[True], [False], [True], [True], [True], [False]])
    counts = tally(marks, pair, 4)
    assert counts.points.tolist() == [2, 3, 0, 1]
    together, once = np.zeros(4, int), np.ones(4, int)
    value, n = per_point(counts, together, 1, once)
    assert (value[0, 0], n[0]) == (4 / 6, 6)
    value, n = per_image(counts, together, 1, once)
    assert (value[0, 0], n[0]) == (0.5, 3)
    value, n = per_image(counts, together, 1, once, empty_is_nan=True)
    assert np.isnan(value[0, 0])
    assert n[0] == 4
    value, n = per_image(counts, np.array([0, 1, 1, -1]), 3, np.array([2, 1, 1, 1]))
    assert value[:2, 0].tolist() == [0.5, 1.0]
    assert np.isnan(value[2, 0])
    assert n.tolist() == [2, 1, 0]

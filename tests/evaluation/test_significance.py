"""McNemar, Holm and letters against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from geobench.evaluation.significance import holm, letters, mcnemar


@given(first=st.integers(0, 400), second=st.integers(0, 400))
def test_mcnemar_is_the_exact_sign_test(first: int, second: int) -> None:
    p = mcnemar(np.array([first]), np.array([second]))[0]
    expected = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert p == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=12))
def test_holm_rejects_as_the_step_down_procedure(p: list[float]) -> None:
    corrected = holm(np.array(p, dtype=float))
    tested = sorted((value, row) for row, value in enumerate(p) if value == value)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, (value, row) in enumerate(tested):  # Holm's own wording: stop at the first that is not small enough
            if value * (len(tested) - step) > level:
                break
            rejected.add(row)
        assert {row for row, value in enumerate(corrected) if value <= level} == rejected
    assert [bool(np.isnan(value)) for value in corrected] == [value != value for value in p]


@given(n=st.integers(1, 7), seed=st.integers(0, 2**32 - 1), density=st.floats(0, 1))
def test_two_share_a_letter_exactly_where_not_told_apart(n: int, seed: int, density: float) -> None:
    different = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    different |= different.T
    marks = letters(different)
    assert all(marks)
    for first in range(n):
        for second in range(n):
            assert bool(set(marks[first]) & set(marks[second])) == (not different[first, second])


def test_letters_of_a_chain() -> None:
    """1 and 3 differ, 2 is like both: a, ab, b."""
    different = np.zeros((3, 3), bool)
    different[0, 2] = different[2, 0] = True
    assert letters(different) == ["a", "ab", "b"]
    assert letters(np.zeros((3, 3), bool)) == ["a", "a", "a"]
    assert letters(~np.eye(3, dtype=bool)) == ["a", "b", "c"]

"""Average precision of samples whose images are drawn: against samples written out as often as they count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_presence import slow_precision

from geobench.evaluation.presence import average_precision
from geobench.evaluation.presence_ranking import Ranking

IMAGES = 4
SAMPLES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, IMAGES - 1)), max_size=12)
TIMES = st.lists(st.integers(0, 3), min_size=IMAGES, max_size=IMAGES)
Drawn = list[tuple[int, int]]


def columns(samples: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """Return values and images."""
    pairs = np.array(samples, np.int64).reshape(len(samples), 2)
    return pairs[:, 0].astype(np.float64), pairs[:, 1]


def ranked(positive: Drawn, negative: Drawn) -> Ranking:
    (values, images), (others, their) = columns(positive), columns(negative)
    return Ranking.of(values, others, images, their)


@given(positive=SAMPLES, negative=SAMPLES, draws=st.lists(TIMES, min_size=1, max_size=5))
def test_whole_weights_are_repeated_samples(positive: Drawn, negative: Drawn, draws: list[list[int]]) -> None:
    found = ranked(positive, negative).average_precision(np.array(draws, float).T)
    for value, times in zip(found.tolist(), draws, strict=True):
        p, n = ([float(v) for v, image in side for _ in range(times[image])] for side in (positive, negative))
        assert value == pytest.approx(slow_precision(p, n) if p else np.nan, abs=1e-12, nan_ok=True)


@given(positive=SAMPLES, negative=SAMPLES)
def test_unit_weights_are_the_average_precision(positive: Drawn, negative: Drawn) -> None:
    found = ranked(positive, negative).average_precision(np.ones((IMAGES, 1)))[0]
    expected = average_precision(columns(positive)[0], columns(negative)[0])
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(positive=SAMPLES, negative=SAMPLES, draws=st.lists(TIMES, min_size=2, max_size=40))
def test_a_draw_does_not_depend_on_the_others(positive: Drawn, negative: Drawn, draws: list[list[int]]) -> None:
    ranking, times = ranked(positive, negative), np.array(draws, float).T
    alone = [ranking.average_precision(times[:, [column]]) for column in range(len(draws))]
    np.testing.assert_array_equal(ranking.average_precision(times), np.concatenate(alone))


@given(positive=SAMPLES, negative=SAMPLES)
def test_disputed_images_have_samples_out_of_order(positive: Drawn, negative: Drawn) -> None:
    outranked = {image for value, image in positive if any(other >= value for other, _ in negative)}
    outranking = {image for value, image in negative if any(other <= value for other, _ in positive)}
    assert ranked(positive, negative).disputed() == (outranked, outranking)

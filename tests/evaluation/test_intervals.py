"""Intervals and counts in tables of scores, against a slow count image by image and SciPy's bootstrap."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from random_benchmarks import random_benchmark, random_predictions
from scipy import stats

import geobench
from geobench.benchmark import Benchmark
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Protocol, Sampling, find_protocol
from geobench.evaluation.queries import pair_weights
from geobench.evaluation.scopes import azimuth_difference
from geobench.evaluation.scores import correct_keypoints, score
from geobench.evaluation.scoring import score_run
from geobench.seeding import seed_for

DEFAULT = find_protocol("default")
DRAWN = DEFAULT.model_copy(update={"sampling": Sampling(per_category=90)})
REVERSED = find_protocol("cats")
SETTINGS = Bootstrap(resamples=300, seed=4)


def rounded(share: float) -> float:
    """Return a share to 30 binary digits, as documented: then ties of draws are ties here and there."""
    return round(float(share) * 2**30) / 2**30


def slow_images(benchmark: Benchmark, predictions: Predictions, protocol: Protocol, alpha: int) -> dict:
    """Return (scope, subset, metric) -> {image: [part, whole, pairs, points]}, one pair after the other."""
    pairs, table = benchmark.split("test"), benchmark.instances
    asked, weight = queries(benchmark, pairs, protocol), pair_weights(pairs, protocol.sampling)
    columns = (predictions.pair, predictions.keypoint, predictions.x, predictions.y)
    points = {(p, k): (x, y) for p, k, x, y in zip(*columns, strict=True)}
    given = np.array([points[key] for key in zip(asked.pair, asked.keypoint, strict=True)], np.float32)
    marks = correct_keypoints(benchmark, protocol, asked, given)[:, alpha]
    steps, found = azimuth_difference(benchmark, pairs), {}
    for row in range(len(pairs)):
        label, answer = str(pairs.category[row]), int(asked.answer_row[row])
        groups = benchmark.skeleton(label).groups.values()
        rivals = {k for g in groups if sum(table.visibility[answer, m] > 0 for m in g) > 1 for k in g}
        here = [(int(k), bool(m)) for p, k, m in zip(asked.pair, asked.keypoint, marks, strict=True) if p == row]
        scopes = ["all", f"category:{label}", *([f"azimuth:{steps[row]}"] if steps[row] >= 0 else [])]
        for scope in scopes:
            for subset in ("all", "geometry_aware"):
                kept = [m for k, m in here if subset == "all" or k in rivals]
                if not here or not weight[row]:
                    continue
                for metric in ("per_image", "per_point"):
                    sums = found.setdefault((scope, subset, metric), {}).setdefault(table.image[answer], np.zeros(4))
                    if kept:
                        per_image = metric == "per_image"
                        part, whole = (rounded(np.mean(kept)), 1) if per_image else (sum(kept), len(kept))
                        sums += weight[row] * np.array([part, whole, 1, len(kept)])
    return found


def interval_of_scipy(sums: np.ndarray, scope: str) -> tuple[float, float]:
    def ratio(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return sums[rows, 0].sum(axis=axis) / sums[rows, 1].sum(axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generator = np.random.default_rng(seed_for(SETTINGS.seed, scope))
        data = (np.arange(len(sums)),)
        found = stats.bootstrap(
            data, ratio, n_resamples=300, method="BCa", vectorized=True, random_state=generator
        ).confidence_interval
    return float(found.low), float(found.high)


@pytest.mark.parametrize("protocol", [DEFAULT, DRAWN, REVERSED], ids=["default", "drawn", "reversed"])
@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_and_counts_equal_the_slow_ones(protocol: Protocol, seed: int) -> None:
    benchmark = random_benchmark(seed, n=40, n_pairs=150)
    benchmark.instances.image[1] = benchmark.instances.image[0]  # two objects in one image
    predictions = random_predictions(benchmark, protocol, seed + 1)
    ours = score(benchmark, benchmark.split("test"), predictions, protocol, bootstrap=SETTINGS)
    alpha, shown = len(protocol.alphas) - 1, 0
    slow = slow_images(benchmark, predictions, protocol, alpha)
    for row in ours[ours.alpha == protocol.alphas[alpha]].itertuples():
        images = slow.get((row.scope, row.subset, row.metric), {})
        sums = np.array([images[name] for name in sorted(images)]).reshape(-1, 4)
        counted = sums[sums[:, 1] > 0]
        assert (row.n_pairs, row.n_points) == tuple(counted[:, 2:].sum(axis=0))
        assert row.n_images == len(counted)
        either = min((counted[:, 0] > 0).sum(), (counted[:, 0] < counted[:, 1] - 1e-9).sum())
        assert np.isnan(row.low) == np.isnan(row.high) == (len(counted) < 10 or either < 5)
        if not np.isnan(row.low):
            shown += 1
            assert (row.low, row.high) == pytest.approx(interval_of_scipy(sums, row.scope), abs=1e-7)
            assert row.low <= row.value <= row.high
    assert shown >= 8


def test_intervals_do_not_depend_on_the_order_of_pairs() -> None:
    benchmark = random_benchmark(3, n=40, n_pairs=150)
    predictions = random_predictions(benchmark, DEFAULT, 4)
    order = np.random.default_rng(0).permutation(150)
    place = np.argsort(order).astype(np.int32)
    moved = Predictions(place[predictions.pair], predictions.keypoint, predictions.x, predictions.y)
    pairs = benchmark.split("test")
    plain = score(benchmark, pairs, predictions, DEFAULT, bootstrap=SETTINGS)
    again = score(benchmark, pairs.take(order), moved, DEFAULT, bootstrap=SETTINGS)
    pd.testing.assert_frame_equal(plain.drop(columns="value"), again.drop(columns="value"), check_exact=True)
    assert plain.low.notna().any()


def test_values_are_the_same_with_and_without_intervals_and_seeds_differ() -> None:
    benchmark = random_benchmark(5, n=40, n_pairs=150)
    predictions = random_predictions(benchmark, DEFAULT, 6)
    pairs = benchmark.split("test")
    plain, first, second = (
        score(benchmark, pairs, predictions, DEFAULT, bootstrap=settings)
        for settings in (None, SETTINGS, Bootstrap(resamples=300, seed=5))
    )
    ends = ["low", "high"]
    assert plain[ends].isna().all(axis=None)
    pd.testing.assert_frame_equal(plain.drop(columns=ends), first.drop(columns=ends), check_exact=True)
    assert (first.low.dropna() != second.low.dropna()).any()


def test_a_perfect_figure_has_no_interval() -> None:
    benchmark = random_benchmark(0, n=40, n_pairs=150)
    asked = queries(benchmark, benchmark.split("test"), DEFAULT)
    perfect = Predictions.of(asked, asked.truth)
    scores = score(benchmark, benchmark.split("test"), perfect, DEFAULT, bootstrap=SETTINGS)
    assert scores.low.isna().all()


def test_a_run_says_how_its_intervals_were_made(tiny: Benchmark, tmp_path: Path) -> None:
    run = geobench.predict("random", tiny, runs=tmp_path / "runs")
    made = score_run(run, tiny, bootstrap=Bootstrap("percentile", 0.9, 500, 3))
    expected = {"method": "percentile", "level": 0.9, "resamples": 500, "seed": 3, "drawn": "target images"}
    assert made.attrs["intervals"] == run.scores().attrs["intervals"] == expected
    metadata = pq.read_schema(run.folder / "scores.parquet").metadata
    assert json.loads(metadata[b"geobench.intervals"]) == expected
    before = (run.folder / "scores.parquet").read_bytes()
    score_run(run, tiny, bootstrap=Bootstrap("percentile", 0.9, 500, 3))
    assert (run.folder / "scores.parquet").read_bytes() == before
    assert score_run(run, tiny, bootstrap=None).attrs["intervals"] is None
    assert run.scores().attrs["intervals"] is None

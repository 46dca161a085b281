"""Scores against a slow independent count pair by pair, and what must hold for every prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_benchmarks import KEYPOINTS, frame_of, random_benchmark, random_predictions

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Frame, Protocol, Sampling, find_protocol, protocol_names
from geobench.evaluation.queries import pair_weights
from geobench.evaluation.scores import azimuth_difference, score

DEFAULT = find_protocol("default")
SEEDS = st.integers(0, 2**32 - 1)


def scores_of(benchmark: Benchmark, predictions: Predictions, protocol: Protocol) -> pd.DataFrame:
    return score(benchmark, benchmark.split("test"), predictions, protocol)


def slow_size(benchmark: Benchmark, row: int, protocol: Protocol) -> float:
    """Return what alpha multiplies for one instance."""
    table, rule = benchmark.instances, benchmark.threshold if protocol.size == "benchmark" else protocol.size
    sx, sy, *_ = frame_of(protocol, int(table.width[row]), int(table.height[row]))
    if rule == "padded-keypoints":
        scaled = [(x * sx, y * sy) for x, y in table.keypoints[row][table.visible[row]].tolist()]
        return max(max(axis) - min(axis) for axis in zip((-1, -1), *scaled, strict=True))
    if rule == "bbox":
        return max(float(table.bbox[row, 2]) * sx, float(table.bbox[row, 3]) * sy)
    return float(protocol.frame.side or max(table.width[row], table.height[row]))


def slow_score(benchmark: Benchmark, predictions: Predictions, protocol: Protocol) -> dict[tuple, tuple]:
    """Return (scope, subset, metric, alpha) -> (value, n), counting one keypoint after the other."""
    table, pairs = benchmark.instances, benchmark.split("test")
    given_ = {
        (int(p), int(k)): (float(x), float(y))
        for p, k, x, y in zip(predictions.pair, predictions.keypoint, predictions.x, predictions.y, strict=True)
    }
    asked = queries(benchmark, pairs, protocol)
    truths = {(int(p), int(k)): t for p, k, t in zip(asked.pair, asked.keypoint, asked.truth.tolist(), strict=True)}
    shares: dict[tuple, list] = {}
    points: dict[tuple, list] = {}
    for row in range(len(pairs)):
        s, t, label = int(pairs.source[row]), int(pairs.target[row]), str(pairs.category[row])
        answer = t if protocol.direction == "source-to-target" else s
        boxed = t if protocol.box == "target" else s
        scopes = ["all", f"category:{label}"]
        a, b = table.azimuth[s], table.azimuth[t]
        if not (np.isnan(a) or np.isnan(b)):
            d = abs(int(a) - int(b)) // 45
            scopes.append(f"azimuth:{min(d, 8 - d)}")
        size = slow_size(benchmark, boxed, protocol)
        sx, sy, *_ = frame_of(protocol, int(table.width[answer]), int(table.height[answer]))
        visible = [k for k in range(KEYPOINTS) if table.visibility[s, k] and table.visibility[t, k]]
        groups = benchmark.skeleton(label).groups.values()
        rivals = {k for g in groups if sum(table.visibility[answer, m] > 0 for m in g) > 1 for k in g}
        for alpha in protocol.alphas:
            for subset, kept in {"all": visible, "geometry_aware": [k for k in visible if k in rivals]}.items():
                hits = []
                for k in kept:
                    (x, y), (tx, ty) = given_[row, k], truths[row, k]
                    e = (((x - tx) * sx) ** 2 + ((y - ty) * sy) ** 2) ** 0.5
                    hits.append(bool(e < alpha * size) if protocol.comparison == "<" else bool(e <= alpha * size))
                for scope in scopes:
                    points.setdefault((scope, subset, "per_point", alpha), []).extend(hits)
                    share = shares.setdefault((scope, subset, "per_image", alpha), [])
                    if hits:
                        share.append(np.mean(hits))
                    elif subset == "all" and protocol.empty_pair == "nan":
                        share.append(np.nan)
    return {key: (np.mean(v) if v else np.nan, len(v)) for key, v in (points | shares).items()}


@pytest.mark.parametrize("name", protocol_names())
@pytest.mark.parametrize("threshold", ["bbox", "image"])
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_equals_the_slow_count(name: str, threshold: str, seed: int) -> None:
    """Under every preset (the renumbered subgroups are tested on the goldens)."""
    protocol = find_protocol(name).model_copy(update={"geometry_rule": "subgroups"})
    benchmark = random_benchmark(seed, threshold=threshold)
    predictions = random_predictions(benchmark, protocol, seed + 1)
    ours = scores_of(benchmark, predictions, protocol).set_index(["scope", "subset", "metric", "alpha"])
    slow = slow_score(benchmark, predictions, protocol)
    assert set(ours.index) == set(slow)
    for key, (value, n) in slow.items():
        assert ours.loc[key].n == n, key
        assert ours.loc[key].value == pytest.approx(value, abs=1e-9, nan_ok=True), key


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_oracle_is_perfect_under_every_protocol(seed: int) -> None:
    benchmark = random_benchmark(seed)
    for name in protocol_names():
        protocol = find_protocol(name)
        asked = queries(benchmark, benchmark.split("test"), protocol)
        scores = scores_of(benchmark, Predictions.of(asked, asked.truth), protocol)
        counted = scores[(scores.n > 0) & scores.value.notna()]
        assert (counted.value == 1).all()


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_more_is_correct_at_a_larger_alpha(seed: int) -> None:
    benchmark = random_benchmark(seed)
    scores = scores_of(benchmark, random_predictions(benchmark, DEFAULT, seed + 1), DEFAULT)
    table = scores.pivot_table("value", ["scope", "subset", "metric"], "alpha")
    assert (table.diff(axis=1).iloc[:, 1:] >= -1e-12).all(axis=None)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_order_of_rows_does_not_matter(seed: int) -> None:
    benchmark = random_benchmark(seed)
    predictions = random_predictions(benchmark, DEFAULT, seed + 1)
    order = np.random.default_rng(seed).permutation(len(predictions))
    columns = (predictions.pair, predictions.keypoint, predictions.x, predictions.y)
    shuffled = Predictions(*(column[order] for column in columns))
    pd.testing.assert_frame_equal(
        scores_of(benchmark, predictions, DEFAULT), scores_of(benchmark, shuffled, DEFAULT), check_exact=True
    )


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, side=st.integers(100, 1200))
def test_a_frame_that_keeps_the_aspect_does_not_matter(seed: int, side: int) -> None:
    """Away from ties, which these predictions keep clear of by construction of continuous noise."""
    benchmark = random_benchmark(seed)
    predictions = random_predictions(benchmark, DEFAULT, seed + 1)
    plain = scores_of(benchmark, predictions, DEFAULT)
    for kind in ("pad", "longest-side"):
        framed = DEFAULT.model_copy(update={"frame": Frame(kind=kind, side=side)})
        pd.testing.assert_frame_equal(plain, scores_of(benchmark, predictions, framed), check_exact=True)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_the_pooled_figure_is_the_weighted_mean_of_the_categories(seed: int) -> None:
    benchmark = random_benchmark(seed)
    scores = scores_of(benchmark, random_predictions(benchmark, DEFAULT, seed + 1), DEFAULT)
    for _, rows in scores[scores.n > 0].groupby(["subset", "metric", "alpha"]):
        parts = rows[rows.scope.str.startswith("category:")]
        whole = rows[rows.scope == "all"]
        assert whole.n.iloc[0] == parts.n.sum()
        assert whole.value.iloc[0] == pytest.approx(np.average(parts.value, weights=parts.n), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, per_category=st.integers(1, 30))
def test_a_pair_drawn_twice_counts_twice(seed: int, per_category: int) -> None:
    """Sampling is scoring the list of pairs in which a drawn pair is repeated, the renumbering included."""
    plainly = DEFAULT.model_copy(update={"geometry_rule": "renumbered-per-point"})
    benchmark, every = random_benchmark(seed), random_benchmark(seed).split("test")
    sampled = plainly.model_copy(update={"sampling": Sampling(per_category=per_category)})
    predictions = random_predictions(benchmark, sampled, seed + 1)
    weight = pair_weights(every, sampled.sampling)
    repeated = np.repeat(np.arange(len(every)), weight)
    known = {(p, k): row for row, (p, k) in enumerate(zip(predictions.pair, predictions.keypoint, strict=True))}
    asked = queries(benchmark, every.take(repeated), plainly)
    rows = [known[repeated[p], k] for p, k in zip(asked.pair, asked.keypoint, strict=True)]
    points = np.stack([predictions.x, predictions.y], axis=1)[rows].reshape(-1, 2)
    ours = scores_of(benchmark, predictions, sampled)
    plain = score(benchmark, every.take(repeated), Predictions.of(asked, points), plainly)
    keys = ["scope", "subset", "metric", "alpha"]
    both = ours[ours.n > 0].merge(plain[plain.n > 0], on=keys, how="outer", suffixes=("", "_plain"))
    assert (both.n == both.n_plain).all()
    np.testing.assert_allclose(both.value, both.value_plain, atol=1e-12)


def test_the_draw_is_the_authors() -> None:
    """The draw that reference/geoaware-sc.md section 9 records for n = 10, k = 20."""
    pairs = Pairs(np.zeros(10, np.int32), np.zeros(10, np.int32), np.full(10, "cat"))
    drawn = [6, 3, 7, 4, 6, 9, 2, 6, 7, 4, 3, 7, 7, 2, 5, 4, 1, 7, 5, 1]
    assert pair_weights(pairs, Sampling(per_category=20)).tolist() == np.bincount(drawn, minlength=10).tolist()


def test_columns_and_order() -> None:
    benchmark = random_benchmark(0)
    scores = scores_of(benchmark, random_predictions(benchmark, DEFAULT, 1), DEFAULT)
    figures, counts = ["value", "low", "high"], ["n", "n_pairs", "n_points", "n_images"]
    assert list(scores.columns) == ["scope", "subset", "metric", "alpha", *figures, *counts]
    assert scores.scope.unique()[:3].tolist() == ["all", "category:cat", "category:dog"]
    assert scores.alpha[:4].tolist() == list(DEFAULT.alphas)
    assert scores[["low", "high"]].isna().all(axis=None)
    assert not scores.duplicated(["scope", "subset", "metric", "alpha"]).any()


def test_azimuth_differences_wrap_around() -> None:
    def difference(a: float, b: float) -> int:
        benchmark = random_benchmark(0, n=2, n_pairs=1)
        azimuth: Any = benchmark.instances.azimuth
        azimuth[:] = a, b
        pairs = Pairs(np.array([0], np.int32), np.array([1], np.int32), np.array(["cat"]))
        return int(azimuth_difference(benchmark, pairs)[0])

    assert [difference(0, step * 45) for step in range(8)] == [0, 1, 2, 3, 4, 3, 2, 1]
    assert difference(350, 10) == 0
    assert difference(np.nan, 0) == -1


def test_an_empty_split() -> None:
    benchmark = random_benchmark(0)
    none = benchmark.split("test").take(np.zeros(0, int))
    predictions = Predictions.of(queries(benchmark, none, DEFAULT), np.zeros((0, 2)))
    scores = score(benchmark, none, predictions, DEFAULT)
    assert scores.scope.unique().tolist() == ["all"]
    assert (scores.n == 0).all()
    assert scores.value.isna().all()

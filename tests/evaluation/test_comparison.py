"""Comparisons of runs: paired, symmetric, against a slow count, and refused where runs are not alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_tiny_benchmark
from scipy.stats import binomtest

import geobench
from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.bootstrap import MINIMUM_DIFFERENT, Bootstrap
from geobench.evaluation.comparison import Comparison, compare_runs
from geobench.evaluation.predictions import answers
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.runs import Run
from geobench.evaluation.scores import correct_keypoints

SETTINGS = Bootstrap(resamples=500)
METHODS = ("random", "box-position", "same-position", "oracle")
DEFAULT = find_protocol("default")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("small")
    return make_tiny_benchmark(folder / "raw", n=40)


@pytest.fixture(scope="module")
def runs(small: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [geobench.predict(method, small, runs=folder) for method in METHODS]


@pytest.fixture(scope="module")
def two(runs: list[Run], small: Benchmark) -> Comparison:
    return compare_runs(runs[:2], small, SETTINGS)


def marks_of(run: Run, benchmark: Benchmark) -> np.ndarray:
    pairs, predictions, _ = asked_and_answered(run, benchmark)
    asked = queries(benchmark, pairs, DEFAULT)
    return correct_keypoints(benchmark, DEFAULT, asked, answers(predictions, asked, benchmark, pairs))


def test_figures_are_those_of_the_scores(two: Comparison, small: Benchmark) -> None:
    keys = ["scope", "subset", "metric", "alpha"]
    for run, column in zip(two.runs, ("value_first", "value_second"), strict=True):
        scores = geobench.score(run, benchmark=small)
        both = two.table.merge(scores, on=keys, suffixes=("", "_scores"))
        assert len(both) == len(scores) == len(two.table)
        np.testing.assert_allclose(both[column], both.value, atol=1e-8)
        for name in ("n_pairs", "n_points", "n_images"):
            assert (both[name] == both[f"{name}_scores"]).all()


def test_mcnemar_counts_the_disagreements(two: Comparison, small: Benchmark) -> None:
    first, second = (marks_of(run, small) for run in two.runs)
    rows = two.table.query("scope == 'all' and subset == 'all' and metric == 'per_point'")
    for column, row in enumerate(rows.itertuples()):
        b, c = (first & ~second)[:, column].sum(), (second & ~first)[:, column].sum()
        assert (row.only_first, row.only_second) == (b, c)
        assert row.p_mcnemar == pytest.approx(binomtest(int(b), int(b + c), 0.5).pvalue if b + c else 1.0)
    parts = (
        two.table[two.table.scope.str.startswith("category:")].groupby(["subset", "metric", "alpha"]).only_first.sum()
    )
    whole = two.table[two.table.scope == "all"].set_index(["subset", "metric", "alpha"]).only_first
    assert (parts.sort_index() == whole.sort_index()).all()


def test_the_difference_is_drawn_pairwise(two: Comparison, small: Benchmark) -> None:
    """Per point, all keypoints: the percentile interval of a plain loop over draws of images."""
    made = compare_runs(two.runs, small, Bootstrap("percentile", 0.95, 2000, 1)).table
    row = made.query("scope == 'all' and subset == 'all' and metric == 'per_point' and alpha == 0.15").iloc[0]
    pairs = small.split("test")
    asked = queries(small, pairs, DEFAULT)
    difference = np.subtract(*(marks_of(run, small)[:, -1].astype(float) for run in two.runs))
    image = pairs.target[asked.pair]
    rng, draws = np.random.default_rng(99), []
    sums = {i: (difference[image == i].sum(), (image == i).sum()) for i in np.unique(image)}
    for _ in range(2000):
        part, whole = np.sum([sums[i] for i in rng.choice(list(sums), len(sums))], axis=0)
        draws.append(part / whole)
    assert (row.low, row.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.004)
    assert row.detectable == pytest.approx(2.8016 * np.std(draws), rel=0.1)


def test_turned_round_it_says_the_opposite(two: Comparison, small: Benchmark) -> None:
    turned = compare_runs(two.runs[::-1], small, SETTINGS).table
    table = two.table
    np.testing.assert_allclose(turned.difference, -table.difference, atol=1e-12)
    np.testing.assert_allclose(turned.low, -table.high, atol=1e-9)
    np.testing.assert_allclose(turned.p, table.p, rtol=1e-6)
    assert (turned.only_first == table.only_second).all()


def test_few_images_that_differ_are_not_tested(two: Comparison) -> None:
    table = two.table
    few = table.n_different < MINIMUM_DIFFERENT
    assert few.any()
    assert (~few).any()
    assert table.loc[few, ["low", "high", "p", "p_holm", "detectable"]].isna().all(axis=None)
    assert table.loc[~few, ["p", "detectable"]].notna().all(axis=None)
    assert (table.n_different <= table.n_images).all()


def test_categories_are_corrected_together(two: Comparison) -> None:
    for _, rows in two.table.groupby(["subset", "metric", "alpha"]):
        for family in ("category:", "azimuth:", "all"):
            tested = rows[rows.scope.str.startswith(family) & rows.p.notna()]
            if len(tested):
                assert tested.p_holm.min() == pytest.approx(min(1, tested.p.min() * len(tested)))
                assert (tested.p_holm >= tested.p - 1e-15).all()


def test_a_run_beside_a_copy_of_itself(runs: list[Run], small: Benchmark, tmp_path: Path) -> None:
    copy = geobench.predict("box-position", small, runs=tmp_path)
    table = compare_runs([runs[1], copy], small, SETTINGS).table
    assert (table.difference.dropna() == 0).all()
    assert (table[["only_first", "only_second", "n_different"]] == 0).all(axis=None)
    assert (table.p_mcnemar == 1).all()
    assert table.p.isna().all()


def test_several_runs_share_their_draws(runs: list[Run], small: Benchmark, two: Comparison) -> None:
    """Of several runs the first two compare as they do alone, but for the correction."""
    several = compare_runs(runs, small, SETTINGS)
    assert len(several.table) == 6 * len(two.table[two.table.scope == "all"])
    ours = several.table[(several.table["first"] == 0) & (several.table["second"] == 1)].reset_index(drop=True)
    alone = two.table[two.table.scope == "all"].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours.drop(columns="p_holm"), alone.drop(columns="p_holm"))


def test_same_settings_same_table(two: Comparison, small: Benchmark) -> None:
    pd.testing.assert_frame_equal(compare_runs(two.runs, small, SETTINGS).table, two.table, check_exact=True)


def test_too_few_resamples_for_so_many_differences(runs: list[Run], small: Benchmark) -> None:
    with pytest.raises(UsageError, match=r"can find none of 6 differences .* --resamples 240"):
        compare_runs(runs, small, Bootstrap(resamples=150))


def test_one_run_or_one_twice_is_refused(runs: list[Run], small: Benchmark) -> None:
    with pytest.raises(UsageError, match="needs two runs or more"):
        compare_runs(runs[:1], small)
    with pytest.raises(UsageError, match="named twice"):
        compare_runs([runs[0], runs[1], runs[0]], small)


def test_runs_that_are_not_alike_are_refused(runs: list[Run], small: Benchmark, tmp_path: Path) -> None:
    other_protocol = geobench.predict("same-position", small, runs=tmp_path, protocol="dift")
    limited = geobench.predict("same-position", small, runs=tmp_path, limit=20)
    elsewhere = geobench.predict("same-position", make_tiny_benchmark(tmp_path / "raw", n=8, seed=1), runs=tmp_path)
    for run, reason in (
        (other_protocol, r"protocols differ \(default and dift\)"),
        (limited, r"numbers of pairs differ \(\d+ and 20\)"),
        (elsewhere, r"benchmarks differ \(tiny \w{12} and tiny \w{12}\)"),
    ):
        with pytest.raises(InputError, match=reason):
            compare_runs([runs[0], run], small)


def test_an_unfinished_or_failed_run_is_refused(runs: list[Run], small: Benchmark) -> None:
    failed = replace(runs[1], record=runs[1].record.model_copy(update={"status": "failed"}))
    with pytest.raises(InputError, match="failed on every pair"):
        compare_runs([runs[0], failed], small)
    missing = replace(runs[1], folder=runs[1].folder / "nowhere")
    with pytest.raises(InputError, match="unfinished"):
        compare_runs([runs[0], missing], small)

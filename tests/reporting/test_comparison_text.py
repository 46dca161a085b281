"""What a comparison says, and that it says no more than the numbers do."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_tiny_benchmark

import geobench
from geobench.benchmark import Benchmark
from geobench.cli import run as command_line
from geobench.errors import UsageError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.comparison import Comparison, compare_runs
from geobench.evaluation.runs import Run
from geobench.reporting.comparison_table import comparison_text
from geobench.reporting.comparison_text import chosen_rows, group_letters, p_text, sentences

SETTINGS = Bootstrap(resamples=500)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return make_tiny_benchmark(tmp_path_factory.mktemp("small") / "raw", n=40)


@pytest.fixture(scope="module")
def runs(small: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [geobench.predict(method, small, runs=folder) for method in ("random", "same-position", "oracle")]


@pytest.fixture(scope="module")
def two(runs: list[Run], small: Benchmark) -> Comparison:
    return compare_runs(runs[:2], small, SETTINGS)


def with_row(comparison: Comparison, **values: float) -> Comparison:
    """Return a comparison in which the row of all keypoints, per image, at 0.1 is another."""
    table = comparison.table.copy()
    chosen = (table.subset == "all") & (table.metric == "per_image") & (table.alpha == 0.1) & (table.scope == "all")
    for name, value in values.items():
        table[name] = table[name].astype(float).where(~chosen, value)
    return replace(comparison, table=table)


FOUND = {
    "value_first": 0.5,
    "value_second": 0.4,
    "difference": 0.1,
    "low": 0.06,
    "high": 0.14,
    "p": 0.002,
    "p_holm": 0.002,
    "detectable": 0.05,
    "only_first": 200,
    "only_second": 90,
    "p_mcnemar": 0.0001,
    "n_different": 30,
}


def test_a_difference_that_is_found(two: Comparison) -> None:
    verdict, second, *_ = sentences(with_row(two, **FOUND), "all", "per_image", 0.1)
    first, other = two.names
    assert verdict.startswith(f"{first} is better than {other} by 10.0 points (95% interval 6.0 to 14.0; p = 0.002)")
    assert "50.0 against 40.0 (PCK@0.1 per image, all keypoints)" in verdict
    assert "agrees (p < 0.001; 200 keypoints" in second


def test_turned_round_the_better_one_is_still_named_first(two: Comparison) -> None:
    turned = {**FOUND, "difference": -0.1, "low": -0.14, "high": -0.06, "only_first": 90, "only_second": 200}
    verdict, second, *_ = sentences(with_row(two, **turned), "all", "per_image", 0.1)
    first, other = two.names
    assert verdict.startswith(f"{other} is better than {first} by 10.0 points (95% interval 6.0 to 14.0;")
    assert "agrees" in second


def test_a_difference_that_may_be_chance(two: Comparison) -> None:
    chance = {**FOUND, "difference": 0.01, "low": -0.02, "high": 0.04, "p": 0.5, "p_holm": 0.5, "detectable": 0.045}
    verdict, second, *_ = sentences(with_row(two, **chance), "all", "per_image", 0.1)
    assert "cannot be told apart" in verdict
    assert "95% interval -2.0 to 4.0; p = 0.500" in verdict
    assert "Differences below 4.5 points are likely to be missed" in verdict
    assert "better" not in verdict
    assert "finds a difference" in second


def test_too_few_images_and_nothing_different(two: Comparison) -> None:
    none = {**FOUND, "p": np.nan, "low": np.nan, "high": np.nan, "n_different": 4}
    verdict, *_ = sentences(with_row(two, **none), "all", "per_image", 0.1)
    assert "It cannot be said which" in verdict
    assert "differ in 4 target images, and a test needs 15" in verdict
    alike = sentences(with_row(two, **{**none, "only_first": 0, "only_second": 0}), "all", "per_image", 0.1)
    assert len(alike) == 1
    assert "have the same keypoints right" in alike[0]


def test_mcnemar_may_say_the_opposite(two: Comparison) -> None:
    _, second, *_ = sentences(with_row(two, **{**FOUND, "only_first": 90, "only_second": 200}), "all", "per_image", 0.1)
    assert "says the opposite" in second
    _, second, *_ = sentences(with_row(two, **{**FOUND, "p_mcnemar": 0.3}), "all", "per_image", 0.1)
    assert "finds none" in second


def test_categories_are_named(two: Comparison) -> None:
    table = two.table.copy()
    table.loc[table.scope == "category:cat", ["p_holm", "difference"]] = 0.01, 0.2
    table.loc[table.scope == "category:dog", ["p_holm", "difference"]] = 0.4, 0.1
    said = sentences(replace(two, table=table), "all", "per_image", 0.1)[-1]
    assert f"better by category: {two.names[0]} in 1 (cat); 1 of 2 cannot be told apart" in said


def test_several_runs_are_grouped(runs: list[Run], small: Benchmark) -> None:
    made = compare_runs(runs, small, SETTINGS)
    rows = chosen_rows(made, "all", "per_image", 0.1)
    order, letters = group_letters(made, rows)
    assert made.names[order[0]] == "Oracle"
    assert letters[0] == "a"
    assert "a" not in letters[1] + letters[2]
    assert "Oracle is better than every other" in sentences(made, "all", "per_image", 0.1)[0]
    text = comparison_text(made, "table")
    assert "methods that share a letter cannot be told apart" in text
    assert "Random point in the box - Oracle‡" in text
    assert text.endswith("\n‡ is given the answer: a bound\n")


def test_table_has_every_scope_and_csv_everything(two: Comparison) -> None:
    text = comparison_text(two, "table", alpha=0.05, metric="per_point", subset="geometry_aware")
    assert text.startswith("tiny test: PCK@0.05 in percent, per point, protocol default, geometry-aware")
    for name in ("all", "cat", "dog", "azimuth 0"):
        assert f"\n{name} " in text
    frame = pd.read_csv(io.StringIO(comparison_text(two, "csv")))
    assert len(frame) == len(two.table)
    assert set(frame["first"]) == {two.names[0]}
    assert r"\toprule" in comparison_text(two, "latex")
    assert comparison_text(two, "markdown").count("\n- ") == 3
    with pytest.raises(UsageError, match=r"--alpha 0.07 is none of protocol default, which has 0\.01"):
        comparison_text(two, "table", alpha=0.07)


def test_p_is_never_printed_as_zero() -> None:
    assert [p_text(p) for p in (0.0002, 0.001, 0.04999, 1.0, np.nan)] == ["< 0.001", "0.001", "0.050", "1.000", "-"]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = geobench.load_benchmark(make_tiny_benchmark(tmp_path / "raw", n=40).save(tmp_path / "tiny"))
    folders = [geobench.predict(m, saved, runs=tmp_path / "runs").folder for m in ("random", "same-position")]
    few = ["--resamples", "400"]
    assert command_line(["compare", *map(str, folders), *few]) == 0
    out = capsys.readouterr().out
    assert "McNemar's test" in out
    assert "400 resamples, seed 0), paired" in out
    assert command_line(["compare", str(tmp_path / "runs"), *few, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("first,second,scope")
    assert command_line(["compare", str(folders[0]), *few]) == 2
    assert "needs two runs" in capsys.readouterr().err
    geobench.predict("same-position", saved, runs=tmp_path / "other", protocol="dift")
    assert command_line(["compare", str(folders[0]), str(tmp_path / "other"), *few]) == 1
    assert "protocols differ (default and dift)" in capsys.readouterr().err
    assert command_line(["score", str(folders[0]), *few, "--interval", "percentile"]) == 0
    assert "95% confidence interval (percentile bootstrap of the target images, 400" in capsys.readouterr().out
    both = ["--drawn", "both-images"]
    assert command_line(["score", str(folders[0]), *few, *both]) == 0
    assert "BCa bootstrap of the target and source images, 400" in capsys.readouterr().out
    assert command_line(["compare", *map(str, folders), *few, *both]) == 0
    assert "bootstrap of the target and source images, 400 resamples, seed 0), paired" in capsys.readouterr().out
    assert command_line(["score", str(folders[0]), "--interval", "none"]) == 0
    assert "confidence" not in capsys.readouterr().out
    assert command_line(["leaderboard", str(tmp_path / "runs"), "--intervals"]) == 1
    assert "not scored yet" in capsys.readouterr().err


def test_from_python(runs: list[Run], small: Benchmark, two: Comparison) -> None:
    table = geobench.compare([runs[0], runs[1].folder], benchmark=small, alpha=0.05, bootstrap=SETTINGS)
    assert set(table["first"]) == {two.names[0]}
    assert set(table["second"]) == {two.names[1]}
    pd.testing.assert_frame_equal(table.drop(columns=["first", "second"]), two.table.drop(columns=["first", "second"]))
    of_all, of_aware = table.attrs["sentences"]
    assert of_all == " ".join(sentences(two, "all", "per_image", 0.05))
    assert "geometry-aware" in of_aware
    assert table.attrs["intervals"]["resamples"] == 500
    with pytest.raises(UsageError, match=r"--alpha 0.3 is none of protocol default"):
        geobench.compare(runs[:2], benchmark=small, alpha=0.3, bootstrap=SETTINGS)


def test_csv_says_how_its_intervals_were_made(two: Comparison) -> None:
    table = pd.read_csv(io.StringIO(comparison_text(two, "csv")))
    assert table.intervals.str.contains("BCa bootstrap of the target images, 500 resamples, seed 0").all()

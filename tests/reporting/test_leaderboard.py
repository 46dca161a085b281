from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import make_tiny_benchmark

import geobench
from geobench.benchmark import Benchmark
from geobench.cli import run as run_verb
from geobench.errors import InputError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.scoring import score_run
from geobench.reporting.leaderboard import Column, Leaderboard, leaderboard_table
from geobench.reporting.published_rows import with_published
from geobench.reporting.tables import is_best, render

COLUMNS = [Column("ap10k", "test/intra-species", "standard"), Column("ap10k", "test/intra-species", "geometry-aware")]


def board(**changes: object) -> Leaderboard:
    values = np.array([[50.04, 40.0], [49.96, np.nan], [100.0, 100.0]])
    made = Leaderboard(["A & B", "C_d", "Oracle‡"], COLUMNS, values, np.array([True, True, False]), "PCK", "per_image")
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def runs(tiny: Benchmark, tmp_path: Path) -> list[geobench.Run]:
    made = [geobench.predict(m, tiny, runs=tmp_path / "runs") for m in ("random", "box-position", "oracle")]
    for run in made:
        geobench.score(run)
    return made


def test_best_first_and_bounds_last(runs: list[geobench.Run]) -> None:
    made = leaderboard_table(runs)
    assert made.methods[-1] == "Oracle‡"
    assert made.values[0, 0] >= made.values[1, 0]
    assert made.competes.tolist() == [True, True, False]
    assert any("is given the answer" in note for note in made.notes)
    assert made.frame.loc["Oracle‡"].eq(100).all()


def test_python_interface_gives_the_frame(runs: list[geobench.Run]) -> None:
    pd.testing.assert_frame_equal(geobench.leaderboard(runs), leaderboard_table(runs).frame)


def test_values_are_those_of_the_scores(runs: list[geobench.Run]) -> None:
    made = leaderboard_table(runs, alpha=0.05, metric="per_point")
    scores = runs[0].scores()
    chosen = scores.query("scope == 'all' and subset == 'all' and metric == 'per_point' and alpha == 0.05")
    assert made.frame.loc[runs[0].record.method.title].iloc[0] == pytest.approx(100 * chosen.value.iloc[0])


def test_limited_runs_are_kept_out(runs: list[geobench.Run], tiny: Benchmark, tmp_path: Path) -> None:
    limited = geobench.predict("same-position", tiny, runs=tmp_path / "runs", limit=3)
    geobench.score(limited)
    made = leaderboard_table([*runs, limited])
    assert limited.record.method.title not in made.methods
    assert any("limited to a part of the split: same-position" in note for note in made.notes)
    with pytest.raises(InputError, match="no run to show"):
        leaderboard_table([limited])


def test_other_fingerprint_is_refused_and_named(runs: list[geobench.Run], tiny: Benchmark, tmp_path: Path) -> None:
    other = replace(tiny, recipe={"seed": 5}).save(tmp_path / "other")
    run = geobench.predict("same-position", geobench.load_benchmark(other), runs=tmp_path / "runs")
    geobench.score(run)
    with pytest.raises(InputError, match=r"same-position on tiny/test .* different benchmarks"):
        leaderboard_table([*runs, run])


def test_other_protocol_is_refused_and_named(runs: list[geobench.Run], tiny: Benchmark, tmp_path: Path) -> None:
    run = geobench.predict("same-position", tiny, runs=tmp_path / "runs", protocol="dift")
    geobench.score(run)
    with pytest.raises(InputError, match=r"different protocols \(dift and default\)"):
        leaderboard_table([*runs, run])


def test_unknown_alpha_lists_the_known_ones(runs: list[geobench.Run]) -> None:
    with pytest.raises(InputError, match=r"no per_image score at alpha 0\.07; scored at 0\.01"):
        leaderboard_table(runs, alpha=0.07)


def test_newer_run_of_the_same_method_wins(runs: list[geobench.Run], tiny: Benchmark, tmp_path: Path) -> None:
    again = geobench.predict("random", tiny, runs=tmp_path / "runs", seed=1)
    geobench.score(again)
    later = replace(again, record=again.record.model_copy(update={"started_at": "2999-01-01T00:00:00+00:00"}))
    made = leaderboard_table([*runs, later])
    assert len(made.methods) == 3
    assert any("a newer run exists" in note and runs[0].record.id in note for note in made.notes)


def test_best_is_judged_as_printed_among_competitors_only() -> None:
    # 50.04 and 49.96 both print as 50.0; the oracle does not compete.
    assert is_best(board()).tolist() == [[True, True], [True, False], [False, False]]


def test_markdown_latex_csv_table() -> None:
    markdown, latex, csv, text = (render(board(), style) for style in ("markdown", "latex", "csv", "table"))
    assert "**50.0**" in markdown
    assert "| C_d" in markdown
    assert r"A \& B & \textbf{50.0} & \textbf{40.0} \\" in latex
    assert r"C\_d & \textbf{50.0} & -- \\" in latex
    assert r"Oracle$^\ddagger$ & 100.0 & 100.0 \\" in latex
    assert r"\multicolumn{2}{c}{ap10k intra-species}" in latex
    frame = pd.read_csv(io.StringIO(csv))
    assert len(frame) == 5
    assert frame.value[0] == pytest.approx(50.04)
    assert "* 50.0" in text
    assert text.count("\n") > 6


def test_markdown_escapes_bars() -> None:
    assert r"a\|b" in render(board(methods=["a|b", "c", "d"]), "markdown")


def test_published_rows_stand_beside_and_never_compete() -> None:
    made = with_published(board(), alpha=0.10, metric="per_image")
    row = made.methods.index("GeoAware¶ (printed)")
    assert made.values[row, 0] == pytest.approx(87.5)
    assert not made.competes[row]
    assert not is_best(made)[row].any()
    assert any("not measured here" in note for note in made.notes)


def test_geometry_aware_figures_printed_per_point_stay_out_of_a_per_image_table() -> None:
    made = with_published(board(), alpha=0.10, metric="per_image")
    assert np.isnan(made.values[made.methods.index("GeoAware¶ (printed)"), 1])
    per_point = with_published(board(metric="per_point"), alpha=0.10, metric="per_point")
    assert per_point.values[per_point.methods.index("GeoAware¶ (printed)"), 1] == pytest.approx(82.8)


def test_published_alone() -> None:
    made = with_published(None, alpha=0.10, metric="per_image")
    assert "DINOv2+NN (printed)" in made.methods
    assert len(set(made.methods)) == len(made.methods)
    render(made, "latex")


def test_published_for_another_benchmark_says_there_is_none() -> None:
    made = with_published(
        board(columns=[Column("x", "test", "standard"), COLUMNS[1]._replace(benchmark="x")]),
        alpha=0.1,
        metric="per_image",
    )
    assert made.methods == board().methods
    assert "no printed figure" in made.notes[-1]


def with_ends() -> Leaderboard:
    values = board().values
    return board(ends=np.stack([values - 1, values + 2]) + np.array([0, 0, np.nan])[:, None])


def test_intervals_stand_behind_figures() -> None:
    markdown, latex, csv, text = (render(with_ends(), style) for style in ("markdown", "latex", "csv", "table"))
    assert "**50.0** [49.0, 52.0]" in markdown
    assert r"\textbf{50.0} {\scriptsize [49.0, 52.0]}" in latex
    assert "* 50.0 [49.0, 52.0]" in text
    assert "100.0 [" not in text
    frame = pd.read_csv(io.StringIO(csv))
    assert (frame.low[0], frame.high[0]) == pytest.approx((49.04, 52.04))
    assert frame[frame.method == "Oracle‡"].low.isna().all()
    assert "low" not in render(board(), "csv")


def test_printed_figures_have_no_interval() -> None:
    made = with_published(with_ends(), alpha=0.10, metric="per_image")
    assert made.ends is not None
    assert made.ends.shape == (2, *made.values.shape)
    assert "87.5 [" not in render(made, "markdown")


def test_intervals_are_those_of_the_scores_and_of_one_kind(tmp_path: Path) -> None:
    benchmark = make_tiny_benchmark(tmp_path / "raw", n=40)
    runs = [geobench.predict(m, benchmark, runs=tmp_path / "runs") for m in ("same-position", "box-position")]
    settings = Bootstrap(resamples=200)
    scores = [score_run(run, benchmark, bootstrap=settings) for run in runs]
    made = leaderboard_table(runs, intervals=True)
    assert made.ends is not None
    row = scores[0].query("scope == 'all' and subset == 'all' and metric == 'per_image' and alpha == 0.1").iloc[0]
    place = made.methods.index(runs[0].record.method.title)
    assert made.ends[:, place, 0] == pytest.approx([100 * row.low, 100 * row.high])
    assert any("200 resamples, seed 0" in note for note in made.notes)
    assert leaderboard_table(runs).ends is None
    score_run(runs[1], benchmark, bootstrap=replace(settings, seed=1))
    with pytest.raises(InputError, match="intervals of another kind than the others; run: geobench score"):
        leaderboard_table(runs, intervals=True)
    score_run(runs[1], benchmark, bootstrap=None)
    with pytest.raises(InputError, match="scored without intervals; run: geobench score"):
        leaderboard_table(runs, intervals=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="low"), "column 'low' is missing"),
        (lambda table: table.assign(value="good"), "column 'value' holds no numbers"),
        (lambda table: table.assign(scope=1), "column 'scope' holds no texts"),
    ],
    ids=["absent", "words", "numbers"],
)
def test_scores_edited_by_hand_are_refused(runs: list[geobench.Run], change: Any, message: str) -> None:
    path = runs[0].folder / "scores.parquet"
    change(pd.read_parquet(path)).to_parquet(path)
    with pytest.raises(InputError, match=rf"scores\.parquet: {message}; run: geobench score .*{runs[0].folder.name}$"):
        leaderboard_table(runs)


def test_a_protocol_edited_by_hand_is_refused_wherever_the_run_is_read(
    runs: list[geobench.Run], capsys: pytest.CaptureFixture[str]
) -> None:
    path = runs[0].folder / "run.json"
    path.write_text(path.read_text().replace('"comparison": "<="', '"comparison": "<"'))
    for verb in (["leaderboard"], ["table", "3", "--benchmark", "tiny"], ["errors"], ["compare"], ["score"]):
        assert run_verb([*verb, str(runs[0].folder)]) == 1
        assert "run.json: protocol_fingerprint: is not that of the protocol" in capsys.readouterr().err


def test_a_wrong_answer_is_named_with_its_file(runs: list[geobench.Run]) -> None:
    path = runs[0].folder / "predictions.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(InputError, match=r"predictions\.parquet for tiny, split test: pair 0 .* has no prediction"):
        geobench.score(runs[0])


def test_scores_under_another_protocol_say_that_they_are_not_kept(
    runs: list[geobench.Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb(["score", str(runs[0].folder), "--protocol", "dift"]) == 0
    assert "; counted here under dift, which is not stored" in capsys.readouterr().out
    assert run_verb(["score", str(runs[0].folder), "--protocol", "default"]) == 0
    assert "not stored" not in capsys.readouterr().out


def test_a_folder_of_runs_does_not_hide_the_embedded_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Benchmark
) -> None:
    monkeypatch.chdir(tmp_path)
    rendered: list[str] = []  # in place of the two minutes that rendering takes
    monkeypatch.setattr("geobench.api.embedded_benchmark", lambda name: rendered.append(name) or tiny)
    (tmp_path / "quadrupeds" / "test").mkdir(parents=True)
    geobench.load_benchmark("quadrupeds")
    assert rendered == ["quadrupeds"]
    (tmp_path / "quadrupeds" / "test").rmdir()
    (tmp_path / "quadrupeds").rmdir()
    tiny.save(tmp_path / "quadrupeds")
    found = geobench.load_benchmark("quadrupeds").folder
    assert found is not None
    assert found.resolve() == (tmp_path / "quadrupeds").resolve()
    assert len(rendered) == 1

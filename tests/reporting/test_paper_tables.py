"""The paper's tables: every printed cell in its place, dashes with commands, measured figures, ranks, LaTeX."""

from __future__ import annotations

import csv
import io
import json
import shlex
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from conftest import make_tiny_benchmark
from hypothesis import given
from hypothesis import strategies as st
from latex import check_latex, compiles

import geobench
from geobench.catalog import find_recipe_path, recipe_path
from geobench.cli import cli, run
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.runs import find_runs
from geobench.evaluation.scoring import score_run
from geobench.methods.family import find_family
from geobench.methods.loader import load_method
from geobench.reporting.ablation_table import ablation_tables
from geobench.reporting.paper_layout import PaperColumn, PaperRow, PaperTable
from geobench.reporting.paper_tables import paper_tables
from geobench.reporting.paper_text import render_paper
from geobench.reporting.published import load_published
from geobench.storage import load_benchmark_folder

PRINTED_CELLS = {"2": 269, "3": 138, "4": 57, "5": 48, "pose": 12}


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    assert run(["table", *arguments, "--format", "csv"]) == 0, capsys.readouterr().err
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("number", PRINTED_CELLS)
def test_every_printed_cell_is_laid_out_and_none_is_ranked(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = [row for row in rows_of(capsys, number, "--published") if row["kind"] == "printed"]
    assert len(printed) == PRINTED_CELLS[number]
    assert {row["rank"] for row in printed} == {""}
    table = load_published()
    name = "pose awareness" if number == "pose" else f"Table {number}"
    expected = table[table.source.str.contains(name, regex=False)].value
    assert sorted(float(row["value"]) for row in printed) == pytest.approx(sorted(expected))


@pytest.mark.parametrize("number", PRINTED_CELLS)
def test_a_dash_has_a_command_that_the_command_line_takes(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    dashes = [row for row in rows_of(capsys, number) if row["kind"] == "measured"]
    assert all(row["value"] == "" for row in dashes)
    commands = {row["command"] for row in dashes} - {""}
    assert commands
    for line in commands:
        program, verb, *arguments = shlex.split(line)
        assert program == "geobench"
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None
        command.make_context(verb, list(arguments))
        if verb == "eval":
            assert find_recipe_path(arguments[1]) is not None


def test_a_method_trained_on_one_benchmark_is_asked_for_by_the_recipe_of_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = rows_of(capsys, "3")
    commands = {row["benchmark"]: row["command"] for row in rows if row["method"] == "GeoAware"}
    assert "--method geoaware " in commands["spair71k"]
    assert "--method geoaware-ap10k-pretraining " in commands["ap10k"]
    assert commands["pf-pascal"] == ""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real runs on noise: a benchmark that calls itself SPair-71k, and a method that calls itself DIFT."""
    root = tmp_path_factory.mktemp("tables")
    made = replace(make_tiny_benchmark(root / "raw", n=16), name="spair71k")
    benchmark = load_benchmark_folder(made.save(root / "spair"))
    for method in (titled(root, "DIFT"), "same-position", "oracle"):
        geobench.score(geobench.predict(load_method(method), benchmark, runs=root / "runs"))
    return root / "runs"


@pytest.mark.parametrize("number", ["2", "3", "4"])
def test_measured_figures_are_those_of_the_scores(number: str, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = next(one for one in find_runs([runs]) if one.record.method.title == "DIFT")
    scores = made.scores()
    rows = [row for row in rows_of(capsys, number, str(runs)) if row["method"] == "DIFT" and row["value"]]
    assert rows
    for row in rows:
        at = (scores.scope == row["scope"]) & (scores.subset == row["subset"]) & (scores.metric == row["metric"])
        (value,) = scores[at & np.isclose(scores.alpha, float(row["alpha"]))].value
        assert float(row["value"]) == pytest.approx(100 * value, abs=1e-4)


def test_a_difference_is_measured_minus_printed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "3", str(runs), "--published")

    def values(name: str) -> dict[tuple[str, ...], float]:
        cells = [row for row in rows if row["method"] == name and row["value"]]
        return {(row["benchmark"], row["split"], row["alpha"]): float(row["value"]) for row in cells}

    measured, printed = values("DIFT"), values("DIFT (printed)")
    difference = values("DIFT (measured - printed)")
    assert set(difference) == set(measured)
    for key, value in difference.items():
        assert value == pytest.approx(measured[key] - printed[key], abs=1e-3)
    order = [r["method"] for r in rows if r["method"].startswith("DIFT")]
    assert list(dict.fromkeys(order)) == ["DIFT", "DIFT (printed)", "DIFT (measured - printed)"]


def test_a_difference_says_what_else_it_holds(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "(measured - printed) also holds what the ways of counting differ in"
    for asked, there in (([str(runs), "--published"], True), ([str(runs)], False), (["--published"], False)):
        assert run(["table", "3", *asked]) == 0
        assert (note in capsys.readouterr().out) is there


def test_marks_are_of_the_figures_shown_and_no_printed_row_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "3", "--benchmark", "ap10k", "--published")
    names = {row["method"] for row in rows if row["kind"] == "printed"}
    assert {"DHF (printed)", "SD+DINO (S) (printed)", "GeoAware¶ (printed)"} < names  # the first two: unstated there
    assert run(["table", "3", "--benchmark", "ap10k", "--published"]) == 0
    text = capsys.readouterr().out
    assert "(printed) not stated for ap10k: what DHF, SD+DINO (S) learned from" in text
    assert "SCorrSAN" not in text  # printed for other benchmarks only
    assert run(["table", "2", "--metric", "per-image", "--published"]) == 0
    text = capsys.readouterr().out
    assert "SCOT (printed)" in text
    assert "DINOv2+NN (printed)" not in text  # Table 2 prints it per point


def test_a_dash_that_no_recipe_fills_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    dashes = [row for row in rows_of(capsys, "3") if row["kind"] == "measured" and not row["command"]]
    assert run(["table", "3"]) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no recipe here makes")]
    titles = {"ap10k": "AP-10K", "pf-pascal": "PF-Pascal", "spair71k": "SPair-71k"}
    named = {(row["method"], titles[row["benchmark"]]) for row in dashes}
    parts = [part.split(" on ") for part in note.removeprefix("no recipe here makes ").split("; ")]
    assert {(method, name) for method, names in parts for name in names.split(", ")} == named
    assert named


def test_a_measured_row_of_the_ablation_keeps_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = replace(make_tiny_benchmark(tmp_path / "raw"), name="spair71k")
    benchmark = load_benchmark_folder(made.save(tmp_path / "spair"))
    method = load_method(titled(tmp_path, find_family("table-5").rows[0].title, 'trained_on = ["spair71k:train"]'))
    geobench.score(geobench.predict(method, benchmark, runs=tmp_path / "runs"))
    rows = rows_of(capsys, "5", str(tmp_path / "runs"), "--published")
    names = list(dict.fromkeys(row["method"] for row in rows))
    assert names[:3] == ["Baseline¶", "Baseline¶ (printed)", "Baseline (measured - printed)"]
    assert "+ Dense Training Objective" in names  # not measured: nothing is known of it
    assert {row["rank"] for row in rows if row["kind"] != "measured"} == {""}


def test_no_printed_row_is_promised_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw").save(tmp_path / "tiny"))
    geobench.score(geobench.predict("random", benchmark, runs=tmp_path / "runs"))
    assert run(["table", "3", str(tmp_path / "runs"), "--benchmark", "tiny", "--published"]) == 0
    text = capsys.readouterr().out
    assert "no printed figure exists for these columns" in text
    assert "copied from the paper" not in text


def titled(folder: Path, title: str, *more: str) -> str:
    """Return the path of the recipe `random` under another title, with more top-level lines."""
    text = recipe_path("random").read_text(encoding="utf-8")
    old = next(line for line in text.splitlines() if line.startswith("title"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.toml"
    path.write_text(text.replace(old, "\n".join([f'title = "{title}"', *more])), encoding="utf-8")
    return str(path)


def test_the_ablation_takes_its_own_rows_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw").save(tmp_path / "tiny"))
    first = find_family("table-5").rows[0].title
    for method in (titled(tmp_path, first), "same-position"):
        geobench.score(geobench.predict(load_method(method), benchmark, runs=tmp_path / "runs"))
    rows = rows_of(capsys, "5", str(tmp_path / "runs"), "--benchmark", "tiny")
    measured = {row["method"] for row in rows if row["value"]}
    assert measured == {"Baseline"}
    assert len({row["method"] for row in rows}) == 8
    assert {row["command"] for row in rows if not row["value"]} == {
        "geobench ablation --recipe RECIPE --benchmark tiny --family table-5 --split test"
    }


def test_a_threshold_without_scores_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw").save(tmp_path / "tiny"))
    (tmp_path / "mine.toml").write_text('name = "mine"\ntitle = "Mine"\nsource = "none"\nalphas = [0.37]\n')
    protocol = find_protocol(tmp_path / "mine.toml")
    geobench.score(geobench.predict("random", benchmark, runs=tmp_path / "runs", protocol=protocol))
    assert run(["table", "3", str(tmp_path / "runs"), "--benchmark", "tiny"]) == 1
    assert "no per_image score at alpha 0.01; scored at 0.37" in capsys.readouterr().err


def test_what_pose_wrote_is_laid_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_tiny_benchmark(tmp_path / "raw", n=16)
    azimuth = np.repeat([180.0, 2, 91, 269, 181, 357, 88, 272], 2).astype(np.float32)
    folder = replace(made, instances=replace(made.instances, azimuth=azimuth)).save(tmp_path / "tiny")
    where = str(tmp_path / "pose.json")
    asked = ["--method", "dense-sift", "--benchmark", str(folder), "--sets", "1", "--resolution", "8"]
    assert run(["pose", *asked, "--out", where]) == 0
    capsys.readouterr()
    rows = rows_of(capsys, "pose", where, "--published")
    columns = json.loads(Path(where).read_text())["runs"][0]["columns"]
    found = {row["scope"]: float(row["value"]) for row in rows if row["method"] == "Dense SIFT"}
    assert found == pytest.approx({name: 100 * cell["accuracy"] for name, cell in columns.items()}, abs=1e-3)
    given = {row["scope"]: row["low"] for row in rows_of(capsys, "pose", where, "--intervals") if row["low"]}
    ends = {name: cell["interval"] for name, cell in columns.items() if cell["interval"]}
    assert given == {name: f"{100 * low:.4f}" for name, (low, _) in ends.items()}
    assert given
    assert len([row for row in rows if row["kind"] == "printed"]) == 12
    changed = json.loads(Path(where).read_text())
    changed["runs"][0]["columns"]["L/R"]["interval"] = [0.1]
    (tmp_path / "edited.json").write_text(json.dumps(changed))
    assert run(["table", "pose", str(tmp_path / "edited.json")]) == 1
    assert "columns.L/R.interval: [0.1] is no lower and upper end; run pose again" in capsys.readouterr().err
    changed["runs"][0]["options"]["seed"] = 5
    other = tmp_path / "other.json"
    other.write_text(json.dumps(changed))
    assert run(["table", "pose", where, str(other)]) == 1
    assert "options: is not that of" in capsys.readouterr().err


def test_a_method_trained_on_the_benchmark_is_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw").save(tmp_path / "tiny"))
    for place, seen in enumerate(("tiny:train (0123456789ab)", "huge:train")):
        method = load_method(titled(tmp_path / str(place), f"Trained {place}", f'trained_on = ["{seen}"]'))
        geobench.score(geobench.predict(method, benchmark, runs=tmp_path / "runs"))
    where = str(tmp_path / "runs")
    names = {row["method"] for row in rows_of(capsys, "3", where, "--benchmark", "tiny")}
    assert names == {"Trained 0¶", "Trained 1"}
    assert run(["leaderboard", where]) == 0
    assert "Trained 0¶" in (text := capsys.readouterr().out)
    assert "¶ was trained on the training split" in text


def test_bounds_come_last_and_are_not_ranked(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(capsys, "3", str(runs))
    assert rows[-1]["setting"] == "check"
    assert {row["rank"] for row in rows if row["method"].startswith("Oracle")} == {""}
    assert {row["rank"] for row in rows if row["method"] == "DIFT" and row["value"]} == {"1"}


def test_the_leaderboard_shows_the_difference_below(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leaderboard", str(runs), "--published"]) == 0
    text = capsys.readouterr().out
    lines = [line.split("  ")[0] for line in text.splitlines()]
    place = lines.index("DIFT")
    assert lines[place : place + 3] == ["DIFT", "DIFT (printed)", "DIFT (measured - printed)"]
    (note,) = [line for line in text.splitlines() if line.startswith("(measured - printed)")]
    assert note.endswith("frame of the printed: unstated")  # that of DIFT's figures alone


@pytest.mark.parametrize("number", PRINTED_CELLS)
@pytest.mark.parametrize("published", [[], ["--published"]], ids=["measured", "published"])
def test_latex_is_what_latex_takes(
    number: str, published: list[str], runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [] if number in ("5", "pose") else [str(runs)]
    assert run(["table", number, *given, *published, "--format", "latex"]) == 0
    text = capsys.readouterr().out
    check_latex(text)
    assert compiles(text, tmp_path) is not False


def column(head: str = "0.10") -> PaperColumn:
    return PaperColumn("x_y & z", head, "b", "test", "all", "all", "per_image", 0.1)


def table_of(values: np.ndarray, sections: list[str], kinds: list[str]) -> PaperTable:
    rows = [
        PaperRow(section, f"m{place} #1 50% {{a}}", kind, row)  # type: ignore[arg-type]
        for place, (section, kind, row) in enumerate(zip(sections, kinds, values, strict=True))
    ]
    return PaperTable("100% of a_b", [column(f"{place}") for place in range(values.shape[1])], rows, ["~ ^ \\ <"])


_FIGURE = st.one_of(st.just(float("nan")), st.floats(0, 100))


@given(st.data())
def test_ranks_are_of_measured_figures_as_printed(data: st.DataObject) -> None:
    n, width = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
    values = np.array(data.draw(st.lists(st.lists(_FIGURE, min_size=width, max_size=width), min_size=n, max_size=n)))
    sections = data.draw(st.lists(st.sampled_from(["unsupervised", "supervised"]), min_size=n, max_size=n))
    kinds = data.draw(st.lists(st.sampled_from(["measured", "printed", "bound"]), min_size=n, max_size=n))
    table = table_of(values, sections, kinds)
    ranks = table.ranks()
    for place in range(width):
        for supervised in (True, False):
            those = [r for r in range(n) if kinds[r] == "measured" and (sections[r] == "supervised") == supervised]
            shown = {r: f"{values[r, place]:.1f}" for r in those if not np.isnan(values[r, place])}
            best = sorted(set(shown.values()), key=float, reverse=True)
            for row in those:
                expected = best.index(shown[row]) + 1 if row in shown else 0
                assert ranks[row, place] == (expected if expected <= 2 else 0)
    assert not ranks[[kind != "measured" for kind in kinds]].any()
    check_latex(render_paper(table, "latex"))
    assert render_paper(table, "markdown").count("**") == 2 * int((ranks == 1).sum())


def test_styles_mark_best_and_second() -> None:
    table = table_of(np.array([[50.04], [49.96], [49.0], [99.0]]), ["supervised"] * 4, ["measured"] * 3 + ["printed"])
    assert table.ranks()[:, 0].tolist() == [1, 1, 2, 0]
    latex = render_paper(table, "latex")
    assert latex.count(r"\textbf{50.0}") == 2
    assert r"\underline{49.0}" in latex
    assert "99.0" in latex
    assert r"\{a\}" in latex
    assert "<u>49.0</u>" in render_paper(table, "markdown")
    assert "~49.0" in render_paper(table, "table")


def test_another_benchmark_is_named_and_its_splits_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw").save(tmp_path / "tiny"))
    made = geobench.predict("random", benchmark, runs=tmp_path / "runs")
    geobench.score(made)
    where = str(tmp_path / "runs")
    assert run(["table", "3", where]) == 2
    assert "--benchmark shows others: tiny" in capsys.readouterr().err
    assert run(["table", "3", where, "--benchmark", "small"]) == 2
    assert "no run is of benchmark 'small'" in capsys.readouterr().err
    rows = rows_of(capsys, "2", where, "--benchmark", "tiny")
    assert [row["scope"] for row in rows] == ["category:cat", "category:dog", "all"]
    assert len(paper_tables("4", [made], benchmarks=["tiny"])) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{}", "runs: is no list of answers"),
        ('{"runs": [{}]}', "runs.0.benchmark: is missing"),
        ('{"runs": 3}', "runs: is no list"),
        ("[", "not"),
    ],
    ids=["empty", "no benchmark", "no list", "no json"],
)
def test_a_file_that_pose_did_not_write_is_refused(
    tmp_path: Path, content: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pose.json").write_text(content)
    assert run(["table", "pose", str(tmp_path / "pose.json")]) == 1
    assert expected in capsys.readouterr().err


def test_methods_are_listed_with_licence_and_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "methods", "--format", "csv"]) == 0
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows["MARCO"]["licence"] == "Apache-2.0"
    assert rows["GeoAware"]["parameters"] == "5M"
    assert rows["DIFT"]["keypoints it learned from"] == "no keypoints"


def test_intervals_are_those_of_the_scores_in_every_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw", n=40).save(tmp_path / "tiny"))
    made = geobench.predict("random", benchmark, runs=tmp_path / "runs")
    scores = geobench.score(made)
    chosen = scores[(scores.scope == "all") & (scores.metric == "per_image")].set_index(["subset", "alpha"])
    asked = (str(tmp_path / "runs"), "--benchmark", "tiny")
    shown = 0
    for number in ("2", "3", "4"):
        for row in rows_of(capsys, number, *asked, "--metric", "per-image", "--intervals"):
            if row["scope"] == "all":
                ends = 100 * chosen.loc[(row["subset"], float(row["alpha"])), ["low", "high"]].to_numpy(float)
                texts = ["" if np.isnan(end) else f"{end:.4f}" for end in ends]
                assert [row["low"], row["high"]] == texts
                shown += texts[0] != ""
    assert shown > 4
    assert "low" not in rows_of(capsys, "3", *asked)[0]
    assert run(["table", "3", *asked, "--intervals"]) == 0
    low, high = (100 * chosen.loc[("all", 0.1), name] for name in ("low", "high"))
    text = capsys.readouterr().out
    assert f"[{low:.1f}, {high:.1f}]" in text
    assert "in brackets: 95% confidence interval" in text
    (board,) = ablation_tables([made], (0.05, 0.1), "per_image", intervals=True)
    assert board.ends is not None
    expected = 100 * chosen.loc[[(s, a) for s in ("all", "geometry_aware") for a in (0.05, 0.1)], ["low", "high"]]
    np.testing.assert_array_equal(board.ends[:, 0], expected.to_numpy().T)
    assert "in brackets" in board.notes[0]
    score_run(made, benchmark, bootstrap=None)
    assert run(["table", "3", *asked, "--intervals"]) == 1
    assert "scored without intervals; run: geobench score" in capsys.readouterr().err

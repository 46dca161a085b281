"""Tables of errors and of protocols: what they say, in every style, and what they refuse."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from geobench.benchmark import Benchmark
from geobench.cli import run as geobench
from geobench.errors import InputError, UsageError
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import find_protocol, protocol_names
from geobench.evaluation.runner import predict_jobs
from geobench.evaluation.runs import Run, find_runs
from geobench.evaluation.taxonomy import KINDS
from geobench.methods.loader import load_method
from geobench.reporting.errors_table import confusion_of_run, confusion_table, errors_of_runs, kinds_table
from geobench.reporting.errors_text import confusion_text, errors_text
from geobench.reporting.plain_table import PlainTable, render_plain, tex
from tests.conftest import make_tiny_benchmark


@pytest.fixture
def runs(tiny: Benchmark, tmp_path: Path) -> Path:
    """Runs of two methods on the tiny benchmark."""
    for name in ("oracle", "random"):
        predict_jobs([Job(load_method(name), tiny, "test", find_protocol("default"))], tmp_path / "runs")
    return tmp_path / "runs"


def found(runs: Path) -> list[Run]:
    return find_runs([runs])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_oracle_makes_no_error(runs: Path) -> None:
    errors = errors_of_runs(found(runs), by=["category", "keypoint"])
    oracle = errors[errors.method == "Oracle"]
    assert (oracle.correct == 1).all()
    assert (oracle.pck_dagger == 1).all()
    assert (oracle[list(KINDS[1:])] == 0).all(axis=None)
    assert set(errors.method) == {"Oracle", "Random point in the box"}
    assert oracle.scope.tolist()[:3] == ["all", "category:cat", "category:dog"]


def test_cells_of_a_row_add_to_one_hundred(runs: Path) -> None:
    table = kinds_table(errors_of_runs(found(runs), by=["keypoint"]), "Errors")
    assert table.header[:3] == ["method", "scope", "n"]
    for row in table.rows:
        assert sum(map(float, row[3:11])) == pytest.approx(100, abs=0.4)  # eight cells of one digit


def test_every_style(runs: Path) -> None:
    text = errors_text(found(runs), "table")
    assert "Errors on tiny test at alpha 0.1, percent of keypoints, protocol default (3abacf2ce346)" in text
    assert "mirror swap" in text
    assert "left/right confused" in text
    assert "gap" in text
    assert errors_text(found(runs), "markdown").count("|---") + errors_text(found(runs), "markdown").count("|:--") >= 3
    latex = errors_text(found(runs), "latex")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 3
    assert r"PCK$^\dagger$" in latex
    rows = rows_of(errors_text(found(runs), "csv", by=["category"]))
    assert len(rows) == 6
    for row in rows:
        assert sum(float(row[kind]) for kind in KINDS) == pytest.approx(1, abs=1e-5)
        assert row["alpha"] == "0.100000"


def test_intervals_are_shown_when_asked_for_and_always_in_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = make_tiny_benchmark(tmp_path / "raw", n=26)
    benchmark.save(tmp_path / "tiny")
    predict_jobs([Job(load_method("random"), benchmark, "test", find_protocol("default"))], tmp_path / "runs")
    asked = ["errors", str(tmp_path / "runs"), "--benchmark", str(tmp_path / "tiny")]
    assert geobench([*asked, "--format", "csv"]) == 0
    (row,) = rows_of(capsys.readouterr().out)
    low, value, high = (float(row[f"other_keypoint{end}"]) for end in ("_low", "", "_high"))
    assert low < value < high
    assert row["no_answer_low"] == row["no_answer_high"] == ""
    assert row["intervals"] == "95% confidence interval (BCa bootstrap of the target images, 10,000 resamples, seed 0)"
    shown = f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    assert geobench([*asked, "--intervals"]) == 0
    text = capsys.readouterr().out
    assert shown in text
    assert "in brackets: 95% confidence interval (BCa bootstrap of the target images, 10,000 resamples, seed 0)" in text
    assert geobench([*asked, "--format", "csv", "--drawn", "both-images"]) == 0
    (both,) = rows_of(capsys.readouterr().out)
    assert "bootstrap of the target and source images" in both["intervals"]
    assert (both["other_keypoint_low"], both["other_keypoint_high"]) != (
        row["other_keypoint_low"],
        row["other_keypoint_high"],
    )
    assert geobench(asked) == 0
    assert "[" not in capsys.readouterr().out


def test_the_confusion_matrix(runs: Path) -> None:
    oracle = next(run for run in found(runs) if run.record.method.name == "oracle")
    matrix = confusion_of_run(oracle)
    assert (matrix.keypoint == matrix.nearest).all()
    table = confusion_table(matrix, "t")
    assert [row[1] for row in table.rows] == ["nose", "left_paw", "right_paw", "tail"]
    np.testing.assert_array_equal(np.array([row[3:7] for row in table.rows]) == "100", np.eye(4, dtype=bool))
    assert confusion_of_run(oracle, category="cat").n.sum() < matrix.n.sum()
    with pytest.raises(UsageError, match=r"--category cow: not in .*; known: cat, dog"):
        confusion_of_run(oracle, category="cow")
    with pytest.raises(UsageError, match="--confusion shows one run, found 2"):
        confusion_text(found(runs), "table")
    assert confusion_text([oracle], "csv").startswith("keypoint,nearest,n\nnose,nose,")


def test_runs_of_different_protocols_are_not_put_together(tiny: Benchmark, runs: Path) -> None:
    predict_jobs([Job(load_method("oracle"), tiny, "test", find_protocol("dift"))], runs)
    with pytest.raises(InputError, match="choose one with --protocol"):
        errors_of_runs(found(runs))
    assert len(errors_of_runs(found(runs), protocol=find_protocol("hpf"))) == 3
    with pytest.raises(InputError, match="'cats' asks in another direction than 'default'"):
        errors_of_runs(found(runs)[:1], protocol=find_protocol("cats"))


def test_the_verbs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(found(runs)[0].folder)
    assert geobench(["errors", str(runs), "--by", "azimuth", "--by", "visible"]) == 0
    assert "subgroup_visible:2" in capsys.readouterr().out
    assert geobench(["errors", folder, "--confusion"]) == 0
    assert "left_paw" in capsys.readouterr().out
    for name, value in {
        "--by": ["type"],
        "--alpha": ["0.1"],
        "--extent": ["box"],
        "--intervals": [],
        "--drawn": ["both-images"],
    }.items():
        assert geobench(["errors", folder, "--confusion", name, *value]) == 2
        assert f"{name} does not go with --confusion; leave one of them out" in capsys.readouterr().err
    assert geobench(["errors", folder, "--category", "cat"]) == 2
    assert "--category goes with --confusion only" in capsys.readouterr().err
    assert geobench(["errors", folder, "--by", "difficulty"]) == 2
    assert "--by difficulty: tiny says nothing" in capsys.readouterr().err
    assert geobench(["errors", folder, "--by", "colour"]) == 2
    assert geobench(["score", folder, "--protocol", "all"]) == 0
    out = capsys.readouterr().out
    assert "0.00 points apart" in out
    assert "left out: cats, which asks in another direction than default" in out
    assert "geoaware-sc" in out.split("left out")[0]  # nothing is occluded in this benchmark
    assert geobench(["score", folder, "--protocol", "all", "--format", "csv", "--interval", "none"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert {"default", "geoaware-sc"} < {row["protocol"] for row in rows}
    assert rows[0]["per_image_low"] == ""
    assert geobench(["score", folder, "--protocol", "all", "--metric", "per-point", "--alpha", "0.2"]) == 0
    out = capsys.readouterr().out
    assert "per image" not in out
    assert "0.2" in out


def test_protocols_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert geobench(["protocols"]) == 0
    out = capsys.readouterr().out
    for name in protocol_names():
        assert find_protocol(name).fingerprint[:12] in out
    assert geobench(["protocols", "--format", "csv"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert [row["protocol"] for row in rows] == protocol_names()
    assert [row["fingerprint"] for row in rows] == [find_protocol(name).fingerprint for name in protocol_names()]
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\ntitle = "t"\nsource = "s"\nalphas = [0.2]\nsampling = { per_category = 5 }\n'
    )
    assert geobench(["protocols", "default", str(tmp_path / "mine.toml")]) == 0
    assert "5 per category, seed 42" in capsys.readouterr().out
    assert geobench(["protocols", "--sources", "--format", "markdown"]) == 0
    assert "pck_train.py:79-269" in capsys.readouterr().out
    assert geobench(["protocols", "geoaware"]) == 2
    assert "did you mean geoaware-sc" in capsys.readouterr().err


def test_every_field_that_counts_is_shown() -> None:
    """A field added to Protocol must come into the table: two protocols that differ are never shown alike."""
    from geobench.reporting.protocols_text import protocols_frame

    frame = protocols_frame([find_protocol(name) for name in protocol_names()])
    shown = frame.drop(columns=["protocol", "title", "source", "fingerprint"])
    assert len(shown.drop_duplicates()) == len(protocol_names())


def test_text_is_safe_in_markdown_and_latex() -> None:
    table = PlainTable(["a|b", "n_1"], [["x|y & z", "5 %"]], "t", ["note"])
    assert r"x\|y & z" in render_plain(table, "markdown")
    assert r"x|y \& z & 5 \% \\" in render_plain(table, "latex")
    assert render_plain(table, "csv") == "a|b,n_1\nx|y & z,5 %\n"
    assert tex("<=") == "$<$="

"""geobench pose: the table, JSON, the file of --out, and what is refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geobench.cli import run
from geobench.evaluation.pose_vote import COLUMNS
from geobench.reporting.pose_table import chance_interval
from tests.conftest import make_tiny_benchmark


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("pose")
    benchmark = make_tiny_benchmark(root / "raw", n=16)
    # Dogs are even rows, cats odd ones: two instances of each category per view.
    azimuth = np.repeat([180.0, 2, 91, 269, 181, 357, 88, 272], 2).astype(np.float32)
    instances = replace(benchmark.instances, azimuth=azimuth)
    return str(replace(benchmark, instances=instances).save(root / "benchmark"))


def asked(folder: str, *more: str) -> list[str]:
    return ["pose", "--method", "dense-sift", "--benchmark", folder, "--sets", "1", "--resolution", "8", *more]


def test_the_table_names_columns_chance_and_counts(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked(folder)) == 0
    text = capsys.readouterr().out
    assert "chance (guessing)" in text
    assert "targets per column: L/R 6, F/B 6, L/R or F/B 12, L/R/F/B 12" in text
    assert "template sets: cat" in text
    assert "[" not in text


def test_printed_rows_are_marked_and_never_best(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked(folder, "--published", "--format", "csv")) == 0
    lines = capsys.readouterr().out.splitlines()
    printed = [line for line in lines if "(printed)" in line]
    assert "DINOv2 (printed),tiny,pose,L/R,accuracy,63.8000,false" in printed
    assert len(printed) == 12


def test_json_and_the_file_agree(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pose.json"
    assert run(asked(folder, "--json", "--out", str(out))) == 0
    printed, written = json.loads(capsys.readouterr().out)["runs"][0], json.loads(out.read_text())["runs"][0]
    assert printed["columns"] == written["columns"]
    assert list(printed["columns"]) == list(COLUMNS)
    targets = written["targets"]
    right = [one["four_way"] == one["view"] for one in targets]
    assert written["columns"]["L/R/F/B"]["accuracy"] == pytest.approx(np.mean(right))
    assert {len(one["distances"]["cat"]) for one in targets} == {4}
    assert not {one["id"] for one in targets} & set(written["templates"]["cat"].values())


def test_intervals_are_shown_when_asked_for_and_always_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = make_tiny_benchmark(tmp_path / "raw", n=32)
    azimuth = np.repeat([180.0, 2, 91, 269, 181, 357, 88, 272], 4).astype(np.float32)
    folder = str(replace(benchmark, instances=replace(benchmark.instances, azimuth=azimuth)).save(tmp_path / "large"))
    out = tmp_path / "pose.json"
    assert run(asked(folder, "--intervals", "--published", "--out", str(out))) == 0
    text, record = capsys.readouterr().out, json.loads(out.read_text())["runs"][0]
    column = record["columns"]["L/R or F/B"]
    low, high = column["interval"]
    assert low < column["accuracy"] < high
    assert record["intervals"]["resamples"] == 10_000
    assert f"{100 * column['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in text
    assert "in brackets: 95% confidence interval (BCa bootstrap of the target images" in text


def test_limit_spreads_targets(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked(folder, "--limit", "5", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["columns"]["L/R/F/B"]["n"] == 5


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (["--method", "same-position"], 2, "has no feature map"),
        (["--tolerance", "60"], 2, "--tolerance must be above 0"),
        (["--limit", "0"], 2, "--limit must be at least 1"),
        (["--sets", "9"], 1, "ask for fewer --sets"),
        (["--templates", "/nowhere"], 1, "/nowhere: no templates"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: str, change: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(asked(folder, *change)) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_guessing_twelve_coins_proves_little() -> None:
    low, high = chance_interval("L/R or F/B", 12)
    assert (round(12 * low), round(12 * high)) == (3, 9)

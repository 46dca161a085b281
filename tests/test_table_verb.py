"""geobench table on the command line: which runs are shown, and what is said where none is."""

from __future__ import annotations

from pathlib import Path

import pytest

import geobench
from geobench.benchmark import Benchmark
from geobench.cli import run


@pytest.fixture
def runs(tiny: Benchmark, tmp_path: Path) -> str:
    geobench.score(geobench.predict("random", tiny, runs=tmp_path / "runs"))
    return str(tmp_path / "runs")


def test_runs_of_the_protocol_asked_for_are_shown(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "3", runs, "--benchmark", "tiny", "--protocol", "default"]) == 0
    assert "measured under protocol default" in capsys.readouterr().out


@pytest.mark.parametrize("which", ["2", "3", "4", "5"])
def test_a_protocol_of_no_run_is_told_and_no_empty_table_is_shown(
    runs: str, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    assert run(["table", which, runs, "--protocol", "dift"]) == 2
    shown = capsys.readouterr()
    assert shown.err == "geobench: no run is counted under protocol 'dift'; known: default\n"
    assert not shown.out
    assert run(["table", which, "--protocol", "dift"]) == 2


@pytest.mark.parametrize("extra", [["runs"], ["--benchmark", "tiny"], ["--published"], ["--intervals"]], ids=" ".join)
def test_the_table_of_methods_takes_no_runs(capsys: pytest.CaptureFixture[str], extra: list[str]) -> None:
    assert run(["table", "methods", *extra]) == 2
    assert "the table of methods takes --format alone" in capsys.readouterr().err


def test_a_folder_is_no_file_of_poses(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "pose", runs]) == 1
    assert capsys.readouterr().err == f"geobench: {runs}: is a folder; name the files that geobench pose --out wrote\n"

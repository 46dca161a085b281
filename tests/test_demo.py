from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import geobench
from geobench.cli import run
from geobench.demo import METHODS, SETTINGS, demonstrate

README = Path(__file__).parents[1] / "README.md"
pytestmark = pytest.mark.xdist_group("demo")  # one process makes the demonstration for all


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory):
    return demonstrate(tmp_path_factory.mktemp("demo"), images=60, say=lambda _: None)


def test_leaderboard_has_all_methods_on_all_settings(demonstration) -> None:
    board = demonstration.board
    assert len(board.methods) == len(METHODS) >= 4
    assert [column.split for column in board.columns[::2]] == list(SETTINGS)
    assert {column.subset for column in board.columns} == {"standard", "geometry-aware"}
    assert np.isfinite(board.values).all()
    assert (board.values[board.methods.index("Oracle‡")] == 100).all()


def test_quadnet_beats_dense_sift_by_far(demonstration) -> None:
    board = demonstration.board
    quadnet, sift = (board.values[board.methods.index(name)] for name in ("quadnet+NN", "Dense SIFT"))
    assert (quadnet[::2] > sift[::2] + 15).all()


def test_every_named_file_is_there(demonstration) -> None:
    assert all(path.exists() for path, _ in demonstration.written)
    assert {path.suffix for path, _ in demonstration.written} >= {".md", ".csv", ".tex", ".png"}


def test_repeating_reuses_what_is_there_and_gives_the_same_table(demonstration) -> None:
    folder = demonstration.written[0][0].parent
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("predictions.parquet")}
    again = demonstrate(folder, images=60, say=lambda _: None)
    np.testing.assert_array_equal(again.board.values, demonstration.board.values)
    assert stamps == {path: path.stat().st_mtime_ns for path in folder.rglob("predictions.parquet")}


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_method_of_the_readme_runs(demonstration, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my_method.py"
    path.write_text(python_blocks()[0])
    folder = demonstration.written[0][0].parent / "quadrupeds" / "benchmark"
    arguments = ["eval", "--method", f"{path}:Mine", "--benchmark", str(folder), "--runs", str(tmp_path / "runs")]
    assert run([*arguments, "--split", "test/intra-species"]) == 0
    record = json.loads(next((tmp_path / "runs").rglob("run.json")).read_text())
    assert record["status"] == "success"
    assert "PCK@0.1" in capsys.readouterr().out


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(python_blocks()[1], "README.md", "exec"), {})
    assert "Dense SIFT" in capsys.readouterr().out


@pytest.mark.slow
def test_check_passes_the_baselines(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("dense-sift", "box-position", "oracle"):
        assert run(["check", name]) == 0
        assert "nothing wrong" in capsys.readouterr().out


@pytest.mark.slow
def test_the_embedded_benchmark_has_the_counts_of_its_card() -> None:
    benchmark = geobench.load_benchmark("quadrupeds")
    assert len(benchmark.instances) == benchmark.card.expected["instances"]
    assert all(len(pairs) for pairs in benchmark.splits.values())
    assert len(benchmark.splits) == 7

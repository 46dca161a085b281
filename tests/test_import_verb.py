"""geobench import on the command line: exit codes, one sentence, and nothing half written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geobench.benchmark import Benchmark
from geobench.cli import run
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.runs import find_runs


@pytest.fixture
def answers(tiny: Benchmark, tmp_path: Path) -> Path:
    """A file that answers every question of the tiny benchmark with the truth."""
    asked = queries(tiny, tiny.split("test"), find_protocol("default"))
    x, y = asked.truth.T
    path = tmp_path / "answers.csv"
    pd.DataFrame({"pair": asked.pair, "keypoint": asked.keypoint, "x": x, "y": y}).to_csv(path, index=False)
    return path


def arguments(tiny: Benchmark, path: Path) -> list[str]:
    runs = str(path.parent / "runs")
    return ["import", str(path), "--benchmark", str(tiny.folder), "--split", "test", "--name", "theirs", "--runs", runs]


def test_an_import_is_scored_and_ranked(tiny: Benchmark, answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--title", "Theirs", "--setting", "unsupervised", "--mirror-index", "--source", "a paper"]
    assert run([*arguments(tiny, answers), *more]) == 0
    out = capsys.readouterr().out
    assert "Theirs on tiny test (24 pairs; protocol default), percent" in out
    assert "100.00" in out
    (made,) = find_runs([answers.parent / "runs"])
    assert made.record.imported is not None
    assert made.record.imported.source == "a paper"
    assert run(["leaderboard", str(answers.parent / "runs"), "--format", "csv"]) == 0
    assert "Theirs†°,tiny,test,standard,per_image,100.0000" in capsys.readouterr().out
    assert run(["leaderboard", str(answers.parent / "runs"), "--format", "latex"]) == 0
    assert r"Theirs$^\dagger$$^\circ$ &" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--frame", "padded"], 2, "give original, pad:SIDE"),
        (["--frame", "squash:256"], 1, "pass --frame original"),
        (["--protocol", "defualt"], 2, "did you mean default"),
        (["--split", "tset"], 2, "did you mean test"),
        (["--name", "../x"], 2, "must be made of"),
        (["--fingerprint", "00000000"], 1, "made for another benchmark"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_what_is_refused_is_refused_in_one_sentence(
    tiny: Benchmark, answers: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, message: str
) -> None:
    assert run([*arguments(tiny, answers), *more]) == code
    err = capsys.readouterr().err.strip()
    assert message in err
    assert err.startswith("geobench: ")
    assert "\n" not in err
    assert not (answers.parent / "runs").exists()


def test_a_frame_that_looks_wrong_can_be_insisted_on(tiny: Benchmark, answers: Path) -> None:
    assert run([*arguments(tiny, answers), "--frame", "squash:256", "--no-check-frame"]) == 0
    (made,) = find_runs([answers.parent / "runs"])
    asked = queries(tiny, tiny.split("test"), find_protocol("default"))
    widths = tiny.instances.width[asked.answer_row[asked.pair]]
    np.testing.assert_allclose(made.predictions().x, asked.truth[:, 0] * widths / 256, rtol=1e-5)


def test_failures_of_a_method_are_told(tiny: Benchmark, answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(answers)
    table.loc[table.pair == 3, "x"] = np.nan
    table.to_csv(answers, index=False)
    assert run(arguments(tiny, answers)) == 1
    assert "NaN or empty" in capsys.readouterr().err
    assert run([*arguments(tiny, answers), "--allow-nan"]) == 0
    assert "theirs failed on" in capsys.readouterr().err
    table.assign(x=np.nan).to_csv(answers, index=False)
    assert run([*arguments(tiny, answers), "--allow-nan"]) == 1

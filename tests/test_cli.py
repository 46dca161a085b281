from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from geobench.benchmark import Benchmark
from geobench.cli import cli, run

ROOT = Path(__file__).parents[1]


def verbs() -> list[str]:
    return cli.list_commands(click.Context(cli))


def test_docs_are_generated_from_help() -> None:
    out = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, cwd=ROOT
    )
    assert out.returncode == 0, out.stderr


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: geobench {verb}" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evel"], "no verb 'evel'; did you mean eval"),
        (["eval", "--method", "dense-sift"], "Missing option '--benchmark'"),
        (["build-splits", "ap1k", "--source", ".", "--out", "x"], "unknown dataset 'ap1k'; did you mean ap10k"),
        (["inspect", "no-such-folder"], "no such benchmark folder"),
        (["inspect", "ap10k"], "is a dataset to build first"),
        (["leaderboard"], "name a folder of runs"),
        (["check", "dense-sfit"], "unknown method 'dense-sfit'; did you mean dense-sift"),
    ],
)
def test_wrong_usage_exits_2_with_one_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert message in " ".join(err.split())
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [["leaderboard", "no-such"], ["score", "no-such"], ["draw", "no-such", "--out", "x"]]
)
def test_failures_exit_1_with_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 1
    err = capsys.readouterr().err.strip()
    assert err.startswith("geobench: ")
    assert "\n" not in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leaderboard", "no-such", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_eval_score_leaderboard_in_one_go(tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    for method in ("random", "oracle"):
        assert run(["eval", "--method", method, "--benchmark", str(tiny.folder), "--runs", str(runs)]) == 0
    out = capsys.readouterr().out
    assert "PCK@0.1" in out
    assert "geometry-aware" in out
    folder = next((runs / "tiny" / "test" / "oracle").iterdir())
    assert run(["score", str(folder / "predictions.parquet"), "--alpha", "0.1", "--metric", "per-point"]) == 0
    assert "100.00" in capsys.readouterr().out
    assert run(["score", str(folder), "--protocol", "dift"]) == 0
    assert "protocol dift" in capsys.readouterr().out
    assert run(["leaderboard", str(runs), "--format", "csv"]) == 0
    assert "Oracle‡,tiny,test,standard,per_image,100.0000,false" in capsys.readouterr().out


def test_score_refuses_other_questions(tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["eval", "--method", "oracle", "--benchmark", str(tiny.folder), "--runs", str(tmp_path / "runs")])
    folder = next((tmp_path / "runs" / "tiny" / "test" / "oracle").iterdir())
    capsys.readouterr()
    assert run(["score", str(folder), "--protocol", "cats"]) == 1
    assert "asks in another direction than 'default'" in capsys.readouterr().err
    assert run(["score", str(folder), "--alpha", "0.3"]) == 2


def test_eval_with_failures_warns_and_all_failed_exits_1(
    tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    method = tmp_path / "bad.py"
    method.write_text(
        "class Bad:\n    name = 'bad'\n    def describe(self, picture):\n        return 0\n"
        "    def match(self, source, target, points):\n        raise RuntimeError('always')\n"
    )
    code = run(["eval", "--method", f"{method}:Bad", "--benchmark", str(tiny.folder), "--runs", str(tmp_path / "runs")])
    assert code == 1
    assert "bad failed on" in capsys.readouterr().err


def test_inspect_json(tiny: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(tiny.folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fingerprint"] == tiny.fingerprint
    assert facts["splits"]["test"]["pairs"] == len(tiny.split("test"))
    tags = tiny.split("test").geometry_aware(tiny)
    assert facts["splits"]["test"]["geometry_aware_pair_share"] == pytest.approx(tags.any(axis=1).mean())
    assert run(["inspect", str(tiny.folder)]) == 0
    assert tiny.fingerprint in capsys.readouterr().out


@pytest.mark.parametrize("what", ["datasets", "methods", "protocols"])
def test_list(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", what]) == 0
    assert {"datasets": "quadrupeds", "methods": "dense-sift", "protocols": "geoaware-sc"}[
        what
    ] in capsys.readouterr().out

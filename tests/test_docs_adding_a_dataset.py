"""The example of docs/adding-a-dataset.md is run as it stands, on a miniature in the layout that it shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geobench.cli import run
from geobench.storage import load_benchmark_folder

PAGE = Path(__file__).parents[1] / "docs" / "adding-a-dataset.md"
BUILD = ["build-splits", "teacups/card.toml", "--source", "raw", "--out", "benchmarks/teacups"]


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the page's commands: card and builder as shown, six images, the first two as shown."""
    (tmp_path / "teacups").mkdir()
    (tmp_path / "teacups" / "card.toml").write_text(*blocks("toml"))
    (tmp_path / "teacups" / "teacups.py").write_text(*blocks("python"))
    (tmp_path / "raw" / "images").mkdir(parents=True)
    lines = blocks("text")[0].splitlines()
    lines += [f"{name}.png {kind} 5 6 80 70  9 9 70 12 80 40 40 7{at}" for at, (name, kind) in enumerate(MORE)]
    (tmp_path / "raw" / "points.txt").write_text("\n".join(lines) + "\n")
    rng = np.random.default_rng(0)
    for line in lines:
        pixels = rng.integers(0, 256, (90, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "raw" / "images" / line.split()[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


MORE = [("c", "cup"), ("d", "mug"), ("e", "mug"), ("f", "mug")]


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) < 80
    assert [len(blocks(language)) for language in ("text", "toml", "python", "sh")] == [1, 1, 1, 1]


def test_every_command_of_the_page_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [shlex.split(line) for line in blocks("sh")[0].splitlines()]
    assert [words[:2] for words in commands] == [
        ["geobench", v] for v in ("build-splits", "inspect", "gallery", "eval")
    ]
    said = {}
    for words in commands:
        assert run(words[1:]) == 0, words
        said[words[1]] = capsys.readouterr().out
    assert re.search(r"card expects images 6\n", said["inspect"])
    assert "instances per category\n  cup 3, mug 3" in said["inspect"]
    assert (folder / "gallery" / "gallery-test.png").is_file()
    assert "Dense SIFT on teacups test (6 pairs" in said["eval"]
    assert "geometry-aware" in said["eval"]


def test_the_benchmark_holds_what_the_raw_files_say(folder: Path) -> None:
    assert run(BUILD) == 0
    benchmark = load_benchmark_folder(folder / "benchmarks" / "teacups")
    table, pairs = benchmark.instances, benchmark.split("test")
    assert table.id.tolist() == [f"{name}.png" for name in "abcdef"]
    assert table.bbox[0].tolist() == [10, 12, 70, 60]
    assert table.keypoints[0].tolist() == [[14, 20], [74, 22], [78, 40], [44, 68]]
    assert table.visible[1].tolist() == [True, True, False, True]
    assert (table.width[0], table.height[0]) == (96, 90)
    assert sorted(pairs.category.tolist()) == ["cup"] * 3 + ["mug"] * 3
    assert (pairs.geometry_aware(benchmark) == [True, True, False, False]).all()
    assert benchmark.card.builder == "teacups.py"
    assert str(folder) not in json.dumps(benchmark.card.model_dump(mode="json"))  # no path of this machine is kept


def test_the_seed_and_the_options_are_heeded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BUILD, "--seed", "7"]) == 0
    assert load_benchmark_folder(folder / "benchmarks" / "teacups").recipe["seed"] == 7
    assert run([*BUILD, "--layout", "small"]) == 2
    assert "the builder of teacups has no option --layout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("14 20", "14", r"raw/points\.txt: line 1: has 13 fields, expected 14"),
        ("70 60", "-70 60", r"raw/points\.txt: line 1: width or height is not positive"),
        ("8 9", "nan 9", r'raw/points\.txt: line 2: left is "nan", expected a finite number'),
        ("f.png", "g.png", r"raw/images/g\.png: no such"),
        ("b.png", "a.png", r"raw/points\.txt: line 2: image a\.png is already in line 1"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, sentence: str
) -> None:
    path = folder / "raw" / "points.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    assert run(BUILD) == 1
    said = capsys.readouterr().err
    assert re.search(sentence, said)
    assert said.count("\n") == 1
    assert not (folder / "benchmarks" / "teacups").exists()

"""A card may name a file beside it as its builder."""

from __future__ import annotations

from pathlib import Path

import pytest

from geobench.builders.options import build_benchmark
from geobench.card import Card, load_card
from geobench.errors import InputError
from tests.conftest import TINY_CARD, make_tiny_benchmark

CARD = """
name = "mine"
title = "Mine"
version = 1
builder = "{builder}"
threshold = "bbox"
licence = "CC0"
citation = "none"
"""
BUILDER = """
from helper import SEED
from tests.conftest import make_tiny_benchmark
OPTIONS = frozenset()
def build(source, card, options):
    return make_tiny_benchmark(source, seed=SEED)
"""


def card_with(folder: Path, builder: str) -> Card:
    folder.mkdir(exist_ok=True)
    (folder / "card.toml").write_text(CARD.format(builder=builder))
    return load_card(folder / "card.toml")


def test_the_file_is_looked_for_beside_the_card_and_may_import_its_neighbours(tmp_path: Path) -> None:
    card = card_with(tmp_path / "mine", "mine.py")
    (tmp_path / "mine" / "mine.py").write_text(BUILDER)
    (tmp_path / "mine" / "helper.py").write_text("SEED = 3\n")
    assert build_benchmark(card, tmp_path).fingerprint == make_tiny_benchmark(tmp_path, seed=3).fingerprint
    assert card.folder == tmp_path / "mine"
    assert "folder" not in card.model_dump()
    assert card.model_copy(update={"title": "Other"}).folder == card.folder


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    card = card_with(tmp_path / "mine", "mine.py")
    made = set()
    for seed in (1, 2, 1):
        (tmp_path / "mine" / "mine.py").write_text(BUILDER.replace("SEED)", f"{seed})").replace("from helper", "#"))
        made.add(build_benchmark(card, tmp_path).fingerprint)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"mine/mine\.py: no such file, but card mine names it as its builder; put it beside the card"),
        ("OPTIONS = set()", r"card mine: builder 'mine\.py' has no build, .*; add it"),
        ("def build(): ...", r"card mine: builder 'mine\.py' has no OPTIONS, .*; add it"),
        ("OPTIONS = set()\ndef build(*_): return 7", r"card mine: builder 'mine\.py' returned 7, not a Benchmark"),
        ("\ndef (", r"mine/mine\.py: cannot be imported: line 2: SyntaxError"),
        ("1 / 0", r"mine/mine\.py: cannot be imported: line 1: ZeroDivisionError"),
        ("import nowhere_to_be_found", r"cannot be imported: line 1: ModuleNotFoundError: No module named 'nowhere"),
    ],
    ids=["absent", "no build", "no options", "returns", "syntax", "raises", "import"],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: str | None, sentence: str) -> None:
    card = card_with(tmp_path / "mine", "mine.py")
    if content is not None:
        (tmp_path / "mine" / "mine.py").write_text(content)
    with pytest.raises(InputError, match=sentence):
        build_benchmark(card, tmp_path)


@pytest.mark.parametrize("builder", ["../mine.py", "/tmp/mine.py", "sub/mine.py"])
def test_only_a_file_beside_the_card_is_run(tmp_path: Path, builder: str) -> None:
    with pytest.raises(InputError, match="must be a file beside the card; give its name only"):
        build_benchmark(card_with(tmp_path / "mine", builder), tmp_path)


def test_a_card_out_of_a_built_benchmark_runs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("raise SystemExit")
    card = Card.model_validate({**TINY_CARD, "builder": "mine.py"})
    with pytest.raises(InputError, match=r"card tiny: builder 'mine\.py' is a file beside the card; name the card by"):
        build_benchmark(card, tmp_path)

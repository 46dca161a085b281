"""The paper's printed cells against the transcript of its tables, parsed a second time; skipped without ../shared."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from geobench.catalog import published_folder
from tests.conftest import SHARED, needs_shared

TRANSCRIPT = SHARED / "reference" / "paper-tables.md"
PRINTED_AS = {
    "Ours-Zero-Shot": "GeoAware (zero-shot)",
    "Ours": "GeoAware",
    "Ours (Adapt. Pose)": "GeoAware (adaptive pose)",
    "Ours (AP-10K P.T.)": "GeoAware (AP-10K pre-trained)",
}
SETTING = {"U": "unsupervised", "U†": "unsupervised-mirror-index", "S": "supervised"}
CATEGORIES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "train", "tvmonitor"),
)
SPAIR, INTRA = ("spair71k", "test"), ("ap10k", "test/intra-species")
PLACES = [SPAIR, INTRA, ("ap10k", "test/cross-species"), ("ap10k", "test/cross-family"), ("pf-pascal", "test")]


class Cell(NamedTuple):
    """One printed figure, all as text, named as the columns of the files are."""

    method: str
    setting: str
    benchmark: str
    split: str
    scope: str
    subset: str
    metric: str
    alpha: str
    value: str
    fine_tuned_backbone: str
    mirror_index: str


Row = tuple[str, str, str, str, list[str]]  # method, setting, fine-tuned, mirror index, figures


def lines_of(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without rules and emphasis."""
    text = TRANSCRIPT.read_text(encoding="utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line.strip()[1:-1] for line in text.splitlines() if line.startswith("|") and set(line) - set("|- ")]
    return [[re.sub(r"</?u>|\*\*", "", cell).strip() for cell in line.split("|")] for line in lines]


def methods_of(lines: list[list[str]]) -> Iterator[Row]:
    """Yield the rows of methods; a letter in front of a name, or in a column of its own, begins a section."""
    letter = ""
    for first, *rest in lines:
        name, figures = (rest[0], rest[1:]) if first in ("", *SETTING) else (first, rest)
        text = f"{first} {name}" if first in SETTING else name.replace("[†]", "†")
        found = re.fullmatch(r"(?:(U†|U|S) )?(.+?)([*†]*)(?: \[[\d, ]+\])?(†?)", text)
        assert found is not None, text
        letter = found[1] or letter
        marks = found[3] + found[4]
        flags = ["true" if mark in marks else "false" for mark in "*†"]
        yield PRINTED_AS.get(found[2], found[2]), SETTING[letter], flags[0], flags[1], figures


def table_2() -> Iterator[Cell]:
    scopes = [*(f"category:{name}" for name in CATEGORIES), "all"]
    for method, setting, tuned, mirror, figures in methods_of(lines_of("Table 2")[1:]):
        metric = "per_image" if setting == "supervised" else "per_point"
        for scope, value in zip(scopes, figures, strict=True):
            yield Cell(method, setting, *SPAIR, scope, "all", metric, "0.10", value, tuned, mirror)


def table_3() -> Iterator[Cell]:
    _, alphas, *lines = lines_of("Table 3")
    places = list(zip([place for place in PLACES for _ in range(3)], alphas[2:], strict=True))
    for method, setting, tuned, mirror, figures in methods_of(lines):
        for (place, alpha), value in zip(places, figures, strict=True):
            yield Cell(method, setting, *place, "all", "all", "per_image", alpha, value, tuned, mirror)


def table_4() -> Iterator[Cell]:
    _, alphas, *lines = lines_of("Table 4")
    places = list(zip([SPAIR] * 3 + [INTRA] * 3, alphas[1:], strict=True))
    for method, setting, tuned, mirror, figures in methods_of(lines):
        for (place, alpha), value in zip(places, figures, strict=True):
            metric = "per_image" if place == SPAIR else "per_point"
            yield Cell(method, setting, *place, "all", "geometry_aware", metric, alpha, value, tuned, mirror)


def table_5() -> Iterator[Cell]:
    _, alphas, *lines = lines_of("Table 5")
    for variant, *figures in lines:
        for place, (alpha, value) in enumerate(zip(alphas[1:], figures, strict=True)):
            subset = "all" if place < 3 else "geometry_aware"
            yield Cell(variant, "supervised", *SPAIR, "all", subset, "per_image", alpha, value, *["false"] * 2)


def pose() -> Iterator[Cell]:
    head, *lines = lines_of("Global pose awareness")
    for feature, *figures in lines:
        for column, value in zip(head[1:], figures, strict=True):
            yield Cell(feature, "unsupervised", *SPAIR, f"pose:{column}", "all", "accuracy", "", value, *["false"] * 2)


@needs_shared
@pytest.mark.parametrize(
    ("name", "read"),
    [("table2", table_2), ("table3", table_3), ("table4", table_4), ("table5", table_5), ("pose", pose)],
    ids=["table2", "table3", "table4", "table5", "pose"],
)
def test_the_rows_are_the_printed_cells_and_no_others(name: str, read: Callable[[], Iterator[Cell]]) -> None:
    path = published_folder() / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [Cell(*(row[name] for name in Cell._fields)) for row in csv.DictReader(stream)]
    assert sorted(rows) == sorted(cell for cell in read() if cell.value != "-")

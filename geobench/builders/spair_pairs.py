"""Reads SPair-71k's lists of pairs (``Layout/<size>/<split>.txt``) and annotations of pairs (``PairAnnotation``).

A pair is called ``<number>-<source>-<target>:<category>``; the lists write ``_`` for the colon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int8

from geobench.builders import record_checks as check
from geobench.builders.record_checks import Complaint, Record, shown
from geobench.builders.spair_images import SpairLayout
from geobench.errors import InputError
from geobench.files import read_json_object

SPLITS = {"train": "trn", "val": "val", "test": "test"}
FLAGS = ("mirror", "viewpoint_variation", "scale_variation", "truncation", "occlusion")
"""What a pair annotation says of a pair: 0 or 1; 0 to 2; 0 to 2; 0 to 3 (source 1, target 2); 0 to 3."""

_NAME = re.compile(r"(?P<number>\w+)-(?P<source>\w+)-(?P<target>\w+?)[:_](?P<category>[a-z]+)")


@dataclass(frozen=True)
class NamedPair:
    """One line of a list.

    Attributes:
        stem: number, source and target, as both ways of writing have them.
        source, target: image stems.
        category: of both images.
    """

    stem: str
    source: str
    target: str
    category: str


def read_pair_names(root: Path, split: str, size: str, layout: SpairLayout) -> list[NamedPair]:
    """Return the pairs of a split: those of ``Layout/<size>``, or without that list all that are annotated, sorted.

    Args:
        root: folder of the dataset.
        split: ``train``, ``val`` or ``test``.
        size: ``large`` or ``small``.
        layout: names of the folders, and whether there are lists.

    Raises:
        InputError: there is no list and no annotation, or a name is malformed or comes twice.
    """
    path = root / "Layout" / size / f"{SPLITS[split]}.txt"
    if layout.listed and path.is_file():
        try:
            texts = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 at byte {error.start}; fetch it again") from error
        lines = [(number, text.strip()) for number, text in enumerate(texts, 1) if text.strip()]
    else:
        path = root / layout.pairs / SPLITS[split]
        lines = list(enumerate(sorted(file.stem for file in path.glob("[!.]*.json")), 1))
    return _parsed(path, lines)


def _parsed(path: Path, lines: Sequence[tuple[int, str]]) -> list[NamedPair]:
    pairs, seen = [], dict[str, int]()
    for number, text in lines:
        found = _NAME.fullmatch(text)
        if found is None:
            raise InputError(f"{path}: line {number}: {shown(text)} is not number-source-target_category; correct it")
        pair = NamedPair(text[: found.end("target")], found["source"], found["target"], found["category"])
        if seen.setdefault(text, number) != number:
            raise InputError(f"{path}: line {number}: {text} is already in line {seen[text]}; remove one")
        pairs.append(pair)
    return pairs


def read_flags(
    root: Path, split: str, pairs: Sequence[NamedPair], layout: SpairLayout
) -> tuple[dict[str, Int8[np.ndarray, " p"]], list[list[int] | None]]:
    """Return what the annotations of pairs say: flags by name, and the keypoint ids of each pair.

    Returns:
        Nothing, and no ids, where no pair of the split is annotated.

    Raises:
        InputError: an annotation is missing or malformed, or is of other images than its name.
    """
    folder = root / layout.pairs / SPLITS[split]
    if not folder.is_dir() or not pairs:
        return {}, [None] * len(pairs)
    paths = [_annotation(folder, pair) for pair in pairs]
    records = [read_json_object(path) for path in paths]
    flags = [flag for flag in FLAGS if any(flag in record for record in records)]
    checks: list[Callable[[Sequence[Record]], Iterator[Complaint]]] = [
        *(partial(check.bad_integers, field=flag, most=3) for flag in flags),
        partial(_other_images, pairs=pairs),
        _bad_ids,
    ]
    for checked in checks:
        for row, text in checked(records):
            raise InputError(f"{paths[row]}: {text}; fetch the file again")
    ids = [sorted(map(int, record["kps_ids"])) if "kps_ids" in record else None for record in records]
    return {flag: np.array([record[flag] for record in records], np.int8) for flag in flags}, ids


def _annotation(folder: Path, pair: NamedPair) -> Path:
    """Return the file of a pair; some unpackers replace the colon."""
    colon = folder / f"{pair.stem}:{pair.category}.json"
    other = folder / f"{pair.stem}_{pair.category}.json"
    return other if other.is_file() else colon


def _other_images(records: Sequence[Record], pairs: Sequence[NamedPair]) -> Iterator[Complaint]:
    for row, (record, pair) in enumerate(zip(records, pairs, strict=True)):
        for field, stem in (("src_imname", pair.source), ("trg_imname", pair.target)):
            name = record.get(field)
            if name != f"{stem}.jpg":
                yield row, f"{field} is {shown(name)}, its name says {stem}.jpg"


def _bad_ids(records: Sequence[Record]) -> Iterator[Complaint]:
    for row, record in enumerate(records):
        ids = record.get("kps_ids", [])
        if type(ids) is not list or not all(str(one).isascii() and str(one).isdigit() for one in ids):
            yield row, f"kps_ids is {shown(ids)}, expected a list of keypoint numbers"

"""Reads a user's own list of image pairs: ``pairs.jsonl``, one pair a line, or ``pairs.csv``, one keypoint a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import Field, FiniteFloat, field_validator

from geobench.errors import InputError
from geobench.typed_toml import StrictModel, validate

Point = tuple[FiniteFloat, FiniteFloat]
Side = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Box = tuple[FiniteFloat, FiniteFloat, Side, Side]
FILES = ("pairs.jsonl", "pairs.csv")
_REQUIRED = ("source", "target", "keypoint", "source_x", "source_y", "target_x", "target_y")
_OPTIONAL = ("category", "split", "source_box", "target_box")


class ManifestPair(StrictModel):
    """One pair of images.

    Attributes:
        source, target: paths of the images below the folder of the list.
        keypoints: for each name where it is in the source and in the target, (x, y) in pixels, centres at .5.
        category: what the pair shows; keypoint names are those of the category.
        split: the split it belongs to.
        source_box, target_box: box of the object, (x, y, width, height) in pixels.
    """

    source: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1)]
    keypoints: Annotated[dict[str, tuple[Point, Point]], Field(min_length=1)]
    category: Annotated[str, Field(pattern=r"^[^\x00-\x1f*]+$")] = "object"
    split: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?$")] = "test"
    source_box: Box | None = None
    target_box: Box | None = None

    @field_validator("source", "target")
    @classmethod
    def _inside(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise ValueError("is not a path inside the folder of the list")
        return name


def read_manifest(source: Path) -> tuple[Path, list[tuple[int, ManifestPair]]]:
    """Return the list's path, and its pairs, each with the line it begins on.

    Raises:
        InputError: there is no list or there are two, or a line is malformed.
    """
    there = [source / name for name in FILES if (source / name).is_file()]
    if len(there) != 1:
        found = "neither" if not there else "both"
        raise InputError(f"{source}: has {found} of {' and '.join(FILES)}; it needs one of them")
    path = there[0]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    pairs = list(_json_pairs(path, lines) if path.suffix == ".jsonl" else _csv_pairs(path, lines))
    if not pairs:
        raise InputError(f"{path}: has no pair; write at least one")
    return path, pairs


def _json_pairs(path: Path, lines: list[str]) -> Iterator[tuple[int, ManifestPair]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number}: not JSON ({error}); correct the line") from error
        if not isinstance(values, dict):
            raise InputError(f"{path}: line {number}: not an object in braces; correct the line")
        yield number, validate(values, ManifestPair, f"{path}: line {number}")


def _csv_pairs(path: Path, lines: list[str]) -> Iterator[tuple[int, ManifestPair]]:
    """Yield pairs of consecutive lines that name the same images and split."""
    current: tuple[Any, ...] = ()
    first, values = 0, dict[str, Any]()
    for number, row in _csv_rows(path, lines):
        key = row["source"], row["target"], row.get("split"), row.get("category")
        if key != current:
            if values:
                yield first, validate(values, ManifestPair, f"{path}: line {first}")
            current, first, values = key, number, {"keypoints": {}} | _pair_fields(path, number, row)
        if row["keypoint"] in values["keypoints"]:
            raise InputError(f"{path}: line {number}: keypoint {row['keypoint']!r} comes twice in the pair; remove one")
        ends = [[_number(path, number, row, f"{end}_{axis}") for axis in "xy"] for end in ("source", "target")]
        values["keypoints"][row["keypoint"]] = ends
    if values:
        yield first, validate(values, ManifestPair, f"{path}: line {first}")


def _csv_rows(path: Path, lines: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(lines)
    try:
        header = next(reader, [])
        missing = [name for name in _REQUIRED if name not in header]
        unknown = [name for name in header if name not in _REQUIRED + _OPTIONAL]
        if missing or unknown or len(set(header)) < len(header):
            fault = f"no column {missing[0]!r}" if missing else f"column {(unknown or header)[0]!r} is unknown or twice"
            raise InputError(
                f"{path}: {fault}; the columns are {', '.join(_REQUIRED)}, and perhaps {', '.join(_OPTIONAL)}"
            )
        for cells in reader:
            if cells and len(cells) != len(header):
                raise InputError(f"{path}: line {reader.line_num}: has {len(cells)} cells, expected {len(header)}")
            if cells:
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: not CSV ({error}); correct the line") from error


def _pair_fields(path: Path, number: int, row: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: row[name] for name in ("source", "target")}
    fields |= {name: row[name] for name in ("category", "split") if row.get(name)}
    for name in ("source_box", "target_box"):
        if row.get(name):
            try:
                fields[name] = [float(cell) for cell in row[name].split()]
            except ValueError as error:
                raise InputError(
                    f"{path}: line {number}: {name} is {row[name]!r}, expected x y width height"
                ) from error
    return fields


def _number(path: Path, number: int, row: dict[str, str], field: str) -> float:
    try:
        return float(row[field])
    except ValueError as error:
        raise InputError(f"{path}: line {number}: {field} is {row[field]!r}, expected a number; correct it") from error

"""Reads PF-Pascal's lists of pairs, ``{split}_pairs.csv`` or ``{split}_pairs_pf_pascal.csv``.

All begin with ``source_image,target_image,class``. Then come either the keypoints of the pair (``XA``, ``YA``, ``XB``,
``YB``: numbers separated by semicolons), or ``flip``, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64

from geobench.builders.csv_rows import read_csv_rows
from geobench.builders.record_checks import shown
from geobench.errors import InputError

SPLITS = ("train", "val", "test")
_COLUMNS = ("source_image", "target_image", "class")
_POINTS = ("XA", "YA", "XB", "YB")
_LARGEST = 2**24  # float32 cannot tell neighbouring pixels apart beyond it
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]*)?(e[-+]?[0-9]{1,2})?")
_STEM = re.compile(r"[A-Za-z0-9][\w-]*")

Points = Float64[np.ndarray, "n 2"]


@dataclass(frozen=True, eq=False)
class ListedPair:
    """One line of a list.

    Attributes:
        line: its number, from 1.
        category: name of the class.
        source, target: image stems.
        points: keypoints (x, y) of source and target, in the same order; None where the list has none.
        flip: whether training mirrors both images; None where the list does not say.
    """

    line: int
    category: str
    source: str
    target: str
    points: tuple[Points, Points] | None
    flip: bool | None


def find_lists(*folders: Path) -> dict[str, Path]:
    """Return the list of each split that has one in ``folders``.

    Raises:
        InputError: a split has two lists, or no split has one.
    """
    found = {}
    for split in SPLITS:
        names = (f"{split}_pairs.csv", f"{split}_pairs_pf_pascal.csv")
        paths = sorted({(folder / name).resolve(): folder / name for folder in folders for name in names}.values())
        paths = [path for path in paths if path.is_file()]
        if len(paths) > 1:
            raise InputError(f"{paths[0]}: there is also {paths[1]}; keep the one {split} list to use")
        if paths:
            found[split] = paths[0]
    if not found:
        raise InputError(f"{folders[0]}: holds no test_pairs.csv or test_pairs_pf_pascal.csv; fetch the lists of pairs")
    return found


def read_list(path: Path, classes: Sequence[str], repeats: bool) -> list[ListedPair]:
    """Return the pairs of a list, in its order.

    Args:
        path: of the CSV file.
        classes: their names; the column ``class`` counts them from 1.
        repeats: whether a pair may come twice, as in the training list.

    Raises:
        InputError: the file is missing, not UTF-8, or cut off, or a line is malformed.
    """
    rows = read_csv_rows(path, "list of pairs")
    if not path.read_bytes().endswith((b"\n", b"\r")):
        # Without the line end, a number that lost its last digits would pass for a smaller one.
        raise InputError(f"{path}: cut off: the last line has no end; fetch the file again, or add the line end")
    head = tuple(rows[0][1])
    if head[:3] != _COLUMNS or head[3:] not in (_POINTS, ("flip",), ()):
        raise InputError(f"{path}: the first line is {shown(','.join(head))}, expected {','.join(_COLUMNS + _POINTS)}")
    pairs = [_pair(path, number, row, head, classes) for number, row in rows[1:]]
    if not pairs:
        raise InputError(f"{path}: lists no pair; fetch the file again, or remove it to build without this split")
    _refuse_repeated(path, pairs, repeats)
    return pairs


def _pair(path: Path, line: int, row: list[str], head: tuple[str, ...], classes: Sequence[str]) -> ListedPair:
    where = f"{path}: line {line}"
    cell = dict(zip(head, row, strict=True))
    numbers = {str(number): name for number, name in enumerate(classes, 1)}
    if cell["class"] not in numbers:
        raise InputError(f"{where}: class is {shown(cell['class'])}, expected 1 to {len(classes)}; correct the line")
    if cell.get("flip", "0") not in ("0", "1"):
        raise InputError(f"{where}: flip is {shown(cell['flip'])}, expected 0 or 1; correct the line")
    source, target = (_stem(where, field, cell[field]) for field in _COLUMNS[:2])
    if source == target:
        raise InputError(f"{where}: joins {source} with itself; remove the line")
    points = _points(where, cell) if "XA" in cell else None
    flip = cell["flip"] == "1" if "flip" in cell else None
    return ListedPair(line, numbers[cell["class"]], source, target, points, flip)


def _stem(where: str, field: str, text: str) -> str:
    name = PurePosixPath(text.replace("\\", "/")).name
    stem, dot, kind = name.partition(".")
    if not _STEM.fullmatch(stem) or dot + kind != ".jpg":
        raise InputError(f"{where}: {field} is {shown(text)}, expected the path of a .jpg; correct the line")
    return stem


def _points(where: str, cell: dict[str, str]) -> tuple[Points, Points]:
    columns = {field: _numbers(where, field, cell[field]) for field in _POINTS}
    count = len(columns["XA"])
    for field, values in columns.items():
        if len(values) != count:
            raise InputError(f"{where}: {field} has {len(values)} numbers, XA has {count}; correct the line")
    source, target = (np.stack([columns[f"X{end}"], columns[f"Y{end}"]], axis=1) for end in "AB")
    return source, target


def _numbers(where: str, field: str, text: str) -> Float64[np.ndarray, " n"]:
    texts = text.split(";")
    wrong = [number for number in texts if not _NUMBER.fullmatch(number) or abs(float(number)) > _LARGEST]
    if wrong:
        raise InputError(f"{where}: {field} has {shown(wrong[0])}, expected a position in the image; correct the line")
    return np.asarray(texts, dtype=np.float64)


def _refuse_repeated(path: Path, pairs: list[ListedPair], repeats: bool) -> None:
    first: dict[tuple[str, str, str], int] = {}
    for pair in pairs:
        key = (pair.category, pair.source, pair.target)
        if first.setdefault(key, pair.line) != pair.line and not repeats:
            raise InputError(f"{path}: line {pair.line}: the pair is already in line {first[key]}; remove the line")

"""Which pair and which keypoint of a split each row of a file of predictions is about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from jaxtyping import Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError, nearest_names
from geobench.evaluation.prediction_file import AnswerRows
from geobench.evaluation.queries import Queries
from geobench.instances import Instances


def pair_numbers(rows: AnswerRows, benchmark: Benchmark, asked: Pairs, where: str) -> Int64[np.ndarray, " r"]:
    """Return the number of each row's pair in the split.

    Args:
        rows: what a file says.
        benchmark: where the images are.
        asked: the pairs of the split as they are asked: points of the source, answers in the target.
        where: name of the file, for messages.

    Raises:
        InputError: a number or an image is not in the split, two images are no pair of it or several, or the number
            and the images of a row are of different pairs.
    """
    if rows.pair is not None:
        bad = np.flatnonzero((rows.pair < 0) | (rows.pair >= len(asked)))
        if len(bad):
            number, last = f"row {bad[0]}: pair {rows.pair[bad[0]]}", len(asked) - 1
            one_based = rows.pair.min() == 1 and rows.pair.max() == len(asked)
            remedy = "they count from 0, so subtract 1" if one_based else "correct it"
            raise InputError(f"{where}: {number} is not in the split, whose pairs are 0 to {last}; {remedy}")
        if rows.source is not None:
            _check_agreement(rows, benchmark, asked, where)
        return rows.pair
    source, target = _ends(rows, benchmark.instances, where)
    return _numbers_of(source, target, benchmark, asked, where)


def keypoint_numbers(
    rows: AnswerRows, pair: Int64[np.ndarray, " r"], benchmark: Benchmark, asked: Pairs, where: str
) -> Int64[np.ndarray, " r"]:
    """Return the number of each row's keypoint; names are looked up in the skeleton of the pair's category.

    What can be read as a number is one, whatever keypoints are called.

    Raises:
        InputError: a name is no keypoint of that skeleton, or a number is negative or beyond it.
    """
    category = asked.category[pair]
    if rows.keypoint.dtype.kind in "iu":
        if not rows.dense:
            _check_range(rows.keypoint, category, benchmark, where)
        return rows.keypoint.astype(np.int64)
    labels, names = pd.factorize(category.astype(object)), pd.factorize(rows.keypoint)
    code = labels[0].astype(np.int64) * len(names[1]) + names[0]
    distinct, first, back = np.unique(code, return_index=True, return_inverse=True)
    numbers = np.empty(len(distinct), np.int64)
    for at, row in enumerate(first.tolist()):
        numbers[at] = _keypoint(str(rows.keypoint[row]), str(category[row]), benchmark, f"{where}: row {row}")
    return numbers[back]


def nth_keypoints(
    nth: Int64[np.ndarray, " r"], pair: Int64[np.ndarray, " r"], asked: Queries, where: str
) -> Int64[np.ndarray, " r"]:
    """Return the numbers of keypoints that are given by their place among those asked of their pair, from 0.

    Raises:
        InputError: a pair is not asked so many.
    """
    first, end = (np.searchsorted(asked.pair, pair, side=side) for side in ("left", "right"))
    bad = np.flatnonzero((nth < 0) | (nth >= end - first))
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"{where}: row {row}: has place {nth[row]} in pair {pair[row]}, which is asked {end[row] - first[row]} "
            f"keypoints, places from 0 ({len(bad):,} such rows); correct it"
        )
    return asked.keypoint[first + nth].astype(np.int64)


def _keypoint(text: str, category: str, benchmark: Benchmark, where: str) -> int:
    skeleton = benchmark.skeleton(category)
    if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < len(skeleton):
        return int(text)
    if text in skeleton.names:
        return skeleton.names.index(text)
    near = nearest_names(text, skeleton.names)
    raise InputError(f"{where}: {category!r} has no keypoint {text[:40]!r}{near}")


def _check_range(keypoint: Int64[np.ndarray, " r"], category: np.ndarray, benchmark: Benchmark, where: str) -> None:
    codes, labels = pd.factorize(category.astype(object))
    sizes = np.array([len(benchmark.skeleton(str(label))) for label in labels], np.int64)[codes]
    bad = np.flatnonzero((keypoint < 0) | (keypoint >= sizes))
    if len(bad):
        row = int(bad[0])
        one_based = keypoint.min() == 1 and keypoint[row] == sizes[row]
        remedy = "they count from 0, so subtract 1" if one_based else "correct it"
        raise InputError(
            f"{where}: row {row}: keypoint {keypoint[row]} does not exist; {str(category[row])!r} has keypoints 0 to "
            f"{sizes[row] - 1} ({len(bad):,} such rows); {remedy}"
        )


def _ends(rows: AnswerRows, table: Instances, where: str) -> tuple[Int64[np.ndarray, " r"], Int64[np.ndarray, " r"]]:
    assert rows.source is not None  # read_answer_rows: there are numbers or images
    assert rows.target is not None
    names = _known_names(table)
    source, target = (
        _instances(end, names, name, where) for end, name in ((rows.source, "source"), (rows.target, "target"))
    )
    return source, target


def _known_names(table: Instances) -> dict[str, int]:
    """Return the row of every id, and of every path of an image, bare or not, that is of one row only."""
    paths = [str(path) for path in table.image]
    known: dict[str, int] = {}
    for spelling in (
        [str(PurePosixPath(path).name) for path in paths],
        [str(name).lstrip("0") or "0" for name in table.id],  # what spreadsheets and pandas make of 000000000265
        [str(PurePosixPath(path).with_suffix("")) for path in paths],
        paths,
    ):
        known |= _unique(spelling)
    return known | {str(name): row for row, name in enumerate(table.id)}


def _unique(names: Iterable[str]) -> dict[str, int]:
    column = pd.Series(list(names), dtype=object)
    once = column[~column.duplicated(keep=False) & (column != "")]
    return {str(name): row for row, name in zip(once.index.tolist(), once.tolist(), strict=True)}


def _known_row(name: str, known: dict[str, int]) -> int:
    """Return the row of a name, of the end of a path, or of that without its suffix; -1 where there is none."""
    parts = name.replace("\\", "/").split("/")
    for begin in range(len(parts)):
        end = "/".join(parts[begin:])
        for spelling in (end, end.rsplit(".", 1)[0]):
            if spelling in known:
                return known[spelling]
    return -1


def _instances(given: np.ndarray, known: dict[str, int], end: str, where: str) -> Int64[np.ndarray, " r"]:
    codes, names = pd.factorize(given)
    rows = np.array([_known_row(str(name), known) for name in names], np.int64)[codes]
    bad = np.flatnonzero(rows < 0)
    if len(bad):
        name = str(given[bad[0]])[:80]
        raise InputError(
            f"{where}: row {bad[0]}: {end} {name!r} is no image of the benchmark, or of several instances; "
            "use the ids of geobench export-task, or numbers of pairs"
        )
    return rows


def _numbers_of(
    source: Int64[np.ndarray, " r"], target: Int64[np.ndarray, " r"], benchmark: Benchmark, asked: Pairs, where: str
) -> Int64[np.ndarray, " r"]:
    """Return the numbers of the pairs between instances."""
    n = len(benchmark.instances)
    there = asked.source.astype(np.int64) * n + asked.target
    order = np.argsort(there, kind="stable")
    wanted, place = source * n + target, np.searchsorted(there[order], source * n + target)
    place = np.minimum(place, max(len(asked) - 1, 0))
    ids = benchmark.instances.id
    absent = np.flatnonzero(there[order][place] != wanted)
    if len(absent):
        row = int(absent[0])
        turned = np.isin(target[row] * n + source[row], there)
        hint = "; it has them the other way round: source is the image asked about" if turned else "; remove the row"
        raise InputError(
            f"{where}: row {row}: {ids[source[row]]} -> {ids[target[row]]} is no pair of the split{hint} "
            f"({len(absent):,} such rows)"
        )
    several = np.searchsorted(there[order], wanted, side="right") - np.searchsorted(there[order], wanted) > 1
    if several.any():
        row = int(np.flatnonzero(several)[0])
        raise InputError(
            f"{where}: row {row}: {ids[source[row]]} -> {ids[target[row]]} are several pairs of the split; name pairs "
            "by number, in a column pair"
        )
    return np.asarray(order[place], np.int64)


def _check_agreement(rows: AnswerRows, benchmark: Benchmark, asked: Pairs, where: str) -> None:
    assert rows.pair is not None
    source, target = _ends(rows, benchmark.instances, where)
    bad = np.flatnonzero((asked.source[rows.pair] != source) | (asked.target[rows.pair] != target))
    if len(bad):
        row, ids = int(bad[0]), benchmark.instances.id
        number = int(rows.pair[row])
        raise InputError(
            f"{where}: row {row}: pair {number} is {ids[asked.source[number]]} -> {ids[asked.target[number]]}, not "
            f"{ids[source[row]]} -> {ids[target[row]]} ({len(bad):,} such rows); was it made for another benchmark?"
        )

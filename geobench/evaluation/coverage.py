"""Whether a file answers every question of a split exactly once, pair by pair, in numbers that are positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError
from geobench.evaluation.queries import Queries

LARGEST = 2.0**24
"""Pixels: float32 cannot tell neighbours apart beyond it."""


def answers_in_order(
    pair: Int64[np.ndarray, " r"],
    keypoint: Int64[np.ndarray, " r"],
    asked: Queries,
    label: Callable[[int], str],
    name: Callable[[int, int], str],
    where: str,
) -> Int64[np.ndarray, " q"]:
    """Return the row that answers each question.

    Args:
        pair: number of each row's pair.
        keypoint: number of each row's keypoint.
        asked: the questions.
        label: what a pair is called, by its number.
        name: what a keypoint of a pair is called, by both numbers.
        where: name of the file, for messages.

    Raises:
        InputError: pairs or keypoints are missing, there twice, or not asked for; the message names the first.
    """
    wide = int(max(keypoint.max(initial=0), asked.keypoint.max(initial=0))) + 1
    given, wanted = pair * wide + keypoint, asked.pair.astype(np.int64) * wide + asked.keypoint
    absent = np.setdiff1d(asked.pair, pair)
    if len(absent):
        n = len(np.unique(asked.pair))
        raise InputError(f"{where}: {label(int(absent[0]))} is missing ({len(absent):,} of {n:,} pairs); predict it")
    _refuse(given, wide, label, name, where, _repeated(given), "there more than once; keep one row")
    _refuse(given, wide, label, name, where, ~np.isin(given, wanted), "not asked for in this split; remove the row")
    _refuse(wanted, wide, label, name, where, ~np.isin(wanted, given), "missing; predict it")
    order = np.argsort(given, kind="stable")
    return np.asarray(order[np.searchsorted(given[order], wanted)], np.int64)


def _repeated(given: Int64[np.ndarray, " r"]) -> Bool[np.ndarray, " r"]:
    order = np.argsort(given, kind="stable")
    again = np.zeros(len(given), bool)
    again[order[1:]] = given[order[1:]] == given[order[:-1]]
    return again


def _refuse(
    keys: Int64[np.ndarray, " r"],
    wide: int,
    label: Callable[[int], str],
    name: Callable[[int, int], str],
    where: str,
    bad: Bool[np.ndarray, " r"],
    why: str,
) -> None:
    """Name the first keypoint that is ``bad``, and say of how many that holds; whole pairs are called pairs."""
    if not bad.any():
        return
    pair, keypoint = divmod(int(keys[bad].min()), wide)
    of_pair = keys // wide == pair
    pairs = len(np.unique(keys[bad] // wide))
    share = f"({int(bad.sum()):,} such keypoints in {pairs:,} {'pair' if pairs == 1 else 'pairs'})"
    whole = why.startswith("there") and 2 * int(bad[of_pair].sum()) == int(of_pair.sum())
    what = label(pair) if whole else f"{label(pair)}, keypoint {keypoint} ({name(pair, keypoint)})"
    raise InputError(f"{where}: {what} is {why} {share}")


def pair_label(benchmark: Benchmark, asked: Pairs) -> Callable[[int], str]:
    """Return the function that names a pair by its number and its images."""
    ids = benchmark.instances.id
    return lambda row: f"pair {row} ({ids[asked.source[row]]} -> {ids[asked.target[row]]})"


def keypoint_name(benchmark: Benchmark, asked: Pairs) -> Callable[[int, int], str]:
    """Return the function that names a keypoint of a pair, by both numbers."""

    def name(row: int, keypoint: int) -> str:
        names = benchmark.skeleton(str(asked.category[row])).names
        return names[keypoint] if keypoint < len(names) else "no such keypoint"

    return name


def failed_rows(
    points: Float64[np.ndarray, "q 2"], asked: Queries, name: Callable[[int], str], allowed: bool, where: str
) -> Bool[np.ndarray, " q"]:
    """Return which answers are NaN.

    Args:
        points: (x, y) of the answer to each question, in any frame.
        asked: the questions.
        name: what a pair is called, by its number.
        allowed: whether NaN may stand for a failure of the method.
        where: name of the file, for messages.

    Raises:
        InputError: an answer is infinite or too large for a position, or NaN and that is not allowed.
    """
    failed = np.isnan(points).any(axis=1)
    large = (np.abs(points) > LARGEST).any(axis=1)  # also infinity
    if large.any():
        row = int(np.flatnonzero(large)[0])
        x, y = points[row].tolist()
        raise InputError(
            f"{where}: {name(int(asked.pair[row]))}, keypoint {asked.keypoint[row]} is at ({x:g}, {y:g}), which is no "
            f"position in an image ({int(large.sum()):,} such rows); predict it, or write NaN and pass --allow-nan to "
            "count it as wrong"
        )
    if failed.any() and not allowed:
        row = int(np.flatnonzero(failed)[0])
        raise InputError(
            f"{where}: {name(int(asked.pair[row]))}, keypoint {asked.keypoint[row]} is NaN or empty "
            f"({int(failed.sum()):,} such rows); predict it, or pass --allow-nan to count NaN as wrong"
        )
    return failed

"""The keypoints that a list of pairs repeats: columns XA1 … XAk, YA1 … YAk, XB1 … XBk, YB1 … YBk after the two images.

That is how ``test_pairs.csv`` and ``test_pairs_pf.csv`` of PF-Willow have them (k = 10; read by place in
data/pfwillow.py of DHPF and CATs). Four columns XA, YA, XB, YB with numbers separated by semicolons, PF-Pascal's way,
are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from geobench.builders.notices import Notices
from geobench.builders.record_checks import shown
from geobench.errors import InputError
from geobench.instances import Instances

_COLUMN = re.compile(r"[XY][AB][0-9]*", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]*)?(e[-+]?[0-9]{1,2})?", re.IGNORECASE)
_SAME = 0.01  # pixels; copies of lists are rounded

CsvRows = Sequence[tuple[int, list[str]]]


def tell_other_points(
    path: Path, rows: CsvRows, instances: Instances, ends: tuple[np.ndarray, np.ndarray], notices: Notices
) -> None:
    """Tell of the first keypoint that the list has elsewhere than its instance, and of how many there are.

    Args:
        path: of the list.
        rows: its lines with their numbers, the first of them the names of the columns.
        instances: where the keypoints are that count.
        ends: the instances of source and target of each pair.
        notices: who is told.

    Raises:
        InputError: the list has another number of coordinates than there are keypoints, or one is not a number.
    """
    points = _listed_points(path, rows, instances.keypoints.shape[1])
    if points is None or len(rows) < 2:
        return
    placed = np.stack([instances.keypoints[end] for end in ends], axis=1)
    seen = np.stack([instances.visible[end] for end in ends], axis=1)
    other = (np.abs(points - placed).max(axis=3) > _SAME) & seen
    if other.any():
        pair, end, number = (int(index) for index in np.argwhere(other)[0])
        x, y = points[pair, end, number]
        stored = ", ".join(f"{value:g}" for value in placed[pair, end, number])
        line, row = rows[pair + 1]
        notices.say(
            f"{path}: line {line}: keypoint {number} of {row[end]} is at ({x:g}, {y:g}), but at ({stored}) in the "
            f"dataset ({other.sum()} such keypoints); the dataset counts"
        )


def _listed_points(path: Path, rows: CsvRows, count: int) -> Float64[np.ndarray, "p 2 k 2"] | None:
    """Return (x, y) of every keypoint of both ends of each pair; None where the list has no coordinates."""
    head = rows[0][1][2:]
    named = [name for name in head if _COLUMN.fullmatch(name.strip())]
    if not named and len(head) != 4 * count:
        return None
    if [name.strip().upper() for name in named] == ["XA", "YA", "XB", "YB"]:
        places = [head.index(name) + 2 for name in named]
        texts = [(line, [text for place in places for text in row[place].split(";")]) for line, row in rows[1:]]
    else:
        texts = [(line, row[2 : 2 + max(len(named), 4 * count if not named else 0)]) for line, row in rows[1:]]
    for line, numbers in texts:
        if len(numbers) != 4 * count:
            raise InputError(
                f"{path}: line {line}: has {len(numbers)} coordinates, expected {4 * count}; correct the line"
            )
        wrong = [text for text in numbers if not _NUMBER.fullmatch(text.strip())]
        if wrong:
            raise InputError(f"{path}: line {line}: {shown(wrong[0])} is not a coordinate; correct the line")
    values = np.asarray([numbers for _, numbers in texts], dtype=np.float64)
    return values.reshape(len(texts), 2, 2, count).swapaxes(2, 3)

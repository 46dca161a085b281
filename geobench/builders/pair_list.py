"""Reads a list of image pairs from a CSV file, the way PF-Willow publishes its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int32

from geobench.benchmark import Pairs
from geobench.builders.csv_rows import read_csv_rows
from geobench.builders.listed_points import tell_other_points
from geobench.builders.notices import Notices
from geobench.errors import InputError
from geobench.instances import Instances


def find_pair_list(*folders: Path) -> Path | None:
    """Return the only CSV file directly in ``folders``, or None when there is none.

    Raises:
        InputError: there are several.
    """
    lists = sorted({path.resolve() for folder in folders for path in folder.glob("[!.]*.csv")})
    if len(lists) > 1:
        names = ", ".join(path.name for path in lists)
        raise InputError(f"{folders[0]}: holds several pair lists ({names}); keep the one to use")
    return lists[0] if lists else None


def read_pair_list(path: Path, instances: Instances, notices: Notices) -> Pairs:
    """Return the pairs of a CSV file whose first two columns are source and target image (``…/CLASS/NAME.png``).

    That is the layout of ``test_pairs.csv`` and ``test_pairs_pf.csv``, whose further columns are a copy of the
    keypoints: they are compared with those of the instances, which count. Other columns are not read.

    Raises:
        InputError: the file is malformed, or a pair names an absent image, joins two classes, or comes twice.
    """
    rows = read_csv_rows(path, "pair list")
    if len(rows[0][1]) < 2:
        raise InputError(f"{path}: not a readable pair list (one column); it needs two columns of image paths")
    lines = np.asarray([number for number, _ in rows[1:]], dtype=np.int64)
    source, target = (_instances(path, lines, [row[side] for _, row in rows[1:]], instances) for side in (0, 1))
    category = instances.category
    pair_key = source.astype(np.int64) * len(instances) + target
    repeated = pd.Series(pair_key).duplicated().to_numpy()
    _refuse(path, lines[category[source] != category[target]], "joins images of two classes")
    _refuse(path, lines[source == target], "joins an image with itself")
    _refuse(path, lines[repeated], "is a repetition of an earlier one")
    tell_other_points(path, rows, instances, (source, target), notices)
    return Pairs(source, target, category[source])


def _instances(path: Path, lines: np.ndarray, names: Sequence[str], instances: Instances) -> Int32[np.ndarray, " p"]:
    last_two = ["/".join(name.replace("\\", "/").split("/")[-2:]) for name in names]
    rows = pd.Index(instances.image).get_indexer(pd.Index(last_two, dtype=object))
    absent = np.flatnonzero(rows < 0)
    if len(absent):
        name = names[absent[0]]
        raise InputError(
            f"{path}: line {lines[absent[0]]}: no image {name!r} in the dataset; fetch it or remove the line"
        )
    return np.asarray(rows, dtype=np.int32)


def _refuse(path: Path, lines: np.ndarray, fault: str) -> None:
    if len(lines):
        raise InputError(f"{path}: line {lines[0]}: the pair {fault}; remove the line")

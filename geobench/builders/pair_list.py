"""Reads a list of image pairs from a CSV file, the way PF-Willow and PF-Pascal publish theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int32

from geobench.benchmark import Pairs
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


def read_pair_list(path: Path, instances: Instances) -> Pairs:
    """Return the pairs of a CSV file whose first two columns are source and target image (``…/CLASS/NAME.png``).

    That is the layout of ``test_pairs_pf.csv``; its further columns, a copy of the keypoints, are not read.

    Raises:
        InputError: the file is malformed, or a pair names an absent image, joins two classes, or comes twice.
    """
    try:
        table = pd.read_csv(path, usecols=[0, 1], dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError, OSError) as error:
        raise InputError(f"{path}: not a readable pair list ({error}); it needs two columns of image paths") from error
    source, target = (_rows(path, table.iloc[:, side], instances) for side in (0, 1))
    category = instances.category
    pair_key = source.astype(np.int64) * len(instances) + target
    repeated = pd.Series(pair_key).duplicated().to_numpy()
    _refuse(path, category[source] != category[target], "joins images of two classes")
    _refuse(path, source == target, "joins an image with itself")
    _refuse(path, repeated, "is a repetition of an earlier one")
    return Pairs(source, target, category[source])


def _rows(path: Path, names: pd.Series, instances: Instances) -> Int32[np.ndarray, " p"]:
    last_two = names.str.replace("\\", "/").str.split("/").str[-2:].str.join("/")
    rows = pd.Index(instances.image).get_indexer(pd.Index(last_two))
    absent = np.flatnonzero(rows < 0)
    if len(absent):
        name = names.iloc[absent[0]]
        raise InputError(f"{path}: line {absent[0] + 2}: no image {name!r} in the dataset; fetch it or remove the line")
    return np.asarray(rows, dtype=np.int32)


def _refuse(path: Path, bad: np.ndarray, fault: str) -> None:
    lines = np.flatnonzero(bad) + 2
    if len(lines):
        raise InputError(f"{path}: line {lines[0]}: the pair {fault}; remove the line")

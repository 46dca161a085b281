"""Reads files of predictions that other programs wrote: CSV, Parquet, NPZ and JSON, all to the same columns.

Nothing is ever unpickled. What the columns mean is docs/predictions.md; which pairs and keypoints they name is
:mod:`geobench.evaluation.answer_rows`.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64

from geobench.errors import InputError, UsageError, nearest_names
from geobench.evaluation.prediction_columns import numbers, plain, texts, whole_numbers
from geobench.evaluation.prediction_csv import read_csv_texts
from geobench.files import read_json_list

PICKLES = frozenset({".pkl", ".pickle", ".pth", ".pt", ".ckpt", ".joblib"})
PAGE = "docs/predictions.md"


@dataclass(frozen=True, eq=False)
class AnswerRows:
    """Predictions as a file has them, R rows in any order.

    Attributes:
        pair: number of the pair in the split; None where pairs are named by their images.
        source, target: names of the image asked about and of the one answered in; None where pairs have numbers only.
        keypoint: numbers (int64), or names as text; with ``nth``, places among the keypoints asked of the pair, from 0.
        points: (x, y) in the file's own frame; NaN where a cell is empty.
        nth: what ``keypoint`` is.
        dense: the file has a row for every keypoint of the skeleton, asked for or not.
        fingerprint: of the benchmark that the file says it was made for; None where it says nothing.
    """

    pair: Int64[np.ndarray, " r"] | None
    source: np.ndarray | None
    target: np.ndarray | None
    keypoint: np.ndarray
    points: Float64[np.ndarray, "r 2"]
    nth: bool = False
    dense: bool = False
    fingerprint: str | None = None

    def __len__(self) -> int:
        return len(self.keypoint)


def read_answer_rows(path: Path) -> AnswerRows:
    """Return the predictions stored in the file at ``path``; its ending decides how it is read.

    Raises:
        UsageError: the ending is of no format that is read; pickles are none.
        InputError: the file is missing or damaged, lacks a column, or a cell is not what its column holds.
    """
    kind = path.suffix.lower()
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file of predictions in it")
    if kind in PICKLES:
        raise UsageError(f"{path}: may hold pickled objects, which geobench never loads; {PAGE} has lines to export it")
    if kind not in _READERS:
        raise UsageError(f"{path}: unknown format {kind or 'without ending'!r}; known: {', '.join(_READERS)} ({PAGE})")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    rows = _READERS[kind](path)
    if not len(rows):
        raise InputError(f"{path}: holds no predictions; write one row per keypoint")
    return rows


def _from_csv(path: Path) -> AnswerRows:
    return _from_table(read_csv_texts(path), path)


def _from_parquet(path: Path) -> AnswerRows:
    try:
        with pq.ParquetFile(path) as file:  # this file alone: a folder's name is no column, as in read_table
            table = file.read()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({plain(error)}); write it again") from error
    return _from_table(table, path)


def _from_json(path: Path) -> AnswerRows:
    records = read_json_list(path)
    names = dict.fromkeys(key for one in records if isinstance(one, dict) for key in one)
    for row, one in enumerate(records):
        bad = [key for key, cell in one.items() if isinstance(cell, dict | list)] if isinstance(one, dict) else [""]
        if bad:
            raise InputError(f"{path}: row {row}: expected an object of numbers and texts, one per keypoint ({PAGE})")
    cells = {name: [_text(one.get(name)) for one in records] for name in names}
    try:
        table = pa.table({name: pa.array(column, pa.string()) for name, column in cells.items()})
    except (pa.ArrowException, ValueError) as error:  # a lone surrogate
        raise InputError(f"{path}: holds a text that cannot be read ({plain(error)}); write it again") from error
    return _from_table(table, path)


def _text(cell: object) -> str | None:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return None if cell is None else str(cell)


def _from_npz(path: Path) -> AnswerRows:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a readable NPZ file (no archive); write it with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # NumPy lets through whatever its header parser or zlib meets in a damaged file
        if "Object arrays" in str(error):
            raise InputError(f"{path}: holds pickled objects; save plain numbers and texts ({PAGE})") from error
        raise InputError(f"{path}: not a readable NPZ file ({plain(error)}); write it again") from error
    marked = arrays.pop("fingerprint", None)
    given = None if marked is None else str(marked.reshape(-1)[0]) if marked.size == 1 else ""
    points = arrays.get("points")
    if points is not None and points.ndim == 3:
        return _dense(arrays, path, given)
    if points is not None and points.shape[1:] != (2,) and "x" not in arrays:
        raise InputError(f"{path}: points has the shape {points.shape}, expected (pairs, keypoints, 2) or (rows, 2)")
    if points is not None and points.shape[1:] == (2,):
        arrays |= {"x": points[:, 0], "y": points[:, 1]}
    return _from_table(_table(arrays, path), path, fingerprint=given)


def _dense(arrays: Mapping[str, np.ndarray], path: Path, fingerprint: str | None) -> AnswerRows:
    """Return the rows of an archive with ``points`` [pairs, keypoints, 2], all keypoints of a pair after another.

    With ``count`` [pairs], only the first so many points of each pair are answers, in the order of its keypoints.
    """
    points = arrays["points"]
    if points.shape[2] != 2:
        raise InputError(f"{path}: points has the shape {points.shape}, expected (pairs, keypoints, 2)")
    named = {name: arrays[name] for name in ("pair", "source", "target", "count") if name in arrays}
    short = [name for name, column in named.items() if column.shape != points.shape[:1]]
    if short:
        shape = named[short[0]].shape
        raise InputError(f"{path}: {short[0]} has the shape {shape}, expected ({len(points)},), one per row of points")
    count = named.pop("count", None)
    place = np.tile(np.arange(points.shape[1]), (len(points), 1))
    if count is not None and (count.dtype.kind not in "iu" or (count < 0).any() or (count > points.shape[1]).any()):
        raise InputError(f"{path}: count must be whole numbers from 0 to {points.shape[1]}, the second side of points")
    row, keypoint = np.nonzero(place < (points.shape[1] if count is None else count[:, None]))
    flat = points[row, keypoint]
    columns = {name: column[row] for name, column in named.items()}
    columns |= {"keypoint" if count is None else "nth": keypoint, "x": flat[:, 0], "y": flat[:, 1]}
    return _from_table(_table(columns, path), path, dense=count is None, fingerprint=fingerprint)


_COLUMNS = ("pair", "source", "target", "keypoint", "nth", "x", "y")


def _table(arrays: Mapping[str, np.ndarray], path: Path) -> pa.Table:
    used = {name: array for name, array in arrays.items() if name in _COLUMNS}
    sizes = {name: array.shape for name, array in used.items()}
    odd = [name for name, shape in sizes.items() if len(shape) != 1 or shape != next(iter(sizes.values()))]
    if odd:
        raise InputError(f"{path}: arrays must be columns of one length, found {_shapes(sizes)} ({PAGE})")
    try:
        return pa.table({name: _column(array) for name, array in used.items()})
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(f"{path}: an array holds neither numbers nor texts ({plain(error)}); convert it") from error


def _column(array: np.ndarray) -> pa.Array:
    if array.dtype.kind in "US":
        return pa.array(array.astype(str).tolist(), pa.string())
    native = array.astype(array.dtype.newbyteorder("="))
    return pa.array(native.astype(np.float32) if native.dtype == np.float16 else native)


def _shapes(sizes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in sizes.items())


def _from_table(table: pa.Table, path: Path, *, dense: bool = False, fingerprint: str | None = None) -> AnswerRows:
    found = [str(name) for name in table.column_names]
    twice = [name for name, count in Counter(found).items() if count > 1 and name in _COLUMNS]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} is there twice; keep one")
    by_number = "pair" in found
    needed = ["pair"] if by_number or not {"source", "target"} & set(found) else ["source", "target"]
    nth = "nth" in found and "keypoint" not in found
    absent = [name for name in (*needed, "nth" if nth else "keypoint", "x", "y") if name not in found]
    if absent:
        shown = [" ".join(name.split())[:40] for name in found[:20]]
        raise InputError(
            f"{path}: column {absent[0]!r} is missing{nearest_names(absent[0], shown)}; predictions have "
            f"pair (or source and target), keypoint (or nth), x and y ({PAGE})"
        )
    named = "source" in found and "target" in found
    points = np.stack([numbers(table["x"], "x", path), numbers(table["y"], "y", path)], axis=1)
    return AnswerRows(
        pair=whole_numbers(table["pair"], "pair", path) if by_number else None,
        source=texts(table["source"], "source", path) if named else None,
        target=texts(table["target"], "target", path) if named else None,
        keypoint=whole_numbers(table["nth"], "nth", path)
        if nth
        else texts(table["keypoint"], "keypoint", path, or_numbers=True),
        points=points,
        nth=nth,
        dense=dense,
        fingerprint=fingerprint,
    )


_READERS: dict[str, Callable[[Path], AnswerRows]] = {
    ".csv": _from_csv,
    ".parquet": _from_parquet,
    ".npz": _from_npz,
    ".json": _from_json,
}

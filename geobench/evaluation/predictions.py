"""Predictions: the answers of a method to the questions of a split, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Float32, Int16, Int32, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError
from geobench.evaluation.queries import Queries, queries

__all__ = ["Predictions", "Queries", "answers", "queries"]

_COLUMNS = {"pair": pa.int32(), "keypoint": pa.int16(), "x": pa.float32(), "y": pa.float32()}
_KEYPOINTS = 1 << 15  # keypoint columns fit in int16


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted points, R rows in any order.

    Attributes:
        pair: row of the pair in the split.
        keypoint: column of the keypoint.
        x, y: predicted point, pixels of the original answer image; NaN where the pair failed, which counts as wrong.
        origin: name of the file they are from, for error messages; empty where they are from none.
    """

    pair: Int32[np.ndarray, " r"]
    keypoint: Int16[np.ndarray, " r"]
    x: Float32[np.ndarray, " r"]
    y: Float32[np.ndarray, " r"]
    origin: str = ""

    def __len__(self) -> int:
        return len(self.pair)

    @classmethod
    def of(cls, asked: Queries, points: Float[np.ndarray, "r 2"]) -> Predictions:
        """Return the answers ``points`` (x, y), row by row, to the questions ``asked``."""
        return cls(asked.pair, asked.keypoint, points[:, 0].astype(np.float32), points[:, 1].astype(np.float32))

    def to_table(self) -> pa.Table:
        """Return the predictions as an Arrow table: pair, keypoint, x, y."""
        return pa.table({name: pa.array(getattr(self, name), kind) for name, kind in _COLUMNS.items()})

    @classmethod
    def from_table(cls, table: pa.Table, where: str) -> Predictions:
        """Return the predictions stored in an Arrow table; ``where`` names its origin in error messages.

        Raises:
            InputError: a column is missing, has empty cells, or does not hold numbers of its kind.
        """
        absent = [name for name in _COLUMNS if name not in table.column_names]
        if absent:
            raise InputError(f"{where}: column {absent[0]!r} is missing; predictions have pair, keypoint, x and y")
        columns = {name: _column(table[name], name, kind, where) for name, kind in _COLUMNS.items()}
        return cls(**columns, origin=where)


def _column(column: pa.ChunkedArray, name: str, kind: pa.DataType, where: str) -> np.ndarray:
    if column.null_count and name in ("pair", "keypoint"):
        raise InputError(f"{where}: column {name!r} has {column.null_count} empty cells; fill or remove those rows")
    try:
        # Coordinates may come as float64 and lose digits; row numbers may not.
        cast = column.cast(kind, safe=name in ("pair", "keypoint"))
    except pa.ArrowException as error:
        raise InputError(f"{where}: column {name!r} is not {kind} ({error}); convert it") from error
    return np.asarray(cast.to_numpy())


def answers(
    predictions: Predictions,
    asked: Queries,
    benchmark: Benchmark,
    pairs: Pairs,
    counted: Bool[np.ndarray, " p"] | None = None,
    split: str = "",
) -> Float32[np.ndarray, "r 2"]:
    """Return the predicted (x, y), pixels of the original answer image, row by row as ``asked``.

    Args:
        predictions: the answers, in any order.
        asked: the questions.
        benchmark: where the names for error messages are.
        pairs: the pairs that both number.
        counted: which pairs count at all; answers for the others are passed over. By default all do.
        split: name of the split, for error messages.

    Raises:
        InputError: a question has no answer or several, or an answer has no question; the message names the pair
            and the keypoint.
    """
    wanted, given = _keys(asked.pair, asked.keypoint), _keys(predictions.pair, predictions.keypoint)
    points = np.stack([predictions.x, predictions.y], axis=1)
    if np.array_equal(wanted, given):
        return points
    if counted is not None and not counted.all():
        passed_over = np.isin(predictions.pair, np.flatnonzero(~counted))
        given, points = given[~passed_over], points[~passed_over]
    order = np.argsort(given, kind="stable")
    given = given[order]
    if not np.array_equal(wanted, given):
        of = f"{benchmark.name}{f', split {split}' if split else ''}"
        where = f"{predictions.origin or 'predictions'} for {of}"
        raise InputError(f"{where}: {_disagreement(wanted, given, benchmark, pairs)}")
    return points[order]


def _keys(pair: np.ndarray, keypoint: np.ndarray) -> Int64[np.ndarray, " r"]:
    return pair.astype(np.int64) * _KEYPOINTS + keypoint


def _disagreement(wanted: np.ndarray, given: np.ndarray, benchmark: Benchmark, pairs: Pairs) -> str:
    """Return one sentence on the first row that differs; both lists of keys are sorted."""
    missing = wanted[~np.isin(wanted, given)]
    foreign = given[~np.isin(given, wanted)]
    if len(missing):
        what, more = "has no prediction; predict it, or give NaN where the method failed", len(missing)
        return f"{_name(int(missing[0]), benchmark, pairs)} {what} ({more} missing)"
    if len(foreign):
        what, more = "is predicted but not asked for in this split; remove the row", len(foreign)
        return f"{_name(int(foreign[0]), benchmark, pairs)} {what} ({more} such)"
    twice = given[1:][given[1:] == given[:-1]]
    what = f"is predicted more than once; keep one row ({len(twice)} rows too many)"
    return f"{_name(int(twice[0]), benchmark, pairs)} {what}"


def _name(key: int, benchmark: Benchmark, pairs: Pairs) -> str:
    row, keypoint = divmod(key, _KEYPOINTS)
    if not 0 <= row < len(pairs):
        return f"pair {row} (the split has pairs 0 to {len(pairs) - 1}), keypoint {keypoint}"
    ids, skeleton = benchmark.instances.id, benchmark.skeleton(str(pairs.category[row]))
    known = skeleton.names[keypoint] if 0 <= keypoint < len(skeleton) else "no such keypoint"
    images = f"{ids[pairs.source[row]]} -> {ids[pairs.target[row]]}"
    return f"pair {row} ({images}), keypoint {keypoint} ({known})"

"""Predictions on their way to disk: part files written whole every few seconds, merged at the end.

A run that is killed keeps its parts; the next one skips the pairs in them. The merged file is sorted, so
its bytes do not depend on where the parts were cut.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geobench.evaluation.predictions import Predictions
from geobench.files import read_table, write_table

_SCHEMA = pa.schema(
    [("pair", pa.int32()), ("keypoint", pa.int16()), ("x", pa.float32()), ("y", pa.float32()), ("reason", pa.string())]
)


class PartStore:
    """The part files of one run.

    Args:
        folder: the run's folder.
        seconds: how much work may be lost when the process is killed; ``$GEOBENCH_FLUSH_SECONDS``, or 5.
    """

    def __init__(self, folder: Path, seconds: float | None = None) -> None:
        self.folder = folder / "parts"
        self.seconds = float(os.environ.get("GEOBENCH_FLUSH_SECONDS", "5")) if seconds is None else seconds
        self._rows: list[tuple[int, np.ndarray, np.ndarray, str | None]] = []
        self._since = time.monotonic()
        for leftover in self.folder.glob(".*.tmp"):  # of a process that was killed while writing
            leftover.unlink()
        self._written = [read_table(path) for path in sorted(self.folder.glob("*.parquet"))]

    def done(self) -> np.ndarray:
        """Return the sorted pair numbers that earlier sessions finished."""
        return np.unique(np.concatenate([np.zeros(0, np.int32), *(part["pair"].to_numpy() for part in self._written)]))

    def add(self, pair: int, keypoints: np.ndarray, points: np.ndarray, reason: str | None) -> None:
        """Keep the predictions [n, 2] of one pair; ``reason`` says why it failed, if it did."""
        self._rows.append((pair, keypoints, points, reason))
        if time.monotonic() - self._since >= self.seconds:
            self.flush()

    def flush(self) -> None:
        """Write what has been kept since the last part."""
        if self._rows:
            part = self._table()
            write_table(self.folder / f"{len(self._written):06d}.parquet", part)
            self._written.append(part)
        self._rows = []
        self._since = time.monotonic()

    def _table(self) -> pa.Table:
        pairs, keypoints, points, reasons = zip(*self._rows, strict=True)
        counts = [len(some) for some in keypoints]
        place = np.concatenate(points).astype(np.float32)
        columns = [
            pa.array(np.repeat(np.array(pairs, np.int32), counts)),
            pa.array(np.concatenate(keypoints).astype(np.int16)),
            pa.array(place[:, 0]),
            pa.array(place[:, 1]),
            pa.array(np.repeat(np.array(reasons, object), counts).tolist(), pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=_SCHEMA)

    def merge(self) -> tuple[Predictions, pa.Table]:
        """Return all predictions sorted by (pair, keypoint), and the failures as (pair, reason)."""
        self.flush()
        table = pa.concat_tables([_SCHEMA.empty_table(), *self._written])
        table = table.sort_by([("pair", "ascending"), ("keypoint", "ascending")])
        failed = table.filter(pc.is_valid(table["reason"])).select(["pair", "reason"])
        first_rows = np.unique(failed["pair"].to_numpy(), return_index=True)[1]
        predictions = Predictions.from_table(table.select(["pair", "keypoint", "x", "y"]), str(self.folder))
        return predictions, failed.take(pa.array(first_rows))

    def remove(self) -> None:
        """Delete the part files, once their content is in predictions.parquet."""
        shutil.rmtree(self.folder, ignore_errors=True)

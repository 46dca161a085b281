"""What can be checked of a result's answers and failures without their benchmark."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Bool, Int

from geobench.errors import InputError
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.runs import Run
from geobench.files import read_table
from geobench.results.layout import FAILURES, PREDICTIONS_FILE, RUN_FILE

COLUMNS = ("pair", "keypoint", "x", "y")


def check_answers(run: Run) -> Predictions:
    """Return the predictions of a result after checking them, and failures.parquet, against run.json.

    Raises:
        InputError: a column does not belong there, a pair is not of the split, a point is infinite, run.json
            miscounts pairs, or failures.parquet names other pairs than those without an answer.
    """
    path, record, predictions = run.folder / PREDICTIONS_FILE, run.record, run.predictions()
    extra = [name for name in read_table(path).column_names if name not in COLUMNS]
    if extra:
        raise InputError(f"{path}: column {extra[0]!r} does not belong there; send the run unedited")
    pair = predictions.pair
    if len(pair) and not 0 <= pair.min() <= pair.max() < record.n_pairs:
        raise InputError(f"{path}: column 'pair' is outside 0 to {record.n_pairs - 1}; send the run unedited")
    for name, column in (("x", predictions.x), ("y", predictions.y)):
        if np.isinf(column).any():
            row = int(np.flatnonzero(np.isinf(column))[0])
            raise InputError(f"{path}: row {row}: {name} is infinite; run the method again, NaN is for a failure")
    failed = np.unique(pair[_unanswered(predictions)])
    for name, said, found in (
        ("n_pairs_effective", record.n_pairs_effective, len(np.unique(pair))),
        ("n_pairs_failed", record.n_pairs_failed, len(failed)),
    ):
        if said != found:
            what = f"is {said}, but {PREDICTIONS_FILE} has {found} such pairs"
            raise InputError(f"{run.folder / RUN_FILE}: {name}: {what}; send the run unedited")
    _check_failures(run, failed)
    return predictions


def _unanswered(predictions: Predictions) -> Bool[np.ndarray, " r"]:
    return np.isnan(predictions.x) | np.isnan(predictions.y)


def _check_failures(run: Run, failed: Int[np.ndarray, " f"]) -> None:
    path = run.folder / FAILURES
    if not len(failed):
        if path.exists():
            raise InputError(f"{path}: does not belong to a run in which no pair failed; remove it")
        return
    if not path.is_file():
        raise InputError(f"{path}: is missing, though {len(failed)} pairs failed; copy it too")
    table = read_table(path)
    if sorted(table.column_names) != ["pair", "reason"]:
        raise InputError(f"{path}: must have the columns pair and reason; send the run unedited")
    if sorted(table["pair"].to_pylist(), key=str) != sorted(failed.tolist(), key=str):
        raise InputError(f"{path}: column 'pair' is not of the pairs without an answer; send the run unedited")


def answers_digest(predictions: Predictions) -> str:
    """Return the SHA-256 of predictions, whatever the order of their rows and however the file is written."""
    order = np.lexsort((predictions.keypoint, predictions.pair))
    state = hashlib.sha256()
    for name in COLUMNS:
        state.update(np.ascontiguousarray(getattr(predictions, name)[order]).tobytes())
    return state.hexdigest()

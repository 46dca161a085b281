"""Whether the scores of a result are those of its predictions: counted again, figure by figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark
from geobench.errors import InputError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.flow_run import FLOW_FILE, has_flow
from geobench.evaluation.flow_scores import flow_scores
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.evaluation.score_file import ATTRIBUTE, FIGURES, KEY
from geobench.evaluation.scores import score
from geobench.evaluation.scoring import INTERVALS
from geobench.results.layout import RUN_FILE, SCORES_FILE

TOLERANCE = 1e-9
"""Sums of floats may be taken in another order on another machine; counts may not differ."""


def check_table(run: Run) -> pd.DataFrame:
    """Return scores.parquet of a result after checking its form.

    Raises:
        InputError: a column is missing, too many or of another kind, a row is there twice, a share is outside 0 to 1,
            or intervals are made otherwise than ``geobench score`` makes them unless told.
    """
    path, scores = run.folder / SCORES_FILE, run.scores()
    _check_columns(run, scores)
    twice = scores.duplicated(list(KEY))
    if twice.any():
        raise InputError(f"{path}: {_name(scores[twice].iloc[0])} is there twice; run: geobench score {run.folder}")
    for name in ("value", "low", "high"):
        outside = scores[~(scores[name].between(0, 1) | scores[name].isna())]
        if len(outside):
            found, row = outside[name].iloc[0], _name(outside.iloc[0])
            raise InputError(f"{path}: {name} of {row}: {found} is no share; run: geobench score {run.folder}")
    return scores


def _check_columns(run: Run, scores: pd.DataFrame) -> None:
    path, remedy = run.folder / SCORES_FILE, f"run: geobench score {run.folder}"
    extra = [str(name) for name in scores if name not in (*KEY, *FIGURES)]
    if extra:
        raise InputError(f"{path}: column {extra[0]!r} does not belong there; {remedy}")
    if scores.attrs[ATTRIBUTE] != INTERVALS.record():
        how = f"resamples {INTERVALS.resamples}, method {INTERVALS.method}, level {INTERVALS.level}"
        raise InputError(f"{path}: metadata 'geobench.intervals': must be {how}, seed {INTERVALS.seed}; {remedy}")


def check_scores(run: Run, benchmark: Benchmark) -> None:
    """Count the predictions of a result again and compare every figure of scores.parquet, intervals included.

    Args:
        run: the result; its form has been checked.
        benchmark: what it was made on.

    Raises:
        InputError: the benchmark has no such split, a question has no answer or several, or a figure is not what the
            predictions give.
    """
    path, found = run.folder / SCORES_FILE, run.scores()
    expected = _count(run, benchmark, Protocol.model_validate(run.record.protocol))
    left, right = (table.set_index(list(KEY)).sort_index() for table in (found, expected))
    for table, other, what in ((left, right, "is not counted by the protocol"), (right, left, "is missing")):
        extra = table.index.difference(other.index)
        if len(extra):
            name = _name(dict(zip(KEY, extra[0], strict=True)))
            raise InputError(f"{path}: {name} {what}; run: geobench score {run.folder}")
    for name in FIGURES:
        wrong = ~np.isclose(left[name], right[name], rtol=0, atol=TOLERANCE, equal_nan=True)
        if wrong.any():
            where = dict(zip(KEY, left.index[wrong][0], strict=True))
            stored, counted = left[name][wrong].iloc[0], right[name][wrong].iloc[0]
            raise InputError(
                f"{path}: {name} of {_name(where)}: is {stored:.6g}, but the predictions give {counted:.6g}; "
                f"run: geobench score {run.folder}"
            )


def _count(run: Run, benchmark: Benchmark, protocol: Protocol) -> pd.DataFrame:
    split = run.record.benchmark.split
    if split not in benchmark.splits:
        where = f"{run.folder / RUN_FILE}: benchmark.split"
        raise InputError(f"{where}: {benchmark.name} has no split {split!r}; send the run unedited")
    if has_flow(benchmark):
        return flow_scores(run, benchmark, protocol, INTERVALS)
    if (run.folder / FLOW_FILE).exists():
        raise InputError(f"{run.folder / FLOW_FILE}: does not belong to a run on keypoints; remove it")
    pairs, predictions, _ = asked_and_answered(run, benchmark)
    return score(benchmark, pairs, predictions, protocol, split, INTERVALS)


def _name(row: Any) -> str:
    return ", ".join(f"{key} {row[key]}" for key in KEY)

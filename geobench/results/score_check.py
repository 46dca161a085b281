"""Whether the scores of a result are those of its predictions: counted again, figure by figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.flow_run import has_flow
from geobench.evaluation.flow_scores import flow_scores
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.evaluation.score_file import ATTRIBUTE
from geobench.evaluation.scores import score
from geobench.results.layout import PREDICTIONS_FILE, RUN_FILE, SCORES_FILE

KEY = ("scope", "subset", "metric", "alpha")
FIGURES = ("value", "low", "high", "n", "n_pairs", "n_points", "n_images")
TOLERANCE = 1e-9
"""Sums of floats may be taken in another order on another machine; counts may not differ."""


def check_table(run: Run) -> pd.DataFrame:
    """Return scores.parquet of a result after checking its form.

    Raises:
        InputError: a column is missing, a row is there twice, a share is outside 0 to 1, or run.json miscounts
            the answers.
    """
    path, scores = run.folder / SCORES_FILE, run.scores()
    for name in (*KEY, *FIGURES):
        if name not in scores:
            raise InputError(f"{path}: column {name!r} is missing; run: geobench score {run.folder}")
    for name in ("alpha", *FIGURES):
        if not pd.api.types.is_numeric_dtype(scores[name]):
            raise InputError(f"{path}: column {name!r} holds no numbers; run: geobench score {run.folder}")
    twice = scores.duplicated(list(KEY))
    if twice.any():
        raise InputError(f"{path}: {_name(scores[twice].iloc[0])} is there twice; run: geobench score {run.folder}")
    for name in ("value", "low", "high"):
        outside = scores[~(scores[name].between(0, 1) | scores[name].isna())]
        if len(outside):
            found, row = outside[name].iloc[0], _name(outside.iloc[0])
            raise InputError(f"{path}: {name} of {row}: {found} is no share; run: geobench score {run.folder}")
    _check_answers(run)
    return scores


def _check_answers(run: Run) -> None:
    """Check what can be checked of predictions without their benchmark: rows, pairs and failures."""
    path, record, predictions = run.folder / PREDICTIONS_FILE, run.record, run.predictions()
    pair = predictions.pair
    if len(pair) and not 0 <= pair.min() <= pair.max() < record.n_pairs:
        raise InputError(f"{path}: column 'pair' is outside 0 to {record.n_pairs - 1}; send the run unedited")
    failed = len(np.unique(pair[np.isnan(predictions.x) | np.isnan(predictions.y)]))
    for name, said, found in (
        ("n_pairs_effective", record.n_pairs_effective, len(np.unique(pair))),
        ("n_pairs_failed", record.n_pairs_failed, failed),
    ):
        if said != found:
            what = f"is {said}, but {PREDICTIONS_FILE} has {found} such pairs"
            raise InputError(f"{run.folder / RUN_FILE}: {name}: {what}; send the run unedited")


def check_scores(run: Run, benchmark: Benchmark) -> None:
    """Count the predictions of a result again and compare every figure of scores.parquet, intervals included.

    Args:
        run: the result; its form has been checked.
        benchmark: what it was made on.

    Raises:
        InputError: a question has no answer or several, or a figure is not what the predictions give.
    """
    path, found = run.folder / SCORES_FILE, run.scores()
    protocol = Protocol.model_validate(run.record.protocol)
    expected = _count(run, benchmark, protocol, _bootstrap(path, found.attrs[ATTRIBUTE]))
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


def _count(run: Run, benchmark: Benchmark, protocol: Protocol, bootstrap: Bootstrap | None) -> pd.DataFrame:
    if has_flow(benchmark):
        return flow_scores(run, benchmark, protocol, bootstrap)
    pairs, predictions, _ = asked_and_answered(run, benchmark)
    return score(benchmark, pairs, predictions, protocol, run.record.benchmark.split, bootstrap)


def _bootstrap(path: Path, made: dict[str, Any] | None) -> Bootstrap | None:
    if made is None:
        return None
    try:
        return Bootstrap(**{key: value for key, value in made.items() if key != "drawn"})
    except (TypeError, UsageError) as error:
        raise InputError(f"{path}: metadata 'geobench.intervals': {error}; run geobench score again") from error


def _name(row: Any) -> str:
    return ", ".join(f"{key} {row[key]}" for key in KEY)

"""The pairs a run was asked and its answers, numbered alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.runs import Run


def asked_and_answered(run: Run, benchmark: Benchmark) -> tuple[Pairs, Predictions, np.ndarray]:
    """Return the pairs of a run, its predictions numbered by their rows, and those rows' numbers in the split.

    Raises:
        InputError: the run is unfinished.
    """
    asked = run.record.benchmark
    split = benchmark.split(asked.split)
    rows = select_pairs(len(split), asked.limit)
    predictions = run.predictions()
    numbered = replace(predictions, pair=np.searchsorted(rows, predictions.pair).astype(np.int32))
    return split.take(rows), numbered, rows

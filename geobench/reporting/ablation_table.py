"""An ablation as the paper prints it: one row per variant, standard and geometry-aware at several thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.reporting.leaderboard import SUBSETS, Column, Leaderboard, figures_of, interval_note
from geobench.reporting.marks import mark_notes, marked

ALPHAS = (0.01, 0.05, 0.10)
"""Those of the paper's Table 5."""


def ablation_tables(
    runs: Sequence[Run], alphas: Sequence[float], metric: str | None = None, intervals: bool = False
) -> list[Leaderboard]:
    """Return one table per split; rows in the order of the runs.

    Args:
        runs: scored runs of one benchmark under one protocol.
        alphas: thresholds, a column each.
        metric: ``per_image`` or ``per_point``; by default the protocol's headline.
        intervals: also the confidence intervals; a note says how they were made.

    Raises:
        InputError: a run has no scores, or none at such a threshold.
    """
    splits = dict.fromkeys(run.record.benchmark.split for run in runs)
    return [
        _table([run for run in runs if run.record.benchmark.split == split], split, alphas, metric, intervals)
        for split in splits
    ]


def _table(
    runs: Sequence[Run], split: str, alphas: Sequence[float], metric: str | None, intervals: bool
) -> Leaderboard:
    record = runs[0].record
    metric = metric or Protocol.model_validate(record.protocol).headline
    columns = [Column(record.benchmark.name, f"@{alpha:g}", subset) for subset in SUBSETS.values() for alpha in alphas]
    methods = [marked(run) for run in runs]
    values, *ends = np.array([_row(run, alphas, metric) for run in runs]).transpose(2, 0, 1)
    return Leaderboard(
        methods=methods,
        columns=columns,
        values=values,
        competes=np.ones(len(runs), bool),
        caption=f"{split}, PCK {metric.replace('_', ' ')}, percent",
        metric=metric,
        notes=([interval_note(runs)] if intervals else []) + mark_notes(methods),
        ends=np.array(ends) if intervals else None,
    )


def _row(run: Run, alphas: Sequence[float], metric: str) -> Float64[np.ndarray, "c 3"]:
    """Return standard at every alpha, then geometry-aware at every alpha: the figure and the ends of its interval."""
    figures = np.array([list(figures_of(run, alpha, metric).values()) for alpha in alphas], np.float64)
    return figures.transpose(1, 0, 2).reshape(-1, 3)

"""The table of global pose awareness: methods x the paper's four columns, with the level of chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int64

from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.pose_intervals import pose_intervals
from geobench.evaluation.pose_run import PoseRun
from geobench.evaluation.pose_templates import TemplateSet
from geobench.evaluation.pose_vote import CHANCE, COLUMNS, LEFT, VIEWS
from geobench.reporting.leaderboard import Column, Leaderboard
from geobench.reporting.published_rows import POSE_METRIC, with_published
from geobench.reporting.scores_text import interval_sentence

CHANCE_ROW = "chance (guessing)"


def column_counts(truth: Int64[np.ndarray, " t"]) -> dict[str, int]:
    """Return how many targets each column asks about; ``truth`` holds numbers of VIEWS."""
    sideways = int((truth >= LEFT).sum())
    return dict(zip(COLUMNS, (sideways, len(truth) - sideways, len(truth), len(truth)), strict=True))


def chance_interval(name: str, n: int) -> tuple[float, float]:
    """Return the shares between which guessing lies in 95 of 100 trials of ``n`` targets (binomial); NaN for none."""
    from scipy.stats import binom

    if not n:
        return float("nan"), float("nan")
    low, high = binom.interval(0.95, n, CHANCE[name])
    return float(low) / n, float(high) / n


def pose_board(
    benchmark: str,
    rows: Mapping[str, Mapping[str, float]],
    truth: Int64[np.ndarray, " t"],
    templates: Sequence[TemplateSet],
    published: bool = False,
) -> Leaderboard:
    """Return the table of methods by column, in the order given, with a row for guessing.

    Args:
        benchmark: name of the benchmark the targets are from.
        rows: by the method's title, the accuracies (0 to 1) by column.
        truth: views of the targets, numbers of VIEWS.
        templates: what the targets were compared with.
        published: add the paper's printed rows, marked as printed; they are of other images.
    """
    names = [*rows, CHANCE_ROW]
    values = np.array([[100 * cells[column] for column in COLUMNS] for cells in [*rows.values(), CHANCE]])
    competes = np.array([name in rows for name in names])
    notes = _notes(truth, templates)
    if published:
        printed = with_published(None, alpha=0.0, metric=POSE_METRIC)
        order = [[column.subset for column in printed.columns].index(name) for name in COLUMNS]
        names += printed.methods
        values = np.concatenate([values, printed.values[:, order]])
        competes = np.concatenate([competes, printed.competes])
        notes += [*printed.notes, "printed rows are of the paper's photographs, not of these targets"]
    columns = [Column(benchmark, "pose", name) for name in COLUMNS]
    caption = "global pose awareness, accuracy in percent"
    return Leaderboard(names, columns, values, competes, caption, POSE_METRIC, notes)


def _notes(truth: Int64[np.ndarray, " t"], templates: Sequence[TemplateSet]) -> list[str]:
    counts, views = column_counts(truth), np.bincount(truth, minlength=len(VIEWS)).tolist()
    ranges = [
        f"{name} {100 * low:.0f}-{100 * high:.0f}"
        for name, (low, high) in ((name, chance_interval(name, counts[name])) for name in COLUMNS)
        if counts[name]
    ]
    return [
        "targets per column: " + ", ".join(f"{name} {count}" for name, count in counts.items()),
        "targets per view: " + ", ".join(f"{view} {count}" for view, count in zip(VIEWS, views, strict=True)),
        "guessing stays within, in 95 of 100 trials: " + ", ".join(ranges),
        f"template sets: {', '.join(one.name for one in templates)}",
    ]


def pose_record(
    accuracies: Mapping[str, float], truth: Int64[np.ndarray, " t"], ends: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Return a JSON-ready record per column: share of right answers, its interval, n, chance.

    The share is None where nothing is asked, the interval where there are too few images.

    Args:
        accuracies: shares by column.
        truth: views of the targets, numbers of VIEWS.
        ends: of the intervals (:func:`geobench.evaluation.pose_intervals.pose_intervals`).
    """
    return {
        name: {
            "accuracy": float(accuracies[name]) if count else None,
            "interval": None if np.isnan(ends[name][0]) else list(ends[name]),
            "n": count,
            "chance": CHANCE[name],
            "chance_95": list(chance_interval(name, count)) if count else None,
        }
        for name, count in column_counts(truth).items()
    }


def board_of_runs(runs: Sequence[PoseRun], published: bool = False, bootstrap: Bootstrap | None = None) -> Leaderboard:
    """Return the table of several methods' answers to one task.

    Args:
        runs: their answers.
        published: as for :func:`pose_board`.
        bootstrap: how to make intervals; none by default.
    """
    task = runs[0].task
    rows: dict[str, Mapping[str, float]] = {}
    for run in runs:
        title = run.method.title if run.method.title not in rows else f"{run.method.title} ({run.method.name})"
        rows[title] = run.accuracies
    board = pose_board(task.benchmark.name, rows, task.targets.truth, task.templates, published)
    return board if bootstrap is None else _with_intervals(board, runs, bootstrap)


def _with_intervals(board: Leaderboard, runs: Sequence[PoseRun], bootstrap: Bootstrap) -> Leaderboard:
    """Return the table with the intervals of its first rows, which are ``runs``; the others have none."""
    ends = np.full((2, *board.values.shape), np.nan)
    for row, run in enumerate(runs):
        found = pose_intervals(run, bootstrap)
        ends[:, row] = 100 * np.array([found[column.subset] for column in board.columns]).T
    note = f"in brackets: {interval_sentence(bootstrap.record())}"
    return replace(board, ends=ends, notes=[note, *board.notes])


def record_of_runs(runs: Sequence[PoseRun], *, targets: bool = False) -> dict[str, Any]:
    """Return several methods' answers ready for JSON, with intervals; with ``targets``, target by target."""
    bootstrap = Bootstrap()
    return {
        "runs": [
            {
                **run.record(),
                "intervals": bootstrap.record(),
                "columns": pose_record(run.accuracies, run.task.targets.truth, pose_intervals(run, bootstrap)),
                **({"targets": run.target_records()} if targets else {}),
            }
            for run in runs
        ]
    }

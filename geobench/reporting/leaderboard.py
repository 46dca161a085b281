"""Methods × benchmarks: one table from many runs, which refuses to mix what cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from geobench.errors import InputError
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.evaluation.score_file import ATTRIBUTE
from geobench.reporting.marks import TRAINED_MARK, mark_notes, marked
from geobench.reporting.scores_text import interval_sentence
from geobench.reporting.training_data import trained_on_split

SUBSETS = {"all": "standard", "geometry_aware": "geometry-aware"}
SETTINGS = ("intra-species", "cross-species", "cross-family")
DIFFERENCE_MARK = " (measured - printed)"


class Column(NamedTuple):
    """What one column of a leaderboard counts."""

    benchmark: str
    split: str
    subset: str


class Figure(NamedTuple):
    """A figure in percent, and the ends of its confidence interval."""

    value: float
    low: float
    high: float


NO_FIGURE = Figure(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Leaderboard:
    """A table for people.

    Attributes:
        methods: one name per row, best first, bounds and printed rows last.
        columns: benchmark, split and subset of each column.
        values: PCK in percent, NaN where a method has no figure, [methods, columns].
        competes: rows measured here by a method that was not given the answer; only these can be best.
        caption: what the numbers are.
        metric: ``per_image`` or ``per_point``.
        notes: the meaning of marks, and what was left out and why.
        ends: lower and upper ends of the confidence intervals in percent, NaN where there is none,
            [2, methods, columns]; None where none were asked for.
    """

    methods: list[str]
    columns: list[Column]
    values: Float64[np.ndarray, "m c"]
    competes: Bool[np.ndarray, " m"]
    caption: str
    metric: str
    notes: list[str] = field(default_factory=list)
    ends: Float64[np.ndarray, "2 m c"] | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """The same as a DataFrame: rows by method, columns by (benchmark, split, subset)."""
        names = pd.MultiIndex.from_tuples(self.columns, names=list(Column._fields))
        return pd.DataFrame(self.values, index=pd.Index(self.methods, name="method"), columns=names)


def leaderboard_table(
    runs: Sequence[Run], *, alpha: float = 0.10, metric: str | None = None, intervals: bool = False
) -> Leaderboard:
    """Return the leaderboard of ``runs`` at one PCK threshold.

    Args:
        runs: scored runs. Unfinished, failed and ``--limit``ed ones, and those of random weights, are left out
            and named in the notes.
        alpha: the PCK threshold.
        metric: ``per_image`` or ``per_point``; by default the headline of the runs' protocol.
        intervals: also the confidence intervals; a note says how they were made.

    Raises:
        InputError: no run is left; two runs differ in fingerprint or protocol; no score at alpha; a run was scored
            without intervals, or two with intervals of different kinds.
    """
    shown, notes = shown_runs(runs)
    protocol = Protocol.model_validate(shown[0].record.protocol)
    metric = metric or protocol.headline
    cells: dict[str, dict[Column, Figure]] = {}
    for run in shown:
        cells.setdefault(marked(run), {}).update(figures_of(run, alpha, metric))
    bounds = {marked(run) for run in shown if run.record.method.knows_truth}
    means = {name: float(np.mean([figure.value for figure in row.values()])) for name, row in cells.items()}
    methods = sorted(cells, key=lambda name: (name in bounds, -means[name], name))
    columns = sorted({column for row in cells.values() for column in row}, key=column_order)
    figures = [[cells[name].get(column, NO_FIGURE) for column in columns] for name in methods]
    values, *ends = np.array(figures, dtype=np.float64).transpose(2, 0, 1)
    competes = np.array([name not in bounds for name in methods])
    trained = {marked(run) for run in shown if saw_training_split(run)}
    methods = [name + TRAINED_MARK * (name in trained) for name in methods]
    title = f"PCK@{alpha:g} in percent, {metric.replace('_', ' ')}"
    caption = f"{title}, protocol {protocol.name} ({protocol.fingerprint[:12]})"
    notes += ([interval_note(shown)] if intervals else []) + mark_notes(methods)
    drawn = np.array(ends) if intervals else None
    return Leaderboard(methods, columns, values, competes, caption, metric, notes, drawn)


def interval_note(runs: Sequence[Run]) -> str:
    """Return how the intervals were made, refusing a table in which they differ or a run has none."""
    kinds = {run.folder: run.scores().attrs[ATTRIBUTE] for run in runs}
    first, *_ = kinds.values()
    for folder, made in kinds.items():
        if made is None or made != first:
            what = "without intervals" if made is None else "with intervals of another kind than the others"
            raise InputError(f"{folder}: scored {what}; run: geobench score {folder}")
    return f"in brackets: {interval_sentence(first)}"


def shown_runs(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Return the runs that belong in one table, the newest of each method and split, and notes on what was left out.

    Raises:
        InputError: no run is left; two runs differ in fingerprint or protocol.
    """
    kept, notes = _presentable(runs)
    _check_comparable(kept)
    return _latest(kept, notes), notes


def saw_training_split(run: Run) -> bool:
    """Return whether the method was trained on the training split of the benchmark it was run on."""
    return trained_on_split(run.record.method.recipe.get("trained_on", ()), run.record.benchmark.name)


def _presentable(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Return the runs that belong in a table, and one note for each kind that does not."""
    reasons = {
        "unfinished or failed": [r for r in runs if r.record.status in ("started", "failed")],
        "limited to a part of the split": [r for r in runs if r.record.benchmark.limit is not None],
        "random weights": [r for r in runs if r.record.method.random_weights],
    }
    left_out = {id(run) for some in reasons.values() for run in some}
    kept = [run for run in runs if id(run) not in left_out]
    notes = [f"left out, {why}: {', '.join(_label(run) for run in some)}" for why, some in reasons.items() if some]
    if not kept:
        raise InputError(f"no run to show ({'; '.join(notes) or 'none found'}); finish a run without --limit")
    return kept, notes


def _label(run: Run) -> str:
    return f"{run.record.method.name} on {run.record.benchmark.name}/{run.record.benchmark.split} ({run.record.id})"


def _check_comparable(runs: Sequence[Run]) -> None:
    first: dict[tuple[str, str], Run] = {}
    for run in runs:
        asked = run.record.benchmark
        other = first.setdefault((asked.name, asked.split), run)
        if other.record.benchmark.fingerprint != asked.fingerprint:
            raise InputError(
                f"{asked.name}/{asked.split}: {_label(run)} and {_label(other)} were made on different benchmarks "
                f"({asked.fingerprint[:12]} and {other.record.benchmark.fingerprint[:12]}); show them apart"
            )
        if runs[0].record.protocol_fingerprint != run.record.protocol_fingerprint:
            raise InputError(
                f"{_label(run)} and {_label(runs[0])} were counted under different protocols "
                f"({run.record.protocol['name']} and {runs[0].record.protocol['name']}); choose one with --protocol"
            )


def _latest(runs: Sequence[Run], notes: list[str]) -> list[Run]:
    """Return the newest run of each method and split; older ones are named in the notes."""
    newest: dict[tuple[str, str, str], Run] = {}
    for run in sorted(runs, key=lambda r: r.record.started_at):
        key = (run.record.method.title, run.record.benchmark.name, run.record.benchmark.split)
        if key in newest:
            notes.append(f"left out, a newer run exists: {_label(newest[key])}")
        newest[key] = run
    return list(newest.values())


def figures_of(run: Run, alpha: float, metric: str) -> dict[Column, Figure]:
    """Return the figures of a run at a threshold, in percent, standard before geometry-aware.

    Raises:
        InputError: the run was not scored at this threshold.
    """
    scores, asked = run.scores(), run.record.benchmark
    chosen = scores[(scores.scope == "all") & (scores.metric == metric) & ((scores.alpha - alpha).abs() < 1e-9)]
    if chosen.empty:
        known = ", ".join(f"{value:g}" for value in sorted(scores.alpha.unique()))
        raise InputError(f"{run.folder}: no {metric} score at alpha {alpha:g}; scored at {known}")
    percent = 100 * chosen.set_index("subset")[list(Figure._fields)].astype(float)
    return {Column(asked.name, asked.split, title): Figure(*percent.loc[key]) for key, title in SUBSETS.items()}


def column_order(column: Column) -> tuple[object, ...]:
    """Return the sort key of a column: AP-10K's settings from easy to hard, standard before geometry-aware."""
    setting = column.split.rpartition("/")[2]
    rank = SETTINGS.index(setting) if setting in SETTINGS else len(SETTINGS)
    return column.benchmark, rank, column.split, list(SUBSETS.values()).index(column.subset)

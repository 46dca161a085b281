"""A comparison of runs as a table of texts: two runs scope by scope, or several with the groups they form."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from geobench.errors import UsageError
from geobench.evaluation.comparison import Comparison
from geobench.reporting.comparison_text import chosen_rows, group_letters, p_text, run_values, sentences
from geobench.reporting.leaderboard import saw_training_split
from geobench.reporting.marks import MEANINGS, TRAINED_MARK, TRUTH_MARK, mark_notes, marks_of
from geobench.reporting.plain_table import PlainTable, frame_csv, percent, render_plain
from geobench.reporting.scores_text import interval_sentence

_SUBSETS = ("all", "geometry_aware")
_MEANINGS = MEANINGS | {TRUTH_MARK: "is given the answer: a bound"}


def named_rows(comparison: Comparison) -> pd.DataFrame:
    """Return the table of a comparison with the runs' names, not their numbers, in ``first`` and ``second``."""
    names, table = dict(enumerate(comparison.names)), comparison.table
    return table.assign(first=table["first"].map(names), second=table["second"].map(names))


def check_alpha(comparison: Comparison, alpha: float) -> None:
    """Refuse a threshold that the protocol does not have.

    Raises:
        UsageError: it has no such alpha.
    """
    if not any(abs(alpha - one) < 1e-9 for one in comparison.protocol.alphas):
        known = ", ".join(f"{one:g}" for one in comparison.protocol.alphas)
        raise UsageError(f"--alpha {alpha:g} is none of protocol {comparison.protocol.name}, which has {known}")


def said_of(comparison: Comparison, metric: str, alpha: float) -> list[str]:
    """Return what a comparison says of all keypoints, and what of the geometry-aware ones."""
    return [" ".join(sentences(comparison, one, metric, alpha)) for one in _SUBSETS]


def comparison_text(
    comparison: Comparison, style: str, *, alpha: float = 0.10, metric: str | None = None, subset: str = "all"
) -> str:
    """Return the table and the sentences of a comparison as text.

    Args:
        comparison: of two runs or more.
        style: ``table``, ``markdown``, ``latex``, or ``csv``: then all rows, with every subset, metric and alpha.
        alpha: the PCK threshold.
        metric: ``per_image`` or ``per_point``; by default the protocol's headline.
        subset: ``all`` or ``geometry_aware``, which the table is of; the sentences are of both.

    Raises:
        UsageError: the protocol has no such alpha.
    """
    check_alpha(comparison, alpha)
    how = interval_sentence(comparison.bootstrap.record())
    if style == "csv":
        return frame_csv(named_rows(comparison).assign(intervals=how))
    metric = metric or comparison.protocol.headline
    comparison = _marked(comparison)
    rows = chosen_rows(comparison, subset, metric, alpha)
    said = said_of(comparison, metric, alpha)
    title = f"{_title(comparison, metric, alpha)}, {subset.replace('_', '-')}"
    notes = [*said, f"intervals and p: {how}, paired", *mark_notes(comparison.names, _MEANINGS)]
    if len(comparison.runs) == 2:
        return render_plain(_two(comparison, rows, title, notes), style)
    every = replace(_every_two(comparison, rows), notes=notes)
    return f"{render_plain(_groups(comparison, rows, title), style)}\n{render_plain(every, style)}"


def _marked(comparison: Comparison) -> Comparison:
    """Return a comparison whose names end in the marks of their runs, as in leaderboards."""
    both = zip(comparison.names, comparison.runs, strict=True)
    return replace(
        comparison, names=[name + marks_of([run]) + TRAINED_MARK * saw_training_split(run) for name, run in both]
    )


def _title(comparison: Comparison, metric: str, alpha: float) -> str:
    asked = comparison.runs[0].record.benchmark
    limited = f" ({comparison.runs[0].record.n_pairs:,} pairs of it)" if asked.limit else ""
    figure = f"PCK@{alpha:g} in percent, {metric.replace('_', ' ')}, protocol {comparison.protocol.name}"
    return f"{asked.name} {asked.split}{limited}: {figure}"


def _two(comparison: Comparison, rows: pd.DataFrame, title: str, notes: list[str]) -> PlainTable:
    categories = rows.scope.str.startswith("category:")
    rows = rows[~categories] if categories.sum() == 1 else rows
    header = ["scope", *comparison.names, "difference", "interval", "p", "p Holm", "detectable", "pairs", "images"]
    body = [
        [
            str(row["scope"]).replace("category:", "").replace("azimuth:", "azimuth "),
            percent(row["value_first"]),
            percent(row["value_second"]),
            *_tested(row),
            f"{row['n_pairs']:,}",
            f"{row['n_images']:,}",
        ]
        for row in rows.to_dict("records")
    ]
    return PlainTable(header, body, title, notes)


def _tested(row: Mapping[Hashable, Any]) -> list[str]:
    """Return difference, interval, p, p Holm and detectable as texts; dashes where there is none."""
    interval = "-" if np.isnan(row["low"]) else f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
    difference = "-" if np.isnan(row["difference"]) else f"{100 * row['difference']:+.1f}"
    return [difference, interval, p_text(row["p"]), p_text(row["p_holm"]), percent(row["detectable"])]


def _groups(comparison: Comparison, rows: pd.DataFrame, title: str) -> PlainTable:
    order, letters = group_letters(comparison, rows)
    values = run_values(rows)
    body = [[comparison.names[run], percent(values[run]), mark] for run, mark in zip(order, letters, strict=True)]
    return PlainTable(["method", "PCK", "group"], body, title, ["methods that share a letter cannot be told apart"])


def _every_two(comparison: Comparison, rows: pd.DataFrame) -> PlainTable:
    body = [
        [f"{comparison.names[row['first']]} - {comparison.names[row['second']]}", *_tested(row)]
        for row in rows.to_dict("records")
    ]
    return PlainTable(["difference of", "points", "interval", "p", "p Holm", "detectable"], body)

"""Printed figures beside measured ones: the same columns, marked as printed, with the difference, never ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from geobench.errors import InputError
from geobench.reporting.leaderboard import (
    DIFFERENCE_MARK,
    SUBSETS,
    Column,
    Leaderboard,
    column_order,
)
from geobench.reporting.marks import MARKS, MIRROR_MARK, TRAINED_MARK
from geobench.reporting.method_notes import published_name, published_names
from geobench.reporting.published import load_published
from geobench.reporting.training_data import trained_on_split, unstated_note

PRINTED_MARK = " (printed)"
POSE_METRIC = "accuracy"


class _Row(NamedTuple):
    name: str
    values: Float64[np.ndarray, " c"]
    ends: Float64[np.ndarray, "2 c"]
    competes: bool


def with_published(board: Leaderboard | None, *, alpha: float, metric: str) -> Leaderboard:
    """Return ``board`` with the rows that papers printed for the same columns.

    A printed row of a method that was measured comes right below it, and below that the difference, measured minus
    printed; the other printed rows come last.

    Args:
        board: measured rows, or None for the printed ones alone.
        alpha: the PCK threshold.
        metric: ``per_image`` or ``per_point``; printed figures of the other kind are not comparable and stay out.
            ``accuracy``, without a board, is the table of global pose awareness.

    Raises:
        InputError: nothing was printed at this threshold.
    """
    printed = _printed_cells(alpha, metric)
    columns = board.columns if board else _in_order(printed.column)
    printed = printed[printed.column.isin(columns)]
    if board is not None and printed.empty:
        return replace(board, notes=[*board.notes, "no printed figure exists for these benchmarks"])
    rows = {str(name): _printed_row(found, columns) for name, found in printed.groupby("method", sort=False)}
    notes = _notes(printed, list(rows.values()))
    if board is None:
        what = "pose accuracy" if metric == POSE_METRIC else f"PCK@{alpha:g}"
        caption = f"{what} in percent, {metric.replace('_', ' ')}, as printed"
        values = np.array([row.values for row in rows.values()])
        competes = np.zeros(len(rows), dtype=bool)
        return Leaderboard([row.name for row in rows.values()], columns, values, competes, caption, metric, notes)
    merged = _merged(board, rows)
    return replace(
        board,
        methods=[row.name for row in merged],
        values=np.array([row.values for row in merged]),
        competes=np.array([row.competes for row in merged]),
        notes=[*board.notes, *notes, *_difference_notes(merged, printed)],
        ends=None if board.ends is None else np.stack([row.ends for row in merged], axis=1),
    )


def _merged(board: Leaderboard, printed: dict[str, _Row]) -> list[_Row]:
    """Return the measured rows, each with its printed rows and the difference below; then the other printed rows."""
    names, left = published_names(), dict(printed)
    nothing = np.full((2, len(board.columns)), np.nan)
    merged = []
    for place, name in enumerate(board.methods):
        ends = nothing if board.ends is None else board.ends[:, place]
        measured = _Row(name, board.values[place], ends, bool(board.competes[place]))
        merged.append(measured)
        title = name.rstrip("".join(MARKS))
        here = [published_name(names, title, column.benchmark) for column in board.columns]
        for same in [found for found in dict.fromkeys(here) if found in left]:
            row = left.pop(str(same))
            comparable = np.where([found == same for found in here], measured.values - row.values, np.nan)
            merged.append(row)
            if not np.isnan(comparable).all():
                merged.append(_Row(f"{same}{DIFFERENCE_MARK}", comparable, nothing, competes=False))
    return merged + list(left.values())


def _printed_row(found: pd.DataFrame, columns: Sequence[Column]) -> _Row:
    values = np.full(len(columns), np.nan)
    values[[columns.index(column) for column in found.column]] = found.value
    seen = zip(found.trained_on, found.benchmark, strict=True)
    trained = any(trained_on_split(text.split(), benchmark) for text, benchmark in seen)
    marks = MIRROR_MARK * bool(found.mirror_index.any()) + TRAINED_MARK * trained
    name = f"{found.method.iloc[0]}{marks}{PRINTED_MARK}"
    return _Row(name, values, np.full((2, len(columns)), np.nan), competes=False)


def _notes(printed: pd.DataFrame, rows: Sequence[_Row]) -> list[str]:
    meanings = {
        MIRROR_MARK: "(printed) is told which query points are mirror partners",
        TRAINED_MARK: "(printed) was trained on the training split of a benchmark of its row",
    }
    names = "".join(row.name for row in rows)
    sources = [
        f"{PRINTED_MARK.strip()} as printed in {source}; not measured here" for source in printed.source.unique()
    ]
    marks = [f"{mark} {meaning}" for mark, meaning in meanings.items() if mark in names]
    return sources + marks + unstated_note(printed)


def _difference_notes(rows: Sequence[_Row], printed: pd.DataFrame) -> list[str]:
    compared = [row.name.removesuffix(DIFFERENCE_MARK) for row in rows if row.name.endswith(DIFFERENCE_MARK)]
    if not compared:
        return []
    frames = ", ".join(sorted(printed[printed.method.isin(compared)].frame.unique()))
    return [f"{DIFFERENCE_MARK.strip()} also holds what the ways of counting differ in; frame of the printed: {frames}"]


def _in_order(columns: pd.Series) -> list[Column]:
    """Return the distinct columns, PCK's as a leaderboard orders them and the pose table's as printed."""
    distinct = list(dict.fromkeys(columns))
    return sorted(distinct, key=column_order) if distinct[0].subset in SUBSETS.values() else distinct


def _printed_cells(alpha: float, metric: str) -> pd.DataFrame:
    """Return the printed figures of whole splits; later tables repeat earlier ones."""
    printed = load_published()
    printed = printed[printed.metric == metric]
    if metric == POSE_METRIC:  # has no threshold; its scopes are the four columns of the pose table
        chosen = printed.assign(subset=printed.scope.str.removeprefix("pose:"))
    else:
        chosen = printed[(printed.scope == "all") & ((printed.alpha - alpha).abs() < 1e-9)]
        chosen = chosen.assign(subset=chosen.subset.map(SUBSETS))
    if chosen.empty:
        raise InputError(f"no printed {metric} figure at alpha {alpha:g}; see results/published for what there is")
    keys = zip(chosen.benchmark, chosen.split, chosen.subset, strict=True)
    columns = pd.Series([Column(*key) for key in keys], index=chosen.index)
    # Rows of an ablation are variants of one method, not methods of their own.
    variant = chosen.note.str.startswith("ablation").map({True: "ablation: ", False: ""})
    return chosen.assign(method=variant + chosen.method, column=columns)

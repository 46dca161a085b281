"""Printed figures beside measured ones: the same columns, marked as printed, never ranked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from geobench.errors import InputError
from geobench.reporting.leaderboard import SUBSETS, Column, Leaderboard, column_order
from geobench.reporting.published import load_published

PRINTED_MARK = " (printed)"
POSE_METRIC = "accuracy"


def with_published(board: Leaderboard | None, *, alpha: float, metric: str) -> Leaderboard:
    """Return ``board`` with the rows that papers printed for the same columns.

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
    methods = list(dict.fromkeys(printed.method))
    values = np.full((len(methods), len(columns)), np.nan)
    rows = [methods.index(name) for name in printed.method]
    values[rows, [columns.index(column) for column in printed.column]] = printed.value
    notes = [f"{PRINTED_MARK.strip()} as printed in {source}; not measured here" for source in printed.source.unique()]
    competes = np.zeros(len(methods), dtype=bool)
    if board is None:
        what = "pose accuracy" if metric == POSE_METRIC else f"PCK@{alpha:g}"
        caption = f"{what} in percent, {metric.replace('_', ' ')}, as printed"
        return Leaderboard(methods, columns, values, competes, caption, metric, notes)
    return replace(
        board,
        methods=board.methods + methods,
        values=np.concatenate([board.values, values]),
        competes=np.concatenate([board.competes, competes]),
        notes=board.notes + notes,
    )


def _in_order(columns: pd.Series) -> list[Column]:
    """Return the distinct columns, PCK's as a leaderboard orders them and the pose table's as printed."""
    distinct = list(dict.fromkeys(columns))
    return sorted(distinct, key=column_order) if distinct[0].subset in SUBSETS.values() else distinct


def _printed_cells(alpha: float, metric: str) -> pd.DataFrame:
    """Return the printed figures of whole splits: method, column, value, source; later tables repeat earlier ones."""
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
    return chosen.assign(method=variant + chosen.method + PRINTED_MARK, column=columns)

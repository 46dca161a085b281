"""Printed figures beside measured ones: the same columns, marked as printed, never ranked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from geobench.errors import InputError
from geobench.reporting.leaderboard import SUBSETS, Column, Leaderboard
from geobench.reporting.published import load_published

PRINTED_MARK = " (printed)"


def with_published(board: Leaderboard | None, *, alpha: float, metric: str) -> Leaderboard:
    """Return ``board`` with the rows that papers printed for the same columns.

    Args:
        board: measured rows, or None for the printed ones alone.
        alpha: the PCK threshold.
        metric: ``per_image`` or ``per_point``; printed figures of the other kind are not comparable and stay out.

    Raises:
        InputError: nothing was printed at this threshold.
    """
    printed = _printed_cells(alpha, metric)
    columns = board.columns if board else list(dict.fromkeys(printed.column))
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
        caption = f"PCK@{alpha:g} in percent, {metric.replace('_', ' ')}, as printed"
        return Leaderboard(methods, columns, values, competes, caption, metric, notes)
    return replace(
        board,
        methods=board.methods + methods,
        values=np.concatenate([board.values, values]),
        competes=np.concatenate([board.competes, competes]),
        notes=board.notes + notes,
    )


def _printed_cells(alpha: float, metric: str) -> pd.DataFrame:
    """Return the printed figures of whole splits: method, column, value, source; later tables repeat earlier ones."""
    printed = load_published()
    chosen = printed[(printed.scope == "all") & (printed.metric == metric) & ((printed.alpha - alpha).abs() < 1e-9)]
    # The ablation's rows are variants of one method, not methods of their own.
    chosen = chosen[~chosen.note.str.startswith("ablation")]
    if chosen.empty:
        raise InputError(f"no printed {metric} figure at alpha {alpha:g}; see results/published for what there is")
    keys = zip(chosen.benchmark, chosen.split, chosen.subset, strict=True)
    columns = [Column(benchmark, split, SUBSETS[subset]) for benchmark, split, subset in keys]
    return chosen.assign(method=chosen.method + PRINTED_MARK, column=pd.Series(columns, index=chosen.index))

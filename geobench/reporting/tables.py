"""A leaderboard as text for the terminal, CSV, Markdown or LaTeX. The best measured figure is marked per column."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from itertools import groupby

import numpy as np
from jaxtyping import Bool
from tabulate import tabulate

from geobench.reporting.leaderboard import DIFFERENCE_MARK, Column, Leaderboard
from geobench.reporting.plain_table import booktabs, tex

_SHORT = {"standard": "std", "geometry-aware": "geo"}


def render(board: Leaderboard, style: str) -> str:
    """Return the leaderboard as text in the ``style`` ``table``, ``csv``, ``markdown`` or ``latex``."""
    return STYLES[style](board)


def is_best(board: Leaderboard) -> Bool[np.ndarray, "m c"]:
    """Return which cells hold the best figure of their column, as printed; only competing rows can."""
    shown = np.where(board.competes[:, None] & ~np.isnan(board.values), board.values.round(1), -np.inf)
    return np.isfinite(shown) & (shown == shown.max(axis=0, initial=-np.inf))


def _cells(board: Leaderboard, best: str, absent: str, interval: str = " [{:.1f}, {:.1f}]") -> list[list[str]]:
    """Return one row of text per method: its name, and every figure, with its interval where there is one.

    Args:
        board: the leaderboard.
        best: what marks the best figure.
        absent: what stands for a figure that is not there.
        interval: what is added to a figure.
    """
    ends = np.full((2, *board.values.shape), np.nan) if board.ends is None else board.ends
    rows = []
    for name, *cells in zip(board.methods, board.values, is_best(board), *ends, strict=True):
        texts = [name]
        for value, flag, low, high in zip(*cells, strict=True):
            shown = f"{value:+.1f}" if name.endswith(DIFFERENCE_MARK) else f"{value:.1f}"
            text = absent if np.isnan(value) else shown
            texts.append((best.format(text) if flag else text) + ("" if np.isnan(low) else interval.format(low, high)))
        rows.append(texts)
    return rows


def _setting(column: Column) -> str:
    return column.split.removeprefix("test/")


def _places(board: Leaderboard) -> list[tuple[str, ...]]:
    """Return what tells the columns apart: the setting, after the benchmark's name where there are several."""
    several = len({column.benchmark for column in board.columns}) > 1
    return [(column.benchmark, _setting(column)) if several else (_setting(column),) for column in board.columns]


def _title(board: Leaderboard) -> str:
    names = {column.benchmark for column in board.columns}
    return f"{names.pop()}: {board.caption}" if len(names) == 1 else board.caption


def _aligned(rows: list[list[str]], header: list[str], style: str) -> str:
    align = ["left"] + ["right"] * (len(header) - 1)
    return tabulate(rows, header, tablefmt=style, colalign=align, disable_numparse=True)


def as_text(board: Leaderboard) -> str:
    """Return a table for the terminal; ``*`` marks the best measured figure of a column."""
    places = zip(_places(board), board.columns, strict=True)
    header = ["method", *("\n".join([*place, _SHORT.get(column.subset, column.subset)]) for place, column in places)]
    table = _aligned(_cells(board, "* {}", "-"), header, "simple")
    marks = ["* best of its column"] if is_best(board).any() else []
    return "\n".join([_title(board), "", table, "", *marks, *board.notes]) + "\n"


def as_markdown(board: Leaderboard) -> str:
    """Return a GitHub table; the best measured figure of a column is bold."""
    places = zip(_places(board), board.columns, strict=True)
    header = ["method", *(" ".join([*place, _SHORT.get(column.subset, column.subset)]) for place, column in places)]
    rows = [[cell.replace("|", "\\|") for cell in row] for row in _cells(board, "**{}**", "–")]
    notes = "\n".join(f"- {note}" for note in board.notes)
    return f"{_title(board)}.\n\n{_aligned(rows, header, 'github')}\n\n{notes}".rstrip() + "\n"


def as_csv(board: Leaderboard) -> str:
    """Return one line per cell: method, benchmark, split, subset, metric, value in percent, competes.

    With intervals, two columns more: low and high, in percent, empty where there is none.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    shown = board.ends is not None
    writer.writerow(["method", *Column._fields, "metric", "value", "competes", *(["low", "high"] if shown else [])])
    for row, (name, competes) in enumerate(zip(board.methods, board.competes, strict=True)):
        for place, (column, value) in enumerate(zip(board.columns, board.values[row], strict=True)):
            if not np.isnan(value):
                ends = np.zeros(0) if board.ends is None else board.ends[:, row, place]
                texts = ["" if np.isnan(end) else f"{end:.4f}" for end in ends]
                writer.writerow([name, *column, board.metric, f"{value:.4f}", str(bool(competes)).lower(), *texts])
    return stream.getvalue()


def as_latex(board: Leaderboard) -> str:
    """Return a booktabs table with one column group per benchmark and split."""
    groups = [(key, len(list(some))) for key, some in groupby(board.columns, lambda c: (c.benchmark, _setting(c)))]
    spans = " & ".join(rf"\multicolumn{{{width}}}{{c}}{{{tex(' '.join(key))}}}" for key, width in groups)
    subsets = " & ".join(_SHORT.get(column.subset, column.subset) for column in board.columns)
    small = r" {{\scriptsize [{:.1f}, {:.1f}]}}"
    body = [" & ".join([tex(name), *cells]) + r" \\" for name, *cells in _cells(board, r"\textbf{{{}}}", "--", small)]
    head = [rf"& {spans} \\", rf"Method & {subsets} \\"]
    return booktabs((board.caption, *board.notes), f"l{'r' * len(board.columns)}", head, body)


STYLES: dict[str, Callable[[Leaderboard], str]] = {
    "table": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}

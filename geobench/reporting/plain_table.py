"""A table of texts for the terminal, as Markdown, as LaTeX (booktabs) or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from tabulate import tabulate

STYLES = ("table", "csv", "markdown", "latex")


@dataclass(frozen=True)
class PlainTable:
    """Texts in rows.

    Attributes:
        header: one text per column.
        rows: as many texts per row.
        title: what the table shows, one line.
        notes: lines below it.
        left: how many columns from the left hold words, not numbers.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    notes: Sequence[str] = field(default_factory=tuple)
    left: int = 1


def render_plain(table: PlainTable, style: str) -> str:
    """Return the table as text in one of :data:`STYLES`; CSV has neither title nor notes."""
    if style == "csv":
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([table.header, *table.rows])
        return stream.getvalue()
    if style == "latex":
        return _latex(table)
    kind = {"table": "simple", "markdown": "github"}[style]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in table.rows] if style == "markdown" else table.rows
    align = ["left"] * table.left + ["right"] * (len(table.header) - table.left)
    body = tabulate(escaped, table.header, tablefmt=kind, colalign=align, disable_numparse=True)
    bullet = "- " if style == "markdown" else ""
    notes = "\n".join(bullet + note for note in table.notes)
    return "\n\n".join(part for part in (table.title, body, notes) if part) + "\n"


def frame_csv(table: pd.DataFrame) -> str:
    """Return a data frame as CSV, numbers to six digits after the point."""
    text: str = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    return text


def percent(value: float, digits: int = 1) -> str:
    """Return a share (0 to 1) in percent, or a dash for NaN."""
    return "-" if pd.isna(value) else f"{100 * value:.{digits}f}"


def with_ends(value: float, low: float, high: float, digits: int = 1) -> str:
    """Return a share (0 to 1) in percent, and in brackets the ends of its interval where it has one (not NaN)."""
    ends = "" if pd.isna(low) else f" [{percent(low)}, {percent(high)}]"
    return percent(value, digits) + ends


def _latex(table: PlainTable) -> str:
    columns = "l" * table.left + "r" * (len(table.header) - table.left)
    head, *body = (" & ".join(map(tex, row)) + r" \\" for row in (table.header, *table.rows))
    return booktabs([line for line in (table.title, *table.notes) if line], columns, [head], body)


def booktabs(comments: Sequence[str], columns: str, head: Sequence[str], body: Sequence[str]) -> str:
    """Return a tabular of booktabs, below comments.

    Args:
        comments: lines that LaTeX does not read.
        columns: a letter per column.
        head: rows above the middle rule, ready for LaTeX.
        body: rows below it.
    """
    lines = [
        *(f"% {line}" for line in comments),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "§": r"$^\S$",
    "°": r"$^\circ$",
    "¶": r"$^\P$",
}


def tex(text: str) -> str:
    """Return a text with what LaTeX reads as commands written out."""
    return "".join(_TEX.get(character, character) for character in text)

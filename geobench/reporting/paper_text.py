"""A table of the paper as text for the terminal, Markdown, LaTeX (booktabs) or CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from itertools import groupby

from tabulate import tabulate

from geobench.reporting.paper_layout import SECTIONS, PaperRow, PaperTable
from geobench.reporting.plain_table import tex

LETTER_NOTE = "U: no keypoints to learn from; U†: and is told mirror partners; S: learned from keypoints"


def render_paper(table: PaperTable, style: str) -> str:
    """Return the table as text in the ``style`` ``table``, ``csv``, ``markdown`` or ``latex``."""
    return STYLES[style](table)


def _cells(table: PaperTable, best: str, second: str, absent: str, interval: str) -> list[list[str]]:
    """Return the figures as text, row by row; ``best`` and ``second`` say how those are marked."""
    marks = {0: "{}", 1: best, 2: second}
    return [
        [
            marks[int(rank)].format(_text(row, value, absent)) + ("" if math.isnan(low) else interval.format(low, high))
            for value, rank, low, high in zip(row.values, ranks, *table.shown_ends(row), strict=True)
        ]
        for row, ranks in zip(table.rows, table.ranks(), strict=True)
    ]


def _text(row: PaperRow, value: float, absent: str) -> str:
    if math.isnan(value):
        return absent if row.kind == "measured" else ""
    return f"{value:+.1f}" if row.kind == "difference" else f"{value:.1f}"


def _letters(table: PaperTable) -> list[str]:
    """Return the letter of each row, printed once per section; empty where the table has one section only."""
    sections = [row.section for row in table.rows]
    if len(set(sections)) < 2:
        return []
    return [SECTIONS[name] if place == 0 or name != sections[place - 1] else "" for place, name in enumerate(sections)]


def _notes(table: PaperTable, dash: str) -> list[str]:
    letters = [LETTER_NOTE] if _letters(table) else []
    fill = f"{dash} not measured; what would measure it (a benchmark in capitals: your folder of it):"
    made = [table.intervals] if table.intervals else []
    return [*letters, *made, *table.notes, *([fill] if table.commands else [])]


def _grid(
    table: PaperTable, best: str, second: str, absent: str, interval: str = " [{:.1f}, {:.1f}]"
) -> list[list[str]]:
    letters = _letters(table)
    body = zip(table.rows, _cells(table, best, second, absent, interval), strict=True)
    return [[*letters[place : place + 1], row.name, *cells] for place, (row, cells) in enumerate(body)]


def _aligned(table: PaperTable, grid: list[list[str]], header: list[str], style: str) -> str:
    left = len(header) - len(table.columns)
    align = ["left"] * left + ["right"] * len(table.columns)
    return tabulate(grid, header, tablefmt=style, colalign=align, disable_numparse=True)


def as_text(table: PaperTable) -> str:
    """Return a table for the terminal; ``*`` marks the best measured figure of a column, ``~`` the second best."""
    lead = [""] if _letters(table) else []
    header = [*lead, "method", *(f"{column.group}\n{column.head}".strip() for column in table.columns)]
    body = _aligned(table, _grid(table, "*{}", "~{}", "-"), header, "simple")
    marks = ["* best and ~ second best measured figure of a column"] if table.ranks().any() else []
    notes = [*marks, *_notes(table, "-"), *(f"  {line}" for line in table.commands)]
    return "\n".join([table.title, "", body, "", *notes]) + "\n"


def as_markdown(table: PaperTable) -> str:
    """Return a GitHub table; the best measured figure is bold, the second best underlined."""
    lead = [""] if _letters(table) else []
    header = [*lead, "method", *(f"{column.group} {column.head}".strip() for column in table.columns)]
    grid = [[cell.replace("|", "\\|") for cell in row] for row in _grid(table, "**{}**", "<u>{}</u>", "–")]
    body = _aligned(table, grid, header, "github")
    notes = [f"- {note}" for note in _notes(table, "–")] + [f"  - `{line}`" for line in table.commands]
    return f"{table.title}.\n\n{body}\n\n" + "\n".join(notes) + "\n"


def as_csv(table: PaperTable) -> str:
    """Return one line per cell; an empty value is not measured, and ``command`` then says what measures it.

    With intervals, two columns more: low and high, in percent, empty where there is none.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    fields = ("benchmark", "split", "scope", "subset", "metric", "alpha")
    more = ["low", "high"] if table.intervals else []
    writer.writerow(["setting", "method", "kind", *fields, "value", *more, "rank", "command"])
    for row, ranks in zip(table.rows, table.ranks(), strict=True):
        cells = zip(table.columns, row.values, ranks, table.shown_ends(row).T, strict=True)
        for column, value, rank, ends in cells:
            missing = math.isnan(value)
            if missing and row.kind != "measured":
                continue
            alpha = "" if math.isnan(column.alpha) else f"{column.alpha:g}"
            place = [column.benchmark, column.split, column.scope, column.subset, column.metric_in(row.section), alpha]
            shown = [
                "" if missing else f"{value:.4f}",
                *("" if math.isnan(end) else f"{end:.4f}" for end in ends[: len(more)]),
                rank or "",
                row.commands.get(column.benchmark, "") if missing else "",
            ]
            writer.writerow([row.section, row.name, row.kind, *place, *shown])
    return stream.getvalue()


def as_latex(table: PaperTable) -> str:
    """Return a ``table*`` for booktabs; the best measured figure is bold, the second best underlined."""
    lead = 2 if _letters(table) else 1
    grid = [
        [*(tex(cell) for cell in row[:lead]), *row[lead:]]
        for row in _grid(table, r"\textbf{{{}}}", r"\underline{{{}}}", "--", r" {{\tiny [{:.1f}, {:.1f}]}}")
    ]
    lines: list[str] = []
    for place, row in enumerate(grid):
        if place and table.rows[place].section != table.rows[place - 1].section:
            lines.append(r"\midrule")
        lines.append(" & ".join(row) + r" \\")
    notes = [*map(tex, _notes(table, "--")), *(rf"\texttt{{{_verbatim(line)}}}" for line in table.commands)]
    return "\n".join([
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{tex(table.title)}.}}",
        rf"\begin{{tabular}}{{{'l' * lead}{'r' * len(table.columns)}}}",
        r"\toprule",
        *_heads(table, lead),
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip\raggedright",
        *(rf"{note}\par" for note in notes),
        r"\end{table*}",
    ]) + "\n"  # fmt: skip


def _heads(table: PaperTable, lead: int) -> list[str]:
    """Return the two lines of the head, the upper one spanning groups of columns, or the one line there is."""
    blank = "& " * (lead - 1)
    heads = f"{blank}Method & " + " & ".join(tex(column.head) for column in table.columns) + r" \\"
    if not any(column.group for column in table.columns):
        return [heads]
    spans, rules, place = [], [], lead + 1
    for name, some in groupby(table.columns, lambda column: column.group):
        width = len(list(some))
        spans.append(rf"\multicolumn{{{width}}}{{c}}{{{tex(name)}}}")
        rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    return ["& " * lead + " & ".join(spans) + r" \\", "".join(rules), heads]


def _verbatim(line: str) -> str:
    """Return a command line for typewriter type, in which two hyphens must not become a dash."""
    return tex(line).replace("--", "-{}-")


STYLES: dict[str, Callable[[PaperTable], str]] = {
    "table": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "latex": as_latex,
}

"""Tables 2, 3 and 4 of the paper, laid out from runs and printed figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from geobench.evaluation.runs import Run
from geobench.reporting.leaderboard import interval_note, shown_runs
from geobench.reporting.method_notes import ANY, load_method_notes, published_name, published_names
from geobench.reporting.paper_columns import PAPER_PLACES, columns_of, places_of
from geobench.reporting.paper_layout import SECTIONS, PaperColumn, PaperRow, PaperTable
from geobench.reporting.paper_rows import beside, paper_row, row_notes, section_of, shown_cells
from geobench.reporting.published import load_published
from geobench.reporting.training_data import unstated_note

_WHAT = {"2": "PCK by category", "3": "PCK at several thresholds", "4": "PCK of the geometry-aware subset"}


def paper_tables(
    number: str,
    runs: Sequence[Run],
    *,
    benchmarks: Sequence[str] = (),
    metric: str | None = None,
    published: bool = False,
    intervals: bool = False,
) -> list[PaperTable]:
    """Return Table 2 (one per split), 3 or 4 of the paper.

    On the paper's benchmarks every method of its table that the catalogue has gets a row, measured or not.

    Args:
        number: ``2``, ``3`` or ``4``.
        runs: scored runs; those that no table may show are left out and named in a note.
        benchmarks: shown instead of the paper's.
        metric: ``per_image`` or ``per_point``; by default what the paper prints.
        published: add the printed rows, and the differences.
        intervals: show the confidence intervals.

    Raises:
        InputError: runs that cannot stand in one table, or whose intervals were made differently. UsageError: no run
            is of the benchmarks asked for.
    """
    chosen, notes = _of(runs, places_of(number, runs, benchmarks))
    places = places_of(number, chosen, benchmarks)
    groups = [[place] for place in places] if number == "2" else [places]
    made = interval_note(chosen) if intervals and chosen else ""
    tables = [_table(number, group, chosen, notes, metric, published) for group in groups]
    return [replace(table, intervals=made) for table in tables]


def _of(runs: Sequence[Run], places: Sequence[tuple[str, str]]) -> tuple[list[Run], list[str]]:
    kept = [run for run in runs if (run.record.benchmark.name, run.record.benchmark.split) in places]
    return shown_runs(kept) if kept else ([], [])


def _table(
    number: str,
    places: Sequence[tuple[str, str]],
    runs: Sequence[Run],
    notes: Sequence[str],
    metric: str | None,
    published: bool,
) -> PaperTable:
    runs = [run for run in runs if (run.record.benchmark.name, run.record.benchmark.split) in places]
    printed = load_published()
    printed = printed[printed.source.str.endswith(f"Table {number}")]
    columns = columns_of(number, places, _categories(runs, printed, places[0]), metric)
    is_papers = bool(set(places) & set(PAPER_PLACES[number]))
    rows = _rows(columns, runs, printed if is_papers else printed.iloc[:0], published)
    title = f"{_WHAT[number]}, percent{_protocol(runs)}"
    unstated = unstated_note(shown_cells(columns, printed)) if published else []
    return PaperTable(title, columns, rows, [*_averaging(columns), *notes, *row_notes(rows, published), *unstated])


def _categories(runs: Sequence[Run], printed: pd.DataFrame, place: tuple[str, str]) -> list[str]:
    scopes = [scope for run in runs for scope in run.scores().scope]
    if place[0] in set(printed.benchmark):
        scopes += list(printed.scope)
    labels = {scope.removeprefix("category:") for scope in scopes if scope.startswith("category:")}
    return sorted(labels - {"all"})  # the one label of cross-family pairs


def _protocol(runs: Sequence[Run]) -> str:
    if not runs:
        return ""
    record = runs[0].record
    return f", measured under protocol {record.protocol['name']} ({record.protocol_fingerprint[:12]})"


def _averaging(columns: Sequence[PaperColumn]) -> list[str]:
    if columns[0].metric == "by_setting":
        return ["U: per point; S: per image, as the paper's Table 2; compare figures of one kind only"]
    kinds = {column.metric: [c.group for c in columns if c.metric == column.metric] for column in columns}
    if len(kinds) == 1:
        return [f"averaged {columns[0].metric.replace('_', ' ')}"]
    return ["; ".join(f"{', '.join(dict.fromkeys(on))}: {kind.replace('_', ' ')}" for kind, on in kinds.items())]


def _rows(
    columns: Sequence[PaperColumn], runs: Sequence[Run], printed: pd.DataFrame, published: bool
) -> list[PaperRow]:
    """Return the rows by section: the paper's methods in its order, then other measured ones, best first."""
    names, notes = published_names(), load_method_notes()
    measured: dict[str, list[Run]] = {}
    for run in runs:
        title = run.record.method.title
        measured.setdefault(published_name(names, title, run.record.benchmark.name) or title, []).append(run)
    rows: list[PaperRow] = []
    for name, cells in printed.groupby("method", sort=False):
        recipes = notes[str(name)].recipes if str(name) in notes else {}
        found, section = measured.pop(str(name), []), str(cells.setting.iloc[0])
        own = [paper_row(columns, str(name), section, found, recipes)] if found or recipes else []
        rows += own + (beside(columns, str(name), cells, own) if published else [])
    others = [_other(columns, found) for found in measured.values()]
    rows += sorted(others, key=lambda row: (-float(np.nan_to_num(row.values).mean()), row.name))
    return sorted(rows, key=lambda row: list(SECTIONS).index(row.section))


def _other(columns: Sequence[PaperColumn], runs: Sequence[Run]) -> PaperRow:
    method = runs[0].record.method
    return paper_row(columns, method.title, section_of(runs[0]), runs, {ANY: method.origin})

"""Rows of the paper's tables: measured, printed, their difference, and dashes with the command that fills them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from geobench.embedded import RENDERED
from geobench.errors import InputError
from geobench.evaluation.runs import Run
from geobench.reporting.leaderboard import DIFFERENCE_MARK, saw_training_split
from geobench.reporting.marks import MARKS, MEANINGS, MIRROR_MARK, TRAINED_MARK, mark_notes, marks_of
from geobench.reporting.method_notes import ANY
from geobench.reporting.paper_columns import place_title
from geobench.reporting.paper_layout import PaperColumn, PaperRow, RowKind
from geobench.reporting.published_rows import PRINTED_MARK
from geobench.reporting.training_data import trained_on_split

_MEANINGS = MEANINGS | {TRAINED_MARK: "was trained on the training split of a benchmark of its row"}


def row_notes(rows: Sequence[PaperRow], published: bool) -> list[str]:
    """Return what the marks in the names of the rows mean, and what there is to know of their kinds."""
    notes = mark_notes([row.name for row in rows], _MEANINGS)
    kinds = {row.kind for row in rows}
    if "printed" in kinds:
        notes.append(f"{PRINTED_MARK.strip()}: copied from the paper, not measured here, not ranked")
    elif published:
        notes.append("no printed figure exists for these columns")
    if "difference" in kinds:
        notes.append(
            f"{DIFFERENCE_MARK.strip()} also holds what the ways of counting differ in; "
            "results/published has frame and threshold of the printed"
        )
    missing = [
        f"{row.name.rstrip(''.join(MARKS))} on {', '.join(row.without_recipe)}" for row in rows if row.without_recipe
    ]
    return notes + ([f"no recipe here makes {'; '.join(missing)}"] if missing else [])


def section_of(run: Run) -> str:
    """Return the kind of supervision of a run's method, a key of SECTIONS."""
    method = run.record.method
    if method.knows_truth or method.setting.startswith("sanity"):
        return "check"
    if method.recipe.get("trained_on") or method.setting.startswith(("supervised", "trained")):
        return "supervised"
    return "unsupervised-mirror-index" if method.uses_mirror_index else "unsupervised"


def paper_row(
    columns: Sequence[PaperColumn], name: str, section: str, runs: Sequence[Run], recipes: Mapping[str, str]
) -> PaperRow:
    """Return the row of one method.

    Args:
        columns: of the table.
        name: of the method, without marks.
        section: kind of supervision, a key of SECTIONS.
        runs: of the method; with none, the row is dashes.
        recipes: what ``--method`` takes, by benchmark or under ``*``, to measure what is missing.
    """
    trained = any(saw_training_split(run) for run in runs)
    figures = np.full((3, len(columns)), np.nan)
    for run in runs:
        fill(figures, columns, run, section)
    kind: RowKind = "bound" if section == "check" else "measured"
    folders = {run.record.benchmark.name: run.record.benchmark.folder for run in runs}
    marked = name + marks_of(runs) + TRAINED_MARK * trained
    done = {(run.record.benchmark.name, run.record.benchmark.split) for run in runs}
    places = dict.fromkeys((column.benchmark, column.split) for column in columns)
    missing = [place for place in places if place not in done]
    commands = eval_commands(recipes, missing, folders)
    without = dict.fromkeys(place_title(name, "test") for name, _ in missing if name not in commands)
    return PaperRow(section, marked, kind, figures[0], commands, tuple(without), figures[1:])


def fill(figures: Float64[np.ndarray, "3 c"], columns: Sequence[PaperColumn], run: Run, section: str) -> None:
    """Put the figures of a run and the ends of their intervals, in percent, where they belong in a row.

    Raises:
        InputError: the run was not scored at the threshold of a column.
    """
    asked, scores = run.record.benchmark, run.scores()
    keys = zip(scores.scope, scores.subset, scores.metric, scores.alpha.round(6), strict=True)
    table = dict(zip(keys, 100 * scores[["value", "low", "high"]].to_numpy(np.float64), strict=True))
    for place, column in enumerate(columns):
        if (column.benchmark, column.split) == (asked.name, asked.split):
            key = (column.scope, column.subset, column.metric_in(section), round(column.alpha, 6))
            if column.scope == "all" and key not in table:
                known = ", ".join(f"{alpha:g}" for alpha in sorted(scores.alpha.dropna().unique()))
                raise InputError(f"{run.folder}: no {key[2]} score at alpha {column.alpha:g}; scored at {known}")
            figures[:, place] = table.get(key, np.nan)


def eval_commands(
    recipes: Mapping[str, str], missing: Sequence[tuple[str, str]], folders: Mapping[str, str]
) -> dict[str, str]:
    """Return the command lines that measure what is missing, by benchmark.

    Args:
        recipes: what ``--method`` takes, by benchmark or under ``*``.
        missing: benchmarks and splits.
        folders: where benchmarks are, by name; where one is unknown the command has its name in capitals.
    """
    splits: dict[str, list[str]] = {}
    for benchmark, split in missing:
        splits.setdefault(benchmark, []).append(split)
    lines = {}
    for benchmark, names in splits.items():
        method = recipes.get(benchmark, recipes.get(ANY))
        if method is not None:
            known = benchmark if benchmark in RENDERED else folders.get(benchmark, benchmark.upper())
            asked = " ".join(f"--split {name}" for name in names)
            lines[benchmark] = f"geobench eval --method {method} --benchmark {known} {asked}"
    return lines


def beside(columns: Sequence[PaperColumn], name: str, cells: pd.DataFrame, own: Sequence[PaperRow]) -> list[PaperRow]:
    """Return the printed row of a method, and the difference to its measured one (``own``, where there is one).

    None of ``cells``, the published figures of the method, in these columns: no rows.
    """
    shown = shown_cells(columns, cells)
    if shown.empty:
        return []
    printed = _printed_row(columns, name, shown)
    difference = own[0].values - printed.values if own else np.full(len(columns), np.nan)
    if np.isnan(difference).all():
        return [printed]
    return [printed, PaperRow(printed.section, f"{name}{DIFFERENCE_MARK}", "difference", difference)]


def shown_cells(columns: Sequence[PaperColumn], cells: pd.DataFrame) -> pd.DataFrame:
    """Return those published figures that stand in one of the columns."""
    wanted = {(setting, *_key(column, setting)) for column in columns for setting in cells.setting.unique()}
    keys = zip(cells.setting, *(cells[name] for name in _PLACE), cells.alpha.round(6), strict=True)
    return cells[np.fromiter((key in wanted for key in keys), dtype=bool, count=len(cells))]


_PLACE = ("benchmark", "split", "scope", "subset", "metric")


def _key(column: PaperColumn, section: str) -> tuple[object, ...]:
    place = (column.benchmark, column.split, column.scope, column.subset, column.metric_in(section))
    return (*place, round(column.alpha, 6))


def _printed_row(columns: Sequence[PaperColumn], name: str, cells: pd.DataFrame) -> PaperRow:
    """Return a method's printed row, marked by what holds of ``cells``: those of its figures that the table shows."""
    section = str(cells.setting.iloc[0])
    keys = zip(*(cells[name] for name in _PLACE), cells.alpha.round(6), strict=True)
    table = dict(zip(keys, cells.value, strict=True))
    seen = zip(cells.trained_on, cells.benchmark, strict=True)
    trained = any(trained_on_split(text.split(), benchmark) for text, benchmark in seen)
    marks = MIRROR_MARK * bool(cells.mirror_index.any()) + TRAINED_MARK * trained
    values = np.array([table.get(_key(column, section), np.nan) for column in columns], dtype=np.float64)
    return PaperRow(section, f"{name}{marks}{PRINTED_MARK}", "printed", values)

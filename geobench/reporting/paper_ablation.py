"""Table 5 of the paper, laid out from the runs of ``geobench ablation`` and the printed figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from geobench.evaluation.runs import Run
from geobench.methods.family import find_family
from geobench.reporting.leaderboard import interval_note, shown_runs
from geobench.reporting.paper_columns import Place, columns_of, places_of
from geobench.reporting.paper_layout import PaperColumn, PaperRow, PaperTable
from geobench.reporting.paper_rows import beside, paper_row, row_notes
from geobench.reporting.published import load_published

FAMILY = "table-5"
PRINTED_NAMES = {
    "sparse": "Baseline",
    "dense": "+ Dense Training Objective",
    "augmented": "+ Pose-variant Augmentation",
    "full": "+ Perturbation & Dropout",
    "soft": "Soft Argmax Inference",
    "window-5": "+ Window Soft Argmax (5)",
    "window-9": "+ Window Soft Argmax (9)",
    "window-15": "+ Window Soft Argmax (15)",
}
"""What the paper calls the rows and variants of ``baselines/families/table-5.toml``."""

_MORE = ("features as they are", ", pose-aligned")
_RECIPES = {"spair71k": "geoaware"}


def ablation_papers(
    runs: Sequence[Run],
    *,
    benchmarks: Sequence[str] = (),
    metric: str | None = None,
    published: bool = False,
    intervals: bool = False,
) -> list[PaperTable]:
    """Return Table 5, one table per split.

    Args:
        runs: those of ``geobench ablation``; others are passed over.
        benchmarks: shown instead of SPair-71k.
        metric: ``per_image``, the paper's, by default; or ``per_point``.
        published: add the printed rows, and the differences where the benchmark is the paper's.
        intervals: show the confidence intervals.

    Raises:
        InputError: runs that cannot stand in one table. UsageError: no run is of the benchmarks asked for.
    """
    titles = _titles()
    ours = [run for run in runs if run.record.method.title in titles.values() or _is_more(run)]
    tables = []
    for place in places_of("5", ours, benchmarks):
        here = [run for run in ours if (run.record.benchmark.name, run.record.benchmark.split) == place]
        shown, notes = shown_runs(here) if here else ([], [])
        made = interval_note(shown) if intervals and shown else ""
        tables.append(replace(_table(place, shown, notes, titles, metric, published), intervals=made))
    return tables


def _titles() -> dict[str, str]:
    """Return the titles of the family's rows and variants by the printed names."""
    family = find_family(FAMILY)
    named = {row.name: row.title for row in family.rows}
    named |= {variant.name: f"{family.rows[-1].title}: {variant.title}" for variant in family.variants}
    return {printed: named[name] for name, printed in PRINTED_NAMES.items() if name in named}


def _is_more(run: Run) -> bool:
    title = run.record.method.title
    return title.startswith(_MORE[0]) or title.endswith(_MORE[1])


def _table(
    place: Place,
    shown: Sequence[Run],
    notes: Sequence[str],
    titles: dict[str, str],
    metric: str | None,
    published: bool,
) -> PaperTable:
    columns = columns_of("5", [place], [], metric)
    measured = {
        run.record.method.title: paper_row(columns, run.record.method.title, "supervised", [run], {}) for run in shown
    }
    rows: list[PaperRow] = []
    printed = load_published()
    printed = printed[printed.source.str.endswith("Table 5")]
    for name, title in titles.items():
        own = measured.pop(title, None) or _missing(columns, title, place)
        marks = own.name.removeprefix(title)
        rows.append(replace(own, name=name + marks))
        cells = printed[(printed.method == name) & (printed.benchmark == place[0])]
        rows += beside(columns, name, cells, rows[-1:]) if published else []
    rows += [replace(row, commands={}, without_recipe=()) for row in measured.values()]
    averaging = f"averaged {columns[0].metric.replace('_', ' ')}; the rows below the first four change the matcher only"
    return PaperTable("Ablation, PCK in percent", columns, rows, [averaging, *notes, *row_notes(rows, published)])


def _missing(columns: Sequence[PaperColumn], title: str, place: Place) -> PaperRow:
    recipe, where = _RECIPES.get(place[0], "RECIPE"), place[0].upper() if place[0] in _RECIPES else place[0]
    command = f"geobench ablation --recipe {recipe} --benchmark {where} --family {FAMILY} --split {place[1]}"
    return PaperRow("supervised", title, "measured", np.full(len(columns), np.nan), {place[0]: command})

"""The errors of runs: kinds of error, swaps and the geometry-aware gap, for people."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError, nearest_names
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.error_table import error_table
from geobench.evaluation.flow_run import refuse_flow
from geobench.evaluation.landings import landings
from geobench.evaluation.on_instance import Extent
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.questions import difference
from geobench.evaluation.runs import Run
from geobench.evaluation.scoring import benchmark_of
from geobench.evaluation.swaps import confusion_matrix
from geobench.evaluation.taxonomy import KINDS
from geobench.reporting.plain_table import PlainTable, with_ends
from geobench.reporting.scores_text import interval_sentence

Row = Mapping[Hashable, Any]
_KINDS = dict(zip(KINDS, [kind.replace("_", " ") for kind in KINDS], strict=True))
_SWAPS = {
    "n_11": "n 11",
    "hat_11": "hat 11",
    "overline_11": "overline 11",
    "tilde_11": "tilde 11",
    "n_10": "n 10",
    "hat_10": "hat 10",
    "n_1x": "n 1x",
    "hat_1x": "hat 1x",
    "n_01": "n 01",
    "n_00": "n 00",
}


def errors_of_runs(
    runs: Sequence[Run],
    *,
    benchmark: Benchmark | None = None,
    protocol: Protocol | None = None,
    alpha: float = 0.10,
    by: Sequence[str] = (),
    extent: Extent = "mask",
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return :func:`geobench.evaluation.error_table.error_table` of every run, one below the other.

    Before its columns: ``method``, ``benchmark``, ``split``, ``run``, ``protocol`` (fingerprint) and ``alpha``; after
    them, with ``bootstrap``, ``intervals``: a phrase on how they were made.

    Args:
        runs: finished runs, all counted under one protocol.
        benchmark: what they ran on; by default each is loaded from where it was.
        protocol: another way of counting that asks the same questions; by default that of the runs.
        alpha: the PCK threshold.
        by: divisions.
        extent: what counts as on the instance.
        bootstrap: how to make intervals; none by default.

    Raises:
        InputError: a run is unfinished or of a benchmark of flow, two were counted under different protocols or made
            on different benchmarks, or the protocol asks other questions.
    """
    counted = protocol or Protocol.model_validate(runs[0].record.protocol)
    fingerprints: dict[str, str] = {}
    tables = []
    for run in runs:
        own, asked = Protocol.model_validate(run.record.protocol), run.record.benchmark
        if protocol is None and own.fingerprint != counted.fingerprint:
            raise InputError(
                f"{run.folder}: counted under protocol {own.name}, {runs[0].folder} under {counted.name}; choose one "
                "with --protocol"
            )
        if fingerprints.setdefault(asked.name, asked.fingerprint) != asked.fingerprint:
            raise InputError(f"{run.folder}: made on another {asked.name} than {runs[0].folder}; show them apart")
        data = benchmark_of(run, benchmark)
        refuse_flow(data, "name errors of")
        pairs, predictions, _ = asked_and_answered(run, data)
        found = difference(data, pairs, own, counted)
        if found is not None:
            raise InputError(
                f"{run.folder}: protocol {counted.name!r} {found.reason} than {own.name!r}; choose another"
            )
        options: dict[str, Any] = {"alpha": alpha, "by": by, "extent": extent, "bootstrap": bootstrap}
        table = error_table(data, pairs, predictions, counted, split=asked.split, **options)
        about: list[Any] = [run.record.method.title, asked.name, asked.split, run.record.id, counted.fingerprint, alpha]
        for place, (name, value) in enumerate(zip(_ABOUT, about, strict=True)):
            table.insert(place, name, value)
        if bootstrap is not None:
            table["intervals"] = interval_sentence(bootstrap.record())
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


_ABOUT = ("method", "benchmark", "split", "run", "protocol", "alpha")


def kinds_table(errors: pd.DataFrame, title: str) -> PlainTable:
    """Return the share of each kind of error in percent, and its interval if it has one; one row per run and group."""
    header = [*_lead(errors), "n", *_KINDS.values(), "PCK†"]
    rows = [
        [
            *_lead_cells(errors, row),
            f"{row['n']:,}",
            *(_with_interval(row, name) for name in (*KINDS, "pck_dagger")),
        ]
        for row in _records(errors)
    ]
    notes = ["rows add to 100 without PCK†, which counts correct answers that are nearest to the right keypoint"]
    return PlainTable(header, rows, title, notes, left=len(_lead(errors)))


def swaps_table(errors: pd.DataFrame) -> PlainTable:
    """Return left/right confusion and GECO's cases, rates in percent of their case, one row per run and group."""
    header = [*_lead(errors), "left/right confused", "of", *_SWAPS.values()]
    rows = []
    for row in _records(errors):
        cells = [_with_interval(row, "left_right_confusion"), f"{row['left_right_n']:,}"]
        rows.append([*_lead_cells(errors, row), *cells, *(_case(row, name) for name in _SWAPS)])
    notes = [
        "left/right confused: nearer to the mirror partner, where both are visible; 50: guessed",
        "GECO's cases: 11 match and partner visible, 10 partner hidden, 1x no partner; 01, 00 match hidden, not asked",
        "hat: within alpha of the match; overline: of the partner only; tilde: of both",
    ]
    return PlainTable(header, rows, "Left and right", notes, left=len(_lead(errors)))


def gap_table(errors: pd.DataFrame) -> PlainTable:
    """Return standard and geometry-aware PCK and their difference in percent, one row per run and group."""
    header = [*_lead(errors)]
    for average in ("per image", "per point"):
        header += [average, "geometry-aware", "gap"]
    columns = [f"{name}_per_{what}" for what in ("image", "point") for name in ("standard", "geometry_aware", "gap")]
    rows = [[*_lead_cells(errors, row), *(_with_interval(row, name) for name in columns)] for row in _records(errors)]
    return PlainTable(header, rows, "Geometry-aware gap: standard minus geometry-aware PCK", left=len(_lead(errors)))


def confusion_of_run(
    run: Run, *, benchmark: Benchmark | None = None, protocol: Protocol | None = None, category: str | None = None
) -> pd.DataFrame:
    """Return which keypoint the answers of a run are nearest to (:func:`geobench.evaluation.swaps.confusion_matrix`).

    Raises:
        UsageError: the split has no such category.
        InputError: the run is unfinished, or its benchmark is gone or one of flow.
    """
    data = benchmark_of(run, benchmark)
    refuse_flow(data, "confuse")
    pairs, predictions, _ = asked_and_answered(run, data)
    labels = sorted({str(label) for label in pairs.category})
    if category is not None and category not in labels:
        raise UsageError(f"--category {category}: not in {run.folder}{nearest_names(category, labels)}")
    counted = protocol or Protocol.model_validate(run.record.protocol)
    found = landings(data, pairs, predictions, counted, run.record.benchmark.split)
    return confusion_matrix(data, pairs, found, category)


def confusion_table(matrix: pd.DataFrame, title: str) -> PlainTable:
    """Return the matrix in percent of each row: keypoints asked for below one another, nearest ones numbered across."""
    names = list(dict.fromkeys([*matrix.keypoint, *(name for name in matrix.nearest if name != "-")]))
    counts = np.zeros((len(names), len(names) + 1), np.int64)
    place = {name: number for number, name in enumerate([*names, "-"])}
    counts[matrix.keypoint.map(place), matrix.nearest.map(place)] = matrix.n
    total = counts.sum(axis=1)
    rows = [
        [str(number), name, f"{total[number]:,}", *(_cell(cell, total[number]) for cell in counts[number])]
        for number, name in enumerate(names)
    ]
    header = ["", "asked", "n", *(str(number) for number in range(len(names))), "none"]
    notes = ["columns: the nearest visible keypoint, at whatever distance, by its number; none: no answer"]
    return PlainTable(header, rows, title, notes, left=2)


def _cell(count: int, total: int) -> str:
    return "" if not count else f"{100 * count / total:.0f}"


def _lead(errors: pd.DataFrame) -> list[str]:
    """Return the columns that tell the rows apart."""
    varying = [name for name in ("benchmark", "split", "scope") if errors[name].nunique() > 1]
    return ["method", *varying]


def _lead_cells(errors: pd.DataFrame, row: Row) -> list[str]:
    return [str(row[name]) for name in _lead(errors)]


def _records(errors: pd.DataFrame) -> list[Row]:
    return list(errors.to_dict("records"))


def _with_interval(row: Row, name: str) -> str:
    """Return a share in percent, and in brackets the ends of its interval where it has one."""
    return with_ends(row[name], row.get(f"{name}_low", np.nan), row.get(f"{name}_high", np.nan))


def _case(row: Row, name: str) -> str:
    if name.startswith("n_"):
        return "" if pd.isna(row[name]) else f"{row[name]:,}"
    return _with_interval(row, f"{name}_rate")

"""A table as the paper prints it: sections of rows, groups of columns, dashes, and the best and second best figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

RowKind = Literal["measured", "printed", "difference", "bound"]

SECTIONS = {
    "unsupervised": "U",
    "unsupervised-mirror-index": "U†",
    "supervised": "S",
    "check": "-",
}
"""Kinds of supervision, as published rows name them, and the letter that the paper prints; sanity checks last."""


class PaperColumn(NamedTuple):
    """What one column counts.

    Attributes:
        group, head: the two lines above the column.
        benchmark, split, scope, subset: as in scores.parquet; ``subset`` is ``all`` or ``geometry_aware``.
        metric: ``per_image``, ``per_point`` or ``accuracy``; ``by_setting``: per point for rows without supervision
            and per image for supervised ones, as the paper's Table 2.
        alpha: the threshold; NaN for ``accuracy``.
    """

    group: str
    head: str
    benchmark: str
    split: str
    scope: str
    subset: str
    metric: str
    alpha: float

    def metric_in(self, section: str) -> str:
        """Return what is counted in the rows of a section."""
        if self.metric != "by_setting":
            return self.metric
        return "per_point" if section.startswith("unsupervised") else "per_image"


@dataclass(frozen=True)
class PaperRow:
    """One row.

    Attributes:
        section: one of :data:`SECTIONS`.
        name: the method, with its marks.
        kind: only ``measured`` rows can be best; a ``bound`` was given the answer, or checks the sanity of others.
        values: percent, NaN where there is no figure, [columns].
        commands: the command line that measures what is missing, by benchmark; none where nothing is missing, or
            nothing measures it.
        without_recipe: names of the benchmarks that are missing and that no recipe of the catalogue makes.
        ends: lower and upper ends of the confidence intervals in percent, NaN where there is none, [2, columns]; None
            for figures that have none.
    """

    section: str
    name: str
    kind: RowKind
    values: Float64[np.ndarray, " c"]
    commands: Mapping[str, str] = field(default_factory=dict)
    without_recipe: Sequence[str] = ()
    ends: Float64[np.ndarray, "2 c"] | None = None


@dataclass(frozen=True)
class PaperTable:
    """One table.

    Attributes:
        title: what the numbers are.
        columns: from left to right.
        rows: from top to bottom, sections together.
        notes: lines below the table.
        intervals: how the intervals of the figures were made, a note; empty where none are to be shown.
    """

    title: str
    columns: Sequence[PaperColumn]
    rows: Sequence[PaperRow]
    notes: Sequence[str] = field(default_factory=tuple)
    intervals: str = ""

    def shown_ends(self, row: PaperRow) -> Float64[np.ndarray, "2 c"]:
        """Return the ends of a row's intervals, NaN where none is to be shown."""
        shown = self.intervals and row.ends is not None
        return np.asarray(row.ends if shown else np.full((2, len(self.columns)), np.nan))

    def ranks(self) -> Int64[np.ndarray, "r c"]:
        """Return 1 for the best measured figure of its column, 2 for the second best, 0 for all others.

        Figures are compared as printed, to a tenth, so equal ones share a rank. Rows with and without supervision are
        ranked apart, as the paper does.
        """
        found = np.zeros((len(self.rows), len(self.columns)), dtype=np.int64)
        supervised = np.array([row.section == "supervised" for row in self.rows], dtype=bool)
        measured = np.array([row.kind == "measured" for row in self.rows], dtype=bool)
        for group in (measured & supervised, measured & ~supervised):
            rows = np.flatnonzero(group)
            for column in range(len(self.columns)):
                shown = np.array([round(float(self.rows[row].values[column]), 1) for row in rows.tolist()])
                best = np.unique(shown[~np.isnan(shown)])[::-1][:2]
                for rank, value in enumerate(best, 1):
                    found[rows[shown == value], column] = rank
        return found

    @property
    def commands(self) -> list[str]:
        """What fills the dashes, in the order of the rows."""
        return list(dict.fromkeys(line for row in self.rows for line in row.commands.values()))

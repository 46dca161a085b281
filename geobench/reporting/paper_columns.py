"""The columns of the paper's tables, for its own benchmarks and for any other."""

from __future__ import annotations

from collections.abc import Sequence

from geobench.errors import UsageError
from geobench.evaluation.runs import Run
from geobench.reporting.leaderboard import Column, column_order
from geobench.reporting.paper_layout import PaperColumn

Place = tuple[str, str]  # benchmark, split

ALPHAS = (0.01, 0.05, 0.10)
PAPER_PLACES: dict[str, tuple[Place, ...]] = {
    "2": (("spair71k", "test"),),
    "3": (
        ("spair71k", "test"),
        ("ap10k", "test/intra-species"),
        ("ap10k", "test/cross-species"),
        ("ap10k", "test/cross-family"),
        ("pf-pascal", "test"),
    ),
    "4": (("spair71k", "test"), ("ap10k", "test/intra-species")),
    "5": (("spair71k", "test"),),
}
"""Benchmarks and splits of the paper's tables (Zhang et al., CVPR 2024, Tables 2 to 5)."""

_ALPHAS_OF = {"pf-pascal": (0.05, 0.10, 0.15)}
_TITLES = {"spair71k": "SPair-71k", "ap10k": "AP-10K", "pf-pascal": "PF-Pascal", "pf-willow": "PF-Willow"}
_INITIALS = {"intra-species": "I.S.", "cross-species": "C.S.", "cross-family": "C.F."}
_HEADS = {
    "aeroplane": "Aero", "bicycle": "Bike", "motorbike": "Motor", "pottedplant": "Plant", "tvmonitor": "TV",
}  # fmt: skip


def places_of(number: str, runs: Sequence[Run], benchmarks: Sequence[str]) -> list[Place]:
    """Return the benchmarks and splits that a table shows.

    Args:
        number: of the table.
        runs: what was measured.
        benchmarks: shown instead of the paper's; their splits are those of the runs, or the paper's.

    Raises:
        UsageError: no run is of such a benchmark, or runs are given and none of them is of the paper's.
    """
    measured = list(dict.fromkeys((run.record.benchmark.name, run.record.benchmark.split) for run in runs))
    paper = list(PAPER_PLACES[number])
    if not benchmarks:
        if measured and not set(measured) & set(paper):
            names = ", ".join(sorted({name for name, _ in measured}))
            raise UsageError(f"no run is of a split of the paper's table {number}; --benchmark shows others: {names}")
        return paper
    found = [place for place in paper if place[0] in benchmarks]
    found += [place for place in _sorted(measured) if place[0] in benchmarks and place not in found]
    for name in benchmarks:
        if name not in {place[0] for place in found}:
            raise UsageError(f"no run is of benchmark {name!r}; run geobench eval --benchmark {name} first")
    return found


def _sorted(places: Sequence[Place]) -> list[Place]:
    return sorted(places, key=lambda place: column_order(Column(place[0], place[1], "standard")))


def columns_of(
    number: str, places: Sequence[Place], categories: Sequence[str], metric: str | None
) -> list[PaperColumn]:
    """Return the columns of a table, left to right.

    Args:
        number: of the table.
        places: what it shows; one for Tables 2 and 5.
        categories: labels of the categories, for Table 2.
        metric: ``per_image`` or ``per_point``; by default what the paper prints.
    """
    if number == "2":
        (benchmark, split) = places[0]
        scopes = [(f"category:{label}", _HEADS.get(label, label.capitalize())) for label in categories]
        counted = metric or "by_setting"
        return [
            PaperColumn(place_title(*places[0]), head, benchmark, split, scope, "all", counted, 0.10)
            for scope, head in [*scopes, ("all", "All")]
        ]
    subsets = {"3": ("all",), "4": ("geometry_aware",), "5": ("all", "geometry_aware")}[number]
    return [
        PaperColumn(
            place_title(*place) + _subset_title(number, subset),
            f"{alpha:.2f}",
            *place,
            "all",
            subset,
            metric or _metric_of(number, place),
            alpha,
        )
        for place in places
        for subset in subsets
        for alpha in _ALPHAS_OF.get(place[0], ALPHAS)
    ]


def _metric_of(number: str, place: Place) -> str:
    """Return how the paper's figures were averaged: Table 4's of AP-10K per point, by the authors' scripts."""
    return "per_point" if number == "4" and place[0] == "ap10k" else "per_image"


def _subset_title(number: str, subset: str) -> str:
    return "" if number != "5" else " (Std.)" if subset == "all" else " (Geo.)"


def place_title(benchmark: str, split: str) -> str:
    """Return the head over the columns of a benchmark's split, such as ``AP-10K-I.S.``."""
    setting = split.removeprefix("test").lstrip("/")
    return _TITLES.get(benchmark, benchmark) + (f"-{_INITIALS.get(setting, setting)}" if setting else "")

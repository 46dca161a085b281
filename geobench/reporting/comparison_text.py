"""A comparison of runs in plain sentences, which say no more than the data does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from geobench.evaluation.bootstrap import MINIMUM_DIFFERENT
from geobench.evaluation.comparison import Comparison
from geobench.evaluation.significance import letters

SUBSETS = {"all": "all keypoints", "geometry_aware": "geometry-aware keypoints"}


def chosen_rows(comparison: Comparison, subset: str, metric: str, alpha: float) -> pd.DataFrame:
    """Return the rows of one subset, metric and alpha."""
    table = comparison.table
    return table[(table.subset == subset) & (table.metric == metric) & ((table.alpha - alpha).abs() < 1e-9)]


def sentences(comparison: Comparison, subset: str, metric: str, alpha: float) -> list[str]:
    """Return what a comparison says of one subset of keypoints: of two runs, or of several."""
    rows = chosen_rows(comparison, subset, metric, alpha)
    whole = rows[rows.scope == "all"]
    if len(comparison.runs) > 2:
        return [_groups_sentence(comparison, whole, subset)]
    row = whole.iloc[0]
    verdict = _verdict(comparison, row, subset, metric)
    if row.only_first == row.only_second == 0:
        return [verdict]
    return [verdict, _second_opinion(comparison, row), *_by_category(comparison, rows)]


def p_text(p: float) -> str:
    """Return a p-value as text, never as zero."""
    return "-" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def group_letters(comparison: Comparison, whole: pd.DataFrame) -> tuple[list[int], list[str]]:
    """Return the runs best first, and their letters: two that share one cannot be told apart.

    Args:
        comparison: of several runs.
        whole: its rows of scope ``all``, of one subset, metric and alpha. A pair without a p-value is not told apart.
    """
    order = sorted(range(len(comparison.runs)), key=lambda run: -run_values(whole)[run])
    different = np.zeros((len(order), len(order)), dtype=bool)
    for row in whole.itertuples():
        first, second = order.index(int(row.first)), order.index(int(row.second))  # type: ignore[arg-type]
        different[first, second] = different[second, first] = bool(_found(comparison, float(row.p_holm)))  # type: ignore[arg-type]
    return order, letters(different)


def run_values(whole: pd.DataFrame) -> dict[int, float]:
    """Return the figure of every run, from the rows of every two."""
    first = dict(zip(whole["first"], whole.value_first, strict=True))
    return first | dict(zip(whole["second"], whole.value_second, strict=True))


def _found(comparison: Comparison, p: float) -> bool:
    return p <= 1 - comparison.bootstrap.level + 1e-12


def _verdict(comparison: Comparison, row: pd.Series, subset: str, metric: str) -> str:
    first, second = comparison.names
    figures = f"{100 * row.value_first:.1f} against {100 * row.value_second:.1f}"
    what = f"PCK@{row.alpha:g} {metric.replace('_', ' ')}, {SUBSETS[subset]}"
    if np.isnan(row.difference):
        return f"{first} and {second} cannot be compared on {SUBSETS[subset]}: there is none in these pairs."
    if row.only_first == row.only_second == 0:
        return f"{first} and {second} have the same keypoints right ({figures}, {what})."
    if np.isnan(row.p):
        few = f"they differ in {row.n_different:.0f} target images, and a test needs {MINIMUM_DIFFERENT}"
        return f"It cannot be said which of {first} and {second} is better ({figures}, {what}): {few}."
    points, shown = abs(100 * row.difference), f"{figures} ({what})"
    evidence = f"{_interval_text(comparison, row)}; p {_equals(row.p)}"
    least = f"{100 * row.detectable:.1f} points"
    if _found(comparison, row.p):
        names = (first, second) if row.difference > 0 else (second, first)
        return (
            f"{names[0]} is better than {names[1]} by {points:.1f} points ({evidence}): {shown}. A true difference of "
            f"{least} or more would have been found in four of five samples like this one."
        )
    return (
        f"{first} and {second} cannot be told apart: {shown}, a difference of {points:.1f} points ({evidence}). "
        f"Differences below {least} are likely to be missed with these {row.n_images:.0f} target images."
    )


def _interval_text(comparison: Comparison, row: pd.Series) -> str:
    """Return the interval of a difference, the better run first, as the sentence has it."""
    if np.isnan(row.low):
        return "no interval, since no draw of images changes it"
    ends = (row.low, row.high) if row.difference >= 0 else (-row.high, -row.low)
    return f"{100 * comparison.bootstrap.level:g}% interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _equals(p: float) -> str:
    return p_text(p) if p < 0.001 else f"= {p_text(p)}"


def _second_opinion(comparison: Comparison, row: pd.Series) -> str:
    found, alone = _found(comparison, row.p), _found(comparison, row.p_mcnemar)
    same_way = (row.only_first - row.only_second) * row.difference > 0
    counts = f"{row.only_first:,.0f} keypoints right for the first alone, {row.only_second:,.0f} for the second"
    if alone and found and not same_way:
        says = "says the opposite"
    elif alone == found and not np.isnan(row.p):
        says = "agrees"
    else:
        says = "finds a difference" if alone else "finds none"
    return (
        f"McNemar's test, which wrongly takes keypoints of one image for independent, {says} "
        f"(p {_equals(row.p_mcnemar)}; {counts})."
    )


def _by_category(comparison: Comparison, rows: pd.DataFrame) -> list[str]:
    categories = rows[rows.scope.str.startswith("category:")]
    if len(categories) < 2:
        return []
    tested = categories[categories.p_holm.notna()]
    found = tested[np.array([_found(comparison, p) for p in tested.p_holm], dtype=bool)]
    lists = [found[found.difference > 0], found[found.difference < 0]]
    named = zip(comparison.names, lists, strict=True)
    better = [f"{name} in {_named(some.scope)}" for name, some in named if len(some)]
    rest = f"{len(tested) - len(found)} of {len(categories)} cannot be told apart"
    untested = len(categories) - len(tested)
    few = f", {untested} differ in too few target images" if untested else ""
    head = f"better by category: {'; '.join(better)}" if better else "no category is found to differ"
    return [f"With Holm's correction, {head}; {rest}{few}."]


def _named(scopes: Sequence[str] | pd.Series) -> str:
    names = [str(scope).partition(":")[2] for scope in scopes]
    return f"{len(names)} ({', '.join(names)})"


def _groups_sentence(comparison: Comparison, whole: pd.DataFrame, subset: str) -> str:
    if whole.p.isna().all():
        return f"{SUBSETS[subset].capitalize()}: any two differ in too few target images to tell them apart."
    order, marks = group_letters(comparison, whole)
    n_found = sum(_found(comparison, p) for p in whole.p_holm)
    names = [comparison.names[run] for run in order]
    best = [name for name, mark in zip(names, marks, strict=True) if set(mark) & set(marks[0])]
    others = "the other" if len(best) == 2 else "the others"
    lead = f"{best[0]} is better than every other"
    if len(best) > 1:
        lead = f"{', '.join(best[:-1])} and {best[-1]} lead: {best[0]} cannot be told apart from {others}"
    return f"{SUBSETS[subset].capitalize()}: {lead}; {n_found} of {len(whole)} differences are found (Holm-corrected)."

"""Confidence intervals of the figures of a table of errors, by drawing the target images anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from geobench.benchmark import Benchmark
from geobench.evaluation.bootstrap import Bootstrap, drawn_images, resample
from geobench.evaluation.error_groups import Groups
from geobench.evaluation.gap import GroupedPairs
from geobench.evaluation.intervals import enough_images, interval
from geobench.evaluation.landings import Landings
from geobench.evaluation.ratios import Ratios, by_image, pair_ratios
from geobench.evaluation.scopes import Scopes
from geobench.evaluation.swaps import CASE_OF
from geobench.evaluation.taxonomy import KINDS, Outcomes

_OF_ANSWERS = (*KINDS, "pck_dagger", "left_right_confusion", *(f"{name}_rate" for name in CASE_OF))
# As `pair_ratios` has the tallies of GroupedPairs: subset by subset, average by average.
_STANDARD = ("standard_per_image", "standard_per_point")
_AWARE = ("geometry_aware_per_image", "geometry_aware_per_point")
_GAPS = ("gap_per_image", "gap_per_point")
FIGURES = (*_OF_ANSWERS, *_STANDARD, *_AWARE, *_GAPS)
"""The columns of :func:`geobench.evaluation.error_table.error_table` that have an interval."""


def error_ratios(found: Landings, result: Outcomes, cases: Mapping[str, Bool[np.ndarray, " r"]]) -> Ratios:
    """Return parts and wholes of every answer, one variant: the kinds of error, PCK†, confusion, and GECO's rates.

    Left/right confusion counts the answers that :func:`geobench.evaluation.swaps.left_right_confusion` counts.

    Args:
        found: where the answers fell.
        result: their kinds.
        cases: which of them are of each of GECO's cases.
    """
    marks = [*(result.kind == code for code in range(len(KINDS))), result.dagger, found.partner < found.own]
    counted = [np.ones(len(found.asked), bool)] * (len(KINDS) + 1) + [np.isfinite(found.partner)]
    marks += [cases[name] for name in CASE_OF]
    counted += [cases[case] for case in CASE_OF.values()]
    wholes = (np.stack(counted, axis=1) * found.weight[:, None]).astype(np.float64)
    return Ratios((np.stack(marks, axis=1) * wholes)[..., None], wholes)


def error_intervals(
    benchmark: Benchmark, found: Landings, answered: Ratios, counts: GroupedPairs, groups: Groups, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return columns ``<figure>_low`` and ``<figure>_high`` (0 to 1) for :data:`FIGURES`, one row per group.

    An image is one of a group's when one of the group's answers that counts is in it. NaN where it has too few
    (docs/statistics.md); a gap has an interval where both its figures have one. ``correct``, ``standard`` and
    ``geometry_aware`` of all answers and of categories have the intervals that the scores give PCK.

    Args:
        benchmark: where the images are.
        found: where the answers fell.
        answered: what :func:`error_ratios` makes of them.
        counts: what is counted in each pair and group.
        groups: a division of the answers, the one of ``counts``.
        bootstrap: how to make intervals.
    """
    image = drawn_images(benchmark, found.asked.answer_row, found.asked.query_row, bootstrap)
    of_answers = by_image(answered, Scopes(groups.names, groups.codes), image[found.asked.pair])
    ratios, scopes = pair_ratios(counts.tallies, counts.weight), Scopes(groups.names, counts.group)
    of_pairs = by_image(ratios, scopes, image[counts.pair])
    ends = [
        _ends(some.beside(others), bootstrap, name)
        for name, some, others in zip(groups.names, of_answers, of_pairs, strict=True)
    ]
    names = [f"{figure}_{end}" for figure in FIGURES for end in ("low", "high")]
    return pd.DataFrame(np.reshape(ends, (len(groups.names), len(names))), columns=names)


def _ends(images: Ratios, bootstrap: Bootstrap, scope: str) -> Float64[np.ndarray, "figures 2"]:
    """Return the ends of the intervals of one group's figures."""
    known = enough_images(images)[:, 0]
    standard, aware = ([FIGURES.index(name) for name in names] for names in (_STANDARD, _AWARE))
    known = np.concatenate([known, known[standard] & known[aware]])
    if not known.any():
        return np.full((len(FIGURES), 2), np.nan)
    resampled = resample(images, bootstrap.resamples, bootstrap.generator(scope))
    made = resampled, resampled.difference_of_counts(standard, aware)
    ends = [np.concatenate(interval(one, bootstrap.method, bootstrap.level), axis=1) for one in made]
    return np.where(known[:, None], np.concatenate(ends), np.nan)

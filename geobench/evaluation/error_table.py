"""The errors of one run as a table: kinds of error, swaps and the geometry-aware gap, one row per group of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import UsageError, nearest_names
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.error_groups import BY, Groups, everything
from geobench.evaluation.error_intervals import error_intervals, error_ratios
from geobench.evaluation.gap import GroupedPairs, geometry_gap, grouped_pairs
from geobench.evaluation.landings import Landings, landings
from geobench.evaluation.on_instance import Extent
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.swaps import geco_cases, geco_marks, geco_unasked, left_right_confusion
from geobench.evaluation.taxonomy import KINDS, Outcomes, outcomes, shares


def error_table(
    benchmark: Benchmark,
    pairs: Pairs,
    predictions: Predictions,
    protocol: Protocol,
    *,
    alpha: float = 0.10,
    by: Sequence[str] = (),
    extent: Extent = "mask",
    split: str = "",
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return one row for all answers and one per group.

    Columns: ``scope``; ``n``, the keypoints; the share (0 to 1) of each kind of
    :data:`geobench.evaluation.taxonomy.KINDS`, which add to 1; ``pck_dagger``; ``left_right_confusion`` of
    ``left_right_n`` answers; GECO's counts and rates (:func:`geobench.evaluation.swaps.geco_cases`; ``n_01`` and
    ``n_00`` of all answers only); ``standard``, ``geometry_aware`` and ``gap`` with the suffix ``_per_image`` or
    ``_per_point``.
    With ``bootstrap``, the columns of :func:`geobench.evaluation.error_intervals.error_intervals` come last.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that ``predictions`` number.
        predictions: one row per question of the protocol; NaN where the method failed.
        protocol: how to count.
        alpha: the PCK threshold; need not be among the protocol's.
        by: divisions, names of :data:`geobench.evaluation.error_groups.BY`.
        extent: what counts as on the instance.
        split: name of the split, for error messages.
        bootstrap: how to make intervals; none by default.

    Raises:
        UsageError: a division is unknown, or the benchmark does not have what it divides by.
        InputError: predictions and questions do not fit, or a mask is missing.
    """
    for name in by:
        if name not in BY:
            raise UsageError(f"--by {name}: unknown{nearest_names(name, BY)}")
    found = landings(benchmark, pairs, predictions, protocol, split)
    result = outcomes(benchmark, pairs, found, protocol, alpha, extent)
    divisions = everything(found) + [one for name in dict.fromkeys(by) for one in BY[name](benchmark, pairs, found)]
    cases = geco_marks(found, protocol, alpha)
    counts = [grouped_pairs(benchmark, pairs, found, protocol, result.correct, one.codes) for one in divisions]
    both = list(zip(divisions, counts, strict=True))
    table = pd.concat([_rows(found, result, cases, some, one) for one, some in both], ignore_index=True)
    for name, count in geco_unasked(benchmark, pairs, protocol).items():
        table[name] = pd.array([count, *[None] * (len(table) - 1)], dtype="Int64")
    if bootstrap is None:
        return table
    answered = error_ratios(found, result, cases)
    ends = [error_intervals(benchmark, found, answered, some, one, bootstrap) for one, some in both]
    return pd.concat([table, pd.concat(ends, ignore_index=True)], axis=1)


def _rows(
    found: Landings,
    result: Outcomes,
    cases: Mapping[str, Bool[np.ndarray, " r"]],
    counts: GroupedPairs,
    groups: Groups,
) -> pd.DataFrame:
    n_groups = len(groups.names)
    share, n = shares(result, groups.codes, n_groups, found.weight)
    table = pd.DataFrame(share, columns=list(KINDS))
    table.insert(0, "scope", groups.names)
    table.insert(1, "n", n)
    rows = groups.codes >= 0
    dagger = np.bincount(groups.codes[rows], weights=(found.weight * result.dagger)[rows], minlength=n_groups)
    table["pck_dagger"] = np.divide(dagger, n, out=np.full(n_groups, np.nan), where=n > 0)
    table["left_right_confusion"], table["left_right_n"] = left_right_confusion(found, groups.codes, n_groups)
    table = pd.concat([table, geco_cases(found, cases, groups.codes, n_groups)], axis=1)
    for averaging, values in geometry_gap(counts, n_groups).items():
        suffix = averaging.replace("-", "_")
        table[f"standard_{suffix}"], table[f"geometry_aware_{suffix}"] = values.T
        table[f"gap_{suffix}"] = values[:, 0] - values[:, 1]
    return table

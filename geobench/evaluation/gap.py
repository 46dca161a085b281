"""The geometry-aware gap: how much lower PCK is on geometry-aware keypoints than on all."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.geometry import counted_as_geometry_aware
from geobench.evaluation.landings import Landings
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.queries import pair_weights


def geometry_gap(
    benchmark: Benchmark,
    pairs: Pairs,
    found: Landings,
    protocol: Protocol,
    hits: Bool[np.ndarray, " r"],
    group: Int[np.ndarray, " r"],
    n_groups: int,
) -> dict[Averaging, Float64[np.ndarray, "g 2"]]:
    """Return standard and geometry-aware PCK of each group of answers, by averaging; their difference is the gap.

    A pair without a keypoint in the group (or without a geometry-aware one) is left out of the mean per image.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that were asked.
        found: where the answers fell.
        protocol: decides which keypoints are geometry-aware.
        hits: which answers are correct.
        group: the group of each answer; negative for none.
        n_groups: how many groups there are.
    """
    weight, asked = pair_weights(pairs, protocol.sampling), found.asked
    gaps: dict[Averaging, np.ndarray] = {}
    for averaging in ("per-image", "per-point"):
        tags = counted_as_geometry_aware(benchmark, pairs, protocol, averaging, weight)
        tagged = np.where(tags[asked.pair, asked.keypoint], group, -1)
        mean = _per_image if averaging == "per-image" else _per_point
        gaps[averaging] = np.stack([mean(found, hits, some, n_groups) for some in (group, tagged)], axis=1)
    return gaps


def _per_point(
    found: Landings, hits: Bool[np.ndarray, " r"], group: Int[np.ndarray, " r"], n_groups: int
) -> Float64[np.ndarray, " g"]:
    rows = group >= 0
    return _mean(hits[rows].astype(np.float64), found.weight[rows], group[rows], n_groups)


def _per_image(
    found: Landings, hits: Bool[np.ndarray, " r"], group: Int[np.ndarray, " r"], n_groups: int
) -> Float64[np.ndarray, " g"]:
    """Return the mean over pairs of the share of hits among the pair's answers in each group."""
    rows = group >= 0
    n_pairs = len(found.asked.query_row)
    cells, cell = np.unique(group[rows].astype(np.int64) * n_pairs + found.asked.pair[rows], return_inverse=True)
    share = np.bincount(cell, weights=hits[rows], minlength=len(cells)) / np.bincount(cell, minlength=len(cells))
    weight = np.zeros(len(cells), np.int64)
    weight[cell] = found.weight[rows]
    return _mean(share, weight, cells // n_pairs, n_groups)


def _mean(
    values: Float64[np.ndarray, " n"], weight: Int64[np.ndarray, " n"], group: Int[np.ndarray, " n"], n_groups: int
) -> Float64[np.ndarray, " g"]:
    total = np.bincount(group, weights=weight, minlength=n_groups)
    summed = np.bincount(group, weights=values * weight, minlength=n_groups)
    return np.divide(summed, total, out=np.full(n_groups, np.nan), where=total > 0)

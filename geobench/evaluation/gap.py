"""The geometry-aware gap: how much lower PCK is on geometry-aware keypoints than on all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.geometry import counted_as_geometry_aware
from geobench.evaluation.landings import Landings
from geobench.evaluation.pck import Tally, per_image, per_point, tally
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.queries import pair_weights
from geobench.evaluation.score_table import AVERAGINGS, SUBSETS


@dataclass(frozen=True, eq=False)
class GroupedPairs:
    """The answers of C pairs, those of each pair apart by the group they are in.

    Attributes:
        pair: number of the pair.
        group: the group of its answers; at least 0.
        weight: how often the pair counts.
        tallies: what is counted in each, for each subset and averaging in the order of ``SUBSETS`` and ``AVERAGINGS``.
    """

    pair: Int64[np.ndarray, " c"]
    group: Int64[np.ndarray, " c"]
    weight: Int64[np.ndarray, " c"]
    tallies: dict[tuple[str, Averaging], Tally]


def grouped_pairs(
    benchmark: Benchmark,
    pairs: Pairs,
    found: Landings,
    protocol: Protocol,
    hits: Bool[np.ndarray, " r"],
    group: Int[np.ndarray, " r"],
) -> GroupedPairs:
    """Return what is counted in each pair and group of answers.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that were asked.
        found: where the answers fell.
        protocol: decides which keypoints are geometry-aware.
        hits: which answers are correct.
        group: the group of each answer; negative for none.
    """
    weight, asked, rows = pair_weights(pairs, protocol.sampling), found.asked, np.flatnonzero(group >= 0)
    keys = group[rows].astype(np.int64) * len(pairs) + asked.pair[rows]
    cells, cell = np.unique(keys, return_inverse=True)
    tags = {
        ("geometry_aware", averaging): counted_as_geometry_aware(benchmark, pairs, protocol, averaging, weight)
        for averaging in AVERAGINGS
    }
    tallies: dict[tuple[str, Averaging], Tally] = {}
    for key in [(subset, averaging) for subset in SUBSETS for averaging in AVERAGINGS]:
        chosen = tags[key][asked.pair[rows], asked.keypoint[rows]] if key in tags else np.ones(len(rows), bool)
        tallies[key] = tally(hits[rows][chosen][:, None], cell[chosen], len(cells))
    pair = cells % max(len(pairs), 1)
    return GroupedPairs(pair, cells // max(len(pairs), 1), weight[pair], tallies)


def geometry_gap(counts: GroupedPairs, n_groups: int) -> dict[Averaging, Float64[np.ndarray, "g 2"]]:
    """Return standard and geometry-aware PCK of each group of answers, by averaging; their difference is the gap.

    A pair without a keypoint in the group (or without a geometry-aware one) is left out of the mean per image.
    """
    gaps: dict[Averaging, np.ndarray] = {}
    for averaging in AVERAGINGS:
        mean = per_image if averaging == "per-image" else per_point
        columns = [
            mean(counts.tallies[subset, averaging], counts.group, n_groups, counts.weight)[0] for subset in SUBSETS
        ]
        gaps[averaging] = np.concatenate(columns, axis=1)
    return gaps

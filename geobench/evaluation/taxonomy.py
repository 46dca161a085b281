"""What kind of error each answer is: kinds that exclude one another and together are every answer.

The first that applies, for an answer to keypoint k, threshold T = alpha * size, compared as the protocol compares:

1. ``no_answer``: the method failed on the pair.
2. ``correct``: within T of k; per point, the share of these is PCK.
3. A swap, where the nearest keypoint is within T (it is then another than k): ``mirror_swap`` if it is k's mirror
   partner, else ``subgroup_swap`` if it is of k's geometry-aware subgroup, else ``other_keypoint``.
4. ``near_miss``: within 2 T of k.
5. ``on_instance``: in the instance's mask, or in its box where there is no mask.
6. ``background``: anywhere else, outside the image included.

The nearest keypoint is sought among all that are visible in the image that is answered in. Jitter, miss and swap of
Aygün and Mac Aodha, ECCV 2022 (evaluation/model/evaluation.py:162-190 of Demystify) overlap and know only keypoints
visible in both images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int8, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.landings import Landings
from geobench.evaluation.on_instance import Extent, on_instance
from geobench.evaluation.protocol import Protocol
from geobench.skeleton import Skeleton

KINDS = (
    "correct",
    "mirror_swap",
    "subgroup_swap",
    "other_keypoint",
    "near_miss",
    "on_instance",
    "background",
    "no_answer",
)
_CODE = {kind: code for code, kind in enumerate(KINDS)}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The kind of each of R answers.

    Attributes:
        kind: position in :data:`KINDS`.
        dagger: counted by PCK†: within alpha of the right keypoint, and no keypoint visible in both images is nearer.
    """

    kind: Int8[np.ndarray, " r"]
    dagger: Bool[np.ndarray, " r"]

    @property
    def correct(self) -> Bool[np.ndarray, " r"]:
        """Which answers PCK counts."""
        return self.kind == _CODE["correct"]


def outcomes(
    benchmark: Benchmark, pairs: Pairs, found: Landings, protocol: Protocol, alpha: float, extent: Extent = "mask"
) -> Outcomes:
    """Return the kind of every answer.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that were asked.
        found: where the answers fell, under the same protocol.
        protocol: how distances are compared.
        alpha: the PCK threshold.
        extent: what counts as on the instance (:func:`geobench.evaluation.on_instance.on_instance`).

    Raises:
        InputError: a mask is missing or not as large as its image.
    """
    right, close = (found.within(found.own, factor * alpha, protocol) for factor in (1, 2))
    swapped = found.within(found.nearest_distance, alpha, protocol) & ~right
    kind = np.full(len(found.asked), _CODE["background"], np.int8)
    kind[close] = _CODE["near_miss"]
    kind[swapped] = _relations(benchmark, pairs, found)[swapped]
    kind[right] = _CODE["correct"]
    kind[np.isnan(found.own)] = _CODE["no_answer"]
    rest = np.flatnonzero(kind == _CODE["background"])
    inside = on_instance(benchmark, found.asked.answer_row[found.asked.pair[rest]], found.points[rest], extent)
    kind[rest[inside]] = _CODE["on_instance"]
    return Outcomes(kind, right & found.own_is_nearest)


def shares(
    result: Outcomes, group: Int[np.ndarray, " r"], n_groups: int, weight: Int64[np.ndarray, " r"]
) -> tuple[Float64[np.ndarray, "g kinds"], Int64[np.ndarray, " g"]]:
    """Return the share of each kind in each group of answers (rows add to 1; NaN for none), and their number.

    Args:
        result: the kinds.
        group: the group of each answer; negative for none.
        n_groups: how many groups there are.
        weight: how often each answer counts.
    """
    rows = group >= 0
    cells = group[rows].astype(np.int64) * len(KINDS) + result.kind[rows]
    counts = np.bincount(cells, weights=weight[rows], minlength=n_groups * len(KINDS)).reshape(n_groups, len(KINDS))
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return share, total[:, 0].astype(np.int64)


def _relations(benchmark: Benchmark, pairs: Pairs, found: Landings) -> Int8[np.ndarray, " r"]:
    """Return the kind of swap that each answer's nearest keypoint would make it."""
    asked, kind = found.asked, np.full(len(found.asked), _CODE["other_keypoint"], np.int8)
    for skeleton, rows in pairs.by_skeleton(benchmark):
        of_it = np.zeros(len(pairs), bool)
        of_it[rows] = True
        chosen = np.flatnonzero(of_it[asked.pair] & (found.nearest >= 0))
        kind[chosen] = _table(skeleton, benchmark)[asked.keypoint[chosen], found.nearest[chosen]]
    return kind


def _table(skeleton: Skeleton, benchmark: Benchmark) -> Int8[np.ndarray, "k k"]:
    width = benchmark.instances.visibility.shape[1]
    groups = skeleton.group_matrix(width)
    table = np.where(
        (groups[:, :, None] & groups[:, None]).any(axis=0), _CODE["subgroup_swap"], _CODE["other_keypoint"]
    )
    table[np.arange(len(skeleton)), list(skeleton.mirror)] = _CODE["mirror_swap"]
    return table.astype(np.int8)

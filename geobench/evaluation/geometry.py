"""The geometry-aware keypoints as they are counted: by definition, or as GeoAware-SC's code renumbers them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.queries import category_codes, in_direction
from geobench.geometry_aware import geometry_aware_keypoints
from geobench.skeleton import Skeleton


def counted_as_geometry_aware(
    benchmark: Benchmark, pairs: Pairs, protocol: Protocol, averaging: Averaging, weight: Int[np.ndarray, " p"]
) -> Bool[np.ndarray, "p k"]:
    """Return which keypoints of each pair enter the geometry-aware subset of one average.

    The rivals of a keypoint are looked for in the image that is answered in: there they can be mistaken for it.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs of a split.
        protocol: its rule and direction.
        averaging: ``renumbered-per-point`` renumbers for ``per-point`` alone.
        weight: how often each pair counts; the renumbering looks at the pairs that do.
    """
    asked = in_direction(pairs, protocol)
    if protocol.geometry_rule == "renumbered-per-point" and averaging == "per-point":
        return _renumbered_tags(benchmark, asked, weight > 0)
    return asked.geometry_aware(benchmark)


def renumbered_groups(skeleton: Skeleton, used: Bool[np.ndarray, " k"]) -> Bool[np.ndarray, "groups k"]:
    """Return the subgroups that pck_train.py:96-102 and utils_geoware.py:137 of GeoAware-SC end up with.

    Their table lists subgroups and single keypoints in the order of their first members. Unused keypoints are
    dropped from it, and the rest is numbered 0, 1, 2, … **in list order**, not by rank among the used keypoints.
    So each subgroup becomes as many consecutive used keypoints as it has used members, wherever it was.

    Args:
        skeleton: the true subgroups.
        used: the keypoints visible in some image of the pairs that were loaded together.
    """
    in_group = {member for group in skeleton.groups.values() for member in group}
    singles = [(number,) for number in range(len(skeleton)) if number not in in_group]
    blocks = sorted([*map(tuple, skeleton.groups.values()), *singles], key=min)
    numbers = np.flatnonzero(used)
    matrix, start = np.zeros((len(blocks), len(used)), dtype=bool), 0
    for row, block in enumerate(blocks):
        stop = start + int(used[list(block)].sum())
        matrix[row, numbers[start:stop]] = True
        start = stop
    return matrix[matrix.sum(axis=1) > 1]


def _renumbered_tags(benchmark: Benchmark, asked: Pairs, counted: Bool[np.ndarray, " p"]) -> Bool[np.ndarray, "p k"]:
    visible, mutual = benchmark.instances.visible, asked.mutual(benchmark)
    tags = np.zeros_like(mutual)
    codes, labels = category_codes(asked)
    for code, label in enumerate(labels):
        rows = np.flatnonzero((codes == code) & counted)
        loaded = np.unique(np.concatenate([asked.source[rows], asked.target[rows]]))
        groups = renumbered_groups(benchmark.skeleton(label), visible[loaded].any(axis=0))
        tags[rows] = geometry_aware_keypoints(mutual[rows], visible[asked.target[rows]], groups)
    return tags

"""Left and right: GECO's cases, the rate of confusion, and which keypoint is taken for which."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.landings import Landings
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import in_direction, pair_weights


def left_right_confusion(
    found: Landings, group: Int[np.ndarray, " r"], n_groups: int
) -> tuple[Float64[np.ndarray, " g"], Int64[np.ndarray, " g"]]:
    """Return the share of answers nearer to the mirror partner than to the right keypoint, and of how many.

    Counted where both sides are visible in the answered image and there is an answer, at whatever distance: 0.5 is
    what a method has that cannot tell left from right.

    Args:
        found: where the answers fell.
        group: the group of each answer; negative for none.
        n_groups: how many groups there are.
    """
    both = np.isfinite(found.partner) & (group >= 0)
    confused = np.bincount(group[both], weights=(found.weight * (found.partner < found.own))[both], minlength=n_groups)
    n = np.bincount(group[both], weights=found.weight[both], minlength=n_groups)
    return np.divide(confused, n, out=np.full(n_groups, np.nan), where=n > 0), n.astype(np.int64)


CASE_OF = {"hat_11": "n_11", "overline_11": "n_11", "tilde_11": "n_11", "hat_10": "n_10", "hat_1x": "n_1x"}
"""What each of GECO's rates is a share of."""


def geco_marks(found: Landings, protocol: Protocol, alpha: float) -> dict[str, Bool[np.ndarray, " r"]]:
    """Return which answers are of each of GECO's cases.

    A case is named by whether the match and its mirror partner are visible in the answered image: ``11``, ``10``, and
    ``1x`` where there is no partner. ``hat``: within alpha of the match; ``overline``: of the partner only;
    ``tilde``: of both, which are hats too. Source: Hartwig et al., GECO, ICCV 2025; src/evaluation/pck.py:40-106 of
    reginehartwig/geco at 03c8314, which compares error / size with alpha by ``<=``; here the protocol compares.

    Args:
        found: where the answers fell.
        protocol: how distances are compared.
        alpha: the PCK threshold.
    """
    hat = found.within(found.own, alpha, protocol)
    on_partner = found.within(found.partner, alpha, protocol)
    case_11, case_10 = found.partner_visible, found.has_partner & ~found.partner_visible
    return {
        "n_11": case_11,
        "hat_11": case_11 & hat,
        "overline_11": case_11 & on_partner & ~hat,
        "tilde_11": case_11 & on_partner & hat,
        "n_10": case_10,
        "hat_10": case_10 & hat,
        "n_1x": ~found.has_partner,
        "hat_1x": ~found.has_partner & hat,
    }


def geco_cases(
    found: Landings, marks: Mapping[str, Bool[np.ndarray, " r"]], group: Int[np.ndarray, " r"], n_groups: int
) -> pd.DataFrame:
    """Return the counts of GECO's cases, one row per group, and ``<name>_rate`` for the names of :data:`CASE_OF`.

    Args:
        found: where the answers fell.
        marks: which of them are of each case (:func:`geco_marks`).
        group: the group of each answer; negative for none.
        n_groups: how many groups there are.
    """
    rows = group >= 0
    counts = {
        name: np.bincount(group[rows], weights=(found.weight * some)[rows], minlength=n_groups).astype(np.int64)
        for name, some in marks.items()
    }
    nothing = np.full(n_groups, np.nan)
    rates = {
        f"{name}_rate": np.divide(counts[name], counts[case], out=nothing.copy(), where=counts[case] > 0)
        for name, case in CASE_OF.items()
    }
    return pd.DataFrame(counts | rates)


def geco_unasked(benchmark: Benchmark, pairs: Pairs, protocol: Protocol) -> dict[str, int]:
    """Return how many keypoints are visible in the asked image only: GECO's cases ``01`` and ``00``.

    Their matches are not in the answered image, so nothing here asks for them, and ``overline`` of 01 is not known;
    GECO counts it and leaves it out of what it prints (src/evaluation/pck.py:118).
    """
    asked, weight = in_direction(pairs, protocol), pair_weights(pairs, protocol.sampling)
    visible, counts = benchmark.instances.visible, {"n_01": 0, "n_00": 0}
    for skeleton, rows in asked.by_skeleton(benchmark):
        mirror, size = np.array(skeleton.mirror), len(skeleton)
        target = visible[asked.target[rows]][:, :size]
        only_source = visible[asked.source[rows]][:, :size] & ~target
        partner = target[:, mirror] & (mirror != np.arange(size))
        counts["n_01"] += int((weight[rows, None] * (only_source & partner)).sum())
        counts["n_00"] += int((weight[rows, None] * (only_source & ~partner)).sum())
    return counts


def confusion_matrix(benchmark: Benchmark, pairs: Pairs, found: Landings, category: str | None = None) -> pd.DataFrame:
    """Return which keypoint answers are nearest to: columns ``keypoint``, ``nearest``, ``n``, where n > 0.

    Nearest at whatever distance, among those visible in the answered image; ``-`` for no answer. Keypoints of equal
    name in several skeletons are counted together. Source of the idea: evaluate_spair_correspondence.py of probe3d.

    Args:
        benchmark: where the skeletons are.
        pairs: the pairs that were asked.
        found: where the answers fell.
        category: count the pairs of one label only.
    """
    asked = found.asked
    names = list(dict.fromkeys(name for one in benchmark.skeletons.values() for name in one.names))
    number = {name: place for place, name in enumerate(names)}
    code = np.full((len(pairs), benchmark.instances.visibility.shape[1] + 1), len(names))
    for skeleton, rows in pairs.by_skeleton(benchmark):
        code[rows, : len(skeleton)] = [number[name] for name in skeleton.names]
    chosen = np.flatnonzero((pairs.category[asked.pair] == category) | (category is None))
    given, nearest = code[asked.pair[chosen], asked.keypoint[chosen]], code[asked.pair[chosen], found.nearest[chosen]]
    width = len(names) + 1
    counts = np.bincount(given * width + nearest, weights=found.weight[chosen], minlength=width * width)
    cells = np.flatnonzero(counts)
    labels = np.array([*names, "-"], dtype=object)
    columns = {"keypoint": labels[cells // width], "nearest": labels[cells % width]}
    return pd.DataFrame(columns | {"n": counts[cells].astype(np.int64)})

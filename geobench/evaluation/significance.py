"""Tests beside the bootstrap: McNemar's, Holm's correction, and groups of runs that cannot be told apart."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.stats import binom


def mcnemar(first: Int64[np.ndarray, " n"], second: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return the exact two-sided p-values of McNemar's test (Psychometrika 1947): a sign test of the disagreements.

    It takes keypoints for independent of each other, which those of one image are not: it finds differences too easily.

    Args:
        first: keypoints that only the first of two methods has right.
        second: keypoints that only the second has right.
    """
    return np.minimum(1.0, 2 * binom.cdf(np.minimum(first, second), first + second, 0.5))


def holm(p: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return p-values corrected for there being several: Holm, Scandinavian Journal of Statistics 1979.

    With them, the chance of any false finding among all stays at the level. A NaN is no test and stays NaN.

    Args:
        p: the p-values of one family of tests.
    """
    corrected, tested = np.full(len(p), np.nan), np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def letters(different: Bool[np.ndarray, "m m"]) -> list[str]:
    """Return a compact letter display: two share a letter exactly where they are not told apart.

    By insertion and absorption (Piepho, Journal of Computational and Graphical Statistics 2004).

    Args:
        different: which two are told apart; symmetric. Letters are given in this order, ``a`` to the first.
    """
    groups = [frozenset(range(len(different)))]
    for first, second in np.argwhere(np.triu(different, 1)).tolist():
        split: list[frozenset[int]] = []
        for group in groups:
            split += [group - {first}, group - {second}] if {first, second} <= group else [group]
        distinct = list(dict.fromkeys(split))
        groups = [group for group in distinct if not any(group < other for other in distinct)]
    groups.sort(key=sorted)
    return ["".join(_letter(k) for k, group in enumerate(groups) if one in group) for one in range(len(different))]


def _letter(number: int) -> str:
    turn, place = divmod(number, 26)
    return chr(ord("a") + place) + (str(turn + 1) if turn else "")

"""PCK, the percentage of correct keypoints: pure functions from arrays to arrays.

A keypoint is correct when the distance of prediction and truth is at most alpha times the size of the object or
image (Yang and Ramanan, 2013; for correspondence: Ham et al., 2016). ``per_point`` pools the keypoints;
``per_image`` is the mean over pairs of each pair's share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from geobench.evaluation.protocol import Arithmetic, Comparison


def errors(
    predicted: Float[np.ndarray, "r 2"], truth: Float[np.ndarray, "r 2"], scale: Float[np.ndarray, "r 2"]
) -> Float64[np.ndarray, " r"]:
    """Return the Euclidean distances in the frame, pixels of the frame; NaN where a prediction is NaN.

    Args:
        predicted: (x, y), pixels of the original image.
        truth: (x, y), pixels of the original image.
        scale: pixels of the frame per pixel of the original image, along x and y.
    """
    delta = (predicted.astype(np.float64) - truth) * scale
    return np.hypot(delta[:, 0], delta[:, 1])


def correct(
    errors: Float[np.ndarray, " r"],
    size: Float[np.ndarray, " r"],
    alphas: Sequence[float],
    comparison: Comparison = "<=",
    arithmetic: Arithmetic = "float64",
) -> Bool[np.ndarray, "r a"]:
    """Return which keypoints are correct at each alpha; a NaN error never is.

    Args:
        errors: distances, pixels of the frame.
        size: what alpha multiplies, pixels of the frame.
        alphas: the factors.
        comparison: whether a tie is correct.
        arithmetic: how a tie comes about (:class:`geobench.evaluation.protocol.Protocol`).
    """
    within = np.less if comparison == "<" else np.less_equal
    factors = np.asarray(alphas, np.float64)
    if arithmetic in ("float32", "float32-alpha"):
        factors = factors.astype(np.float32)
    if arithmetic == "float32":
        errors, size = errors.astype(np.float32), size.astype(np.float32)
    columns = np.empty((len(errors), len(factors)), dtype=bool, order="F")
    with np.errstate(divide="ignore", invalid="ignore"):
        for column, alpha in enumerate(factors):
            if arithmetic == "ratio":
                columns[:, column] = within(errors / size, alpha)
            else:
                columns[:, column] = within(errors, size.dtype.type(alpha) * size)
    return columns


@dataclass(frozen=True, eq=False)
class Tally:
    """What is counted in each of P pairs.

    Attributes:
        hits: correct keypoints at each alpha.
        points: keypoints.
    """

    hits: Int64[np.ndarray, "p a"]
    points: Int64[np.ndarray, " p"]


def tally(correct: Bool[np.ndarray, "r a"], pair: Int[np.ndarray, " r"], n_pairs: int) -> Tally:
    """Return the keypoints and the correct ones of each pair, given the pair of each keypoint."""
    hits = [np.bincount(pair[column], minlength=n_pairs) for column in correct.T]
    return Tally(np.stack(hits, axis=1), np.bincount(pair, minlength=n_pairs))


def per_point(
    counts: Tally, group: Int[np.ndarray, " p"], n_groups: int, weight: Int[np.ndarray, " p"]
) -> tuple[Float64[np.ndarray, "g a"], Int64[np.ndarray, " g"]]:
    """Return correct / all keypoints of each group of pairs, and how many keypoints that is.

    Args:
        counts: of each pair.
        group: which group each pair is in; negative for none.
        n_groups: how many groups there are.
        weight: how often each pair counts.
    """
    hits = _sums(counts.hits * weight[:, None], group, n_groups)
    points = _sums((counts.points * weight)[:, None], group, n_groups)
    return _ratio(hits, points), points[:, 0].astype(np.int64)


def per_image(
    counts: Tally,
    group: Int[np.ndarray, " p"],
    n_groups: int,
    weight: Int[np.ndarray, " p"],
    empty_is_nan: bool = False,
) -> tuple[Float64[np.ndarray, "g a"], Int64[np.ndarray, " g"]]:
    """Return the mean over each group's pairs of their correct share, and how many pairs that is.

    Args:
        counts: of each pair.
        group: which group each pair is in; negative for none.
        n_groups: how many groups there are.
        weight: how often each pair counts.
        empty_is_nan: let a pair without keypoints count, as NaN, instead of leaving it out.
    """
    share = _ratio(counts.hits, counts.points[:, None])
    counted = weight > 0 if empty_is_nan else (weight > 0) & (counts.points > 0)
    group = np.where(counted, group, -1)
    pairs = _sums(weight[:, None], group, n_groups)
    return _ratio(_sums(share * weight[:, None], group, n_groups), pairs), pairs[:, 0].astype(np.int64)


def counted(
    counts: Tally, group: Int[np.ndarray, " p"], n_groups: int, weight: Int[np.ndarray, " p"]
) -> tuple[Int64[np.ndarray, " g"], Int64[np.ndarray, " g"]]:
    """Return how many pairs of each group have a keypoint, and how many keypoints, a pair counting ``weight`` times.

    Args:
        counts: of each pair.
        group: which group each pair is in; negative for none.
        n_groups: how many groups there are.
        weight: how often each pair counts.
    """
    columns = np.stack([(counts.points > 0) * weight, counts.points * weight], axis=1)
    sums = _sums(columns, group, n_groups).astype(np.int64)
    return sums[:, 0], sums[:, 1]


def _sums(
    values: Float[np.ndarray, "p a"] | Int[np.ndarray, "p a"], group: Int[np.ndarray, " p"], n_groups: int
) -> Float64[np.ndarray, "g a"]:
    """Return the sums of the rows of each group."""
    rows = group >= 0
    columns = [np.bincount(group[rows], weights=column[rows], minlength=n_groups) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)  # of nothing, bincount makes integers


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=np.broadcast_to(whole > 0, part.shape))

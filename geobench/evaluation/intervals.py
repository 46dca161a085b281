"""Confidence intervals and p-values from bootstrap replicates, for many figures at a time.

Percentile and BCa intervals: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sections 13.3 and 14.3, with
the conventions of ``scipy.stats.bootstrap`` (ties count half in the bias; quantiles interpolate linearly). They equal
SciPy's on the same draws; SciPy would need all draws of one figure at a time.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import ndtr, ndtri

from geobench.evaluation.bootstrap import (
    MINIMUM_EITHER,
    MINIMUM_IMAGES,
    Bootstrap,
    IntervalMethod,
    Resampled,
    resample,
)
from geobench.evaluation.ratios import Ratios, n_images, n_right_and_wrong

POWER = 0.8


def image_intervals(
    images: Ratios, bootstrap: Bootstrap, scope: str
) -> tuple[Float64[np.ndarray, "j k"], Float64[np.ndarray, "j k"]]:
    """Return the lower and upper ends of the intervals of one scope's figures; NaN where there are too few images.

    Args:
        images: parts and wholes of each image; may be none.
        bootstrap: how to make intervals.
        scope: its name, which the draws depend on.
    """
    known = enough_images(images)
    if not known.any():
        return np.full(known.shape, np.nan), np.full(known.shape, np.nan)
    resampled = resample(images, bootstrap.resamples, bootstrap.generator(scope))
    low, high = interval(resampled, bootstrap.method, bootstrap.level)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def enough_images(images: Ratios) -> Bool[np.ndarray, "j k"]:
    """Return which figures there are enough images for: in all, with something right, and with something wrong.

    Of several roles, there must be so many in each.
    """
    known = np.ones(images.parts.shape[1:], bool)
    for some in images.by_role():
        right, wrong = n_right_and_wrong(some)
        known &= (n_images(some) >= MINIMUM_IMAGES)[:, None] & (np.minimum(right, wrong) >= MINIMUM_EITHER)
    return known


def interval(
    resampled: Resampled, method: IntervalMethod, level: float
) -> tuple[Float64[np.ndarray, "j k"], Float64[np.ndarray, "j k"]]:
    """Return the lower and upper ends of the intervals; NaN where all draws give the same figure.

    Draws that count nothing are left out.

    Args:
        resampled: the figures and their replicates.
        method: ``bca`` or ``percentile``.
        level: of the interval, as 0.95.
    """
    ordered = np.sort(resampled.replicates, axis=-1)  # NaN last
    n = np.isfinite(ordered).sum(axis=-1)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = float(ndtri(tail))
        share = np.full(n.shape, tail) if method == "percentile" else _bca_share(resampled, z)
        ends.append(np.where(_varies(resampled), _quantile(ordered, n, share), np.nan))
    return ends[0], ends[1]


def p_value(resampled: Resampled, method: IntervalMethod) -> Float64[np.ndarray, "j k"]:
    """Return the two-sided p-value of the figure being zero: 1 - the level at which the interval just touches zero.

    It is 2 / (R + 1), its least, where none of the R draws is on the other side of zero, so that no interval of any
    level reaches it; 1 where figure and draws are all zero.

    Args:
        resampled: differences.
        method: of the interval that the p-value goes with.
    """
    n = np.isfinite(resampled.replicates).sum(axis=-1)
    z = ndtri(_share_below(resampled, 0.0))
    if method == "bca":
        bias = _bias(resampled)
        shift = z - bias
        slope = 1 + _acceleration(resampled) * shift
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(slope > 0, shift / slope - bias, np.copysign(np.inf, shift))
    draws = resampled.replicates
    one_sided = (np.fmin.reduce(draws, axis=-1) > 0) | (np.fmax.reduce(draws, axis=-1) < 0)
    p = np.clip(np.where(one_sided, 0.0, 2 * ndtr(-np.abs(z))), 2 / (n + 1), 1.0)
    return np.where(np.isfinite(resampled.estimate), p, np.nan)


def detectable(resampled: Resampled, level: float) -> Float64[np.ndarray, "j k"]:
    """Return the smallest true difference that would have been found in four of five samples like this one.

    (z(1 - (1 - level) / 2) + z(0.8)) standard errors, as in Bloom, Minimum Detectable Effects, Evaluation Review 1995.

    Args:
        resampled: differences.
        level: 1 - the size of the two-sided test.
    """
    factor = float(ndtri((1 + level) / 2) + ndtri(POWER))
    finite = np.isfinite(resampled.replicates)
    n = finite.sum(axis=-1)
    values = np.where(finite, resampled.replicates, 0.0)
    mean = values.sum(axis=-1) / np.maximum(n, 1)
    squares = (np.where(finite, values - mean[..., None], 0.0) ** 2).sum(axis=-1)
    return np.where(n > 1, factor * np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)


def _bca_share(resampled: Resampled, z: float) -> Float64[np.ndarray, "j k"]:
    """Return the share of draws below the end of the BCa interval whose normal quantile is ``z``."""
    bias = _bias(resampled)
    with np.errstate(invalid="ignore"):
        return np.asarray(ndtr(bias + (bias + z) / (1 - _acceleration(resampled) * (bias + z))))


def _bias(resampled: Resampled) -> Float64[np.ndarray, "j k"]:
    return np.asarray(ndtri(_share_below(resampled, resampled.estimate[..., None])))


def _share_below(resampled: Resampled, value: float | np.ndarray) -> Float64[np.ndarray, "j k"]:
    """Return the share of draws below a value, those equal to it counting half; never quite 0 or 1."""
    draws = resampled.replicates
    counted = (draws < value).sum(axis=-1) + (draws <= value).sum(axis=-1)
    n = np.isfinite(draws).sum(axis=-1)
    share = np.divide(counted / 2, n, out=np.full(n.shape, np.nan), where=n > 0)
    return np.clip(share, 1 / (n + 1), n / (n + 1))


def _acceleration(resampled: Resampled) -> Float64[np.ndarray, "j k"]:
    """Return a sixth of the skewness of the jackknife; 0 where it does not vary."""
    without = resampled.jackknife
    influence = without.mean(axis=0) - without
    cubes, squares = (influence**3).sum(axis=0), (influence**2).sum(axis=0)
    return np.divide(cubes, 6 * squares**1.5, out=np.zeros_like(cubes), where=squares > 0)


def _varies(resampled: Resampled) -> np.ndarray:
    draws = resampled.replicates
    return np.fmin.reduce(draws, axis=-1) < np.fmax.reduce(draws, axis=-1)


def _quantile(
    ordered: Float64[np.ndarray, "j k r"], n: np.ndarray, share: Float64[np.ndarray, "j k"]
) -> Float64[np.ndarray, "j k"]:
    """Return the linearly interpolated quantile of the first ``n`` of each row; NaN where there is none."""
    known = np.isfinite(share) & (n > 0)
    place = np.where(known, share, 0.0) * np.maximum(n - 1, 0)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(n - 1, 0))
    low = np.take_along_axis(ordered, lower[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, upper[..., None], axis=-1)[..., 0]
    return np.where(known, low + (high - low) * (place - lower), np.nan)

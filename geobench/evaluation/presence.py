"""KAP, keypoint average precision: does a method know whether a keypoint is to be seen in the other image at all?

Every keypoint visible in the asked image is asked for, also where the answered image hides it. Similarities of a pair
are brought to 0 to 1 together. A keypoint that is there gives one positive sample, its greatest similarity within
alpha * size of the truth, and one negative, the greatest beyond; one that is hidden gives a negative, the greatest
anywhere. KAP is the average precision of these samples. Source: Mariotti, Mac Aodha and Bilen, Improving Semantic
Correspondence with Viewpoint-Guided Spherical Maps, CVPR 2024; utils/utils_correspondence.py:402-458 and pck_train.py
of VICO-UoE/JamaisVu at d236e73, which makes both samples of every keypoint, hidden or not (docs/errata.md).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64

Samples = tuple[np.ndarray, np.ndarray]
"""Positive [alphas, p] and negative [alphas, n] samples of one pair; p and n differ from pair to pair."""


def presence_samples(
    similarity: Float[np.ndarray, "q h w"],
    place: Float[np.ndarray, "h w 2"],
    truth: Float[np.ndarray, "q 2"],
    visible: Bool[np.ndarray, " q"],
    radius: Float[np.ndarray, " a"],
    in_image: Bool[np.ndarray, "h w"],
    legacy: bool = False,
) -> Samples:
    """Return the samples of one pair; 0 where no cell is within the radius, or none beyond.

    Args:
        similarity: of each keypoint asked for with each cell of the answered image.
        place: (x, y) of the cells, pixels of the protocol's frame.
        truth: (x, y) of each keypoint in the answered image, pixels of the frame; anything where it is hidden.
        visible: which keypoints the answered image shows.
        radius: alpha times the size, pixels of the frame.
        in_image: which cells lie in the image; the others, in the padding, count as 0.
        legacy: make a positive and a negative of every keypoint, hidden or not, as the authors' code does.
    """
    if not len(similarity):
        nothing = np.zeros((len(radius), 0))
        return nothing, nothing
    values = similarity.astype(np.float64)
    low, high = values[:, in_image].min(), values[:, in_image].max()
    values = np.where(in_image, (values - low) / (high - low if high > low else 1), 0)
    distance = np.hypot(*np.moveaxis(place - truth[:, None, None].astype(np.float64), -1, 0))
    within = distance <= radius[:, None, None, None]
    inner, outer = (np.where(chosen, values, 0).max(axis=(-2, -1)) for chosen in (within, ~within))
    if legacy:
        return inner, outer
    return inner[:, visible], np.where(visible, outer, values.max(axis=(-2, -1)))


def average_precision(positive: Float64[np.ndarray, " p"], negative: Float64[np.ndarray, " n"]) -> float:
    """Return the mean over positives of the precision at each one's rank, equal samples at one rank; NaN without any.

    The sum over thresholds of precision times the gain in recall, without interpolation, as scikit-learn computes it.
    """
    if not len(positive):
        return float("nan")
    samples = np.concatenate([positive, negative])
    order = np.argsort(-samples, kind="stable")
    ordered, last = samples[order], np.ones(len(samples), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=last[:-1])
    rank = np.flatnonzero(last)  # of the last of each run of equal samples
    hits = np.cumsum(order < len(positive))[rank]
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / (rank + 1)).sum() / len(positive))

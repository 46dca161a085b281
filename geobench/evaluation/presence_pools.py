"""KAP per point: the samples of each category together, and the mean over categories, in many draws of images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from geobench.evaluation.presence import Samples
from geobench.evaluation.presence_ranking import Ranking

Part = tuple[np.ndarray, np.ndarray]
"""Average precision [alphas, draws] of a category, NaN without a positive, and its weight [draws]."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The samples of one category, of the U images that its pairs are answered in.

    Attributes:
        images: their numbers, ascending.
        asked: keypoints asked for in each.
        rankings: the samples in order, one for each alpha; they number an image by its place in ``images``.
    """

    images: Int64[np.ndarray, " u"]
    asked: Float64[np.ndarray, " u"]
    rankings: list[Ranking]

    @classmethod
    def of(
        cls, samples: Sequence[Samples], asked: Int64[np.ndarray, " p"], image: Int64[np.ndarray, " p"], n_alphas: int
    ) -> Pool:
        """Return the samples of a category's pairs.

        Args:
            samples: of each pair.
            asked: how many keypoints each pair asks for; a pair that asks for none is passed over.
            image: number of the image that each is answered in.
            n_alphas: how many alphas there are samples for.
        """
        rows = np.flatnonzero(asked)
        images, place = np.unique(image[rows], return_inverse=True)
        values, places = [], []
        for side in (0, 1):
            some = [samples[row][side] for row in rows.tolist()]
            values.append(np.concatenate([np.zeros((n_alphas, 0)), *some], axis=1))
            places.append(np.repeat(place, np.array([one.shape[1] for one in some], np.int64)))
        rankings = [Ranking.of(positive, negative, *places) for positive, negative in zip(*values, strict=True)]
        weights = np.bincount(place, weights=asked[rows], minlength=len(images))
        return cls(images, weights.astype(np.float64), rankings)

    def part(self, times: Float64[np.ndarray, "u b"]) -> Part:
        """Return what the category adds to the mean of B draws.

        Args:
            times: how often each of its images is in each draw; whole numbers.
        """
        return np.stack([ranking.average_precision(times) for ranking in self.rankings]), self.asked @ times

    @cached_property
    def whole(self) -> Part:
        """What the category adds with each image once, as one draw."""
        return self.part(np.ones((len(self.images), 1)))


def mean_of_parts(parts: Iterable[Part]) -> Float64[np.ndarray, "k b"]:
    """Return the mean over categories by their weights, of those with a positive; NaN where there is none.

    In all it is utils/logger.py, log_weighted_pcks, of VICO-UoE/JamaisVu. The categories are added up one after the
    other: a sum along an axis would round otherwise in a block of one draw.
    """
    total, whole = np.zeros((1, 1)), np.zeros((1, 1))
    for precision, weight in parts:
        known = ~np.isnan(precision)
        total = total + np.where(known, precision * weight, 0)
        whole = whole + np.where(known, weight, 0)
    return np.divide(total, whole, out=np.full(total.shape, np.nan), where=whole > 0)


def pooled_precision(pools: Sequence[Pool]) -> Float64[np.ndarray, " k"]:
    """Return KAP per point of some categories at each alpha."""
    return mean_of_parts(pool.whole for pool in pools)[:, 0]

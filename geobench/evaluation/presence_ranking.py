"""Average precision of samples that count as often as their images are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

Counted = list[tuple[int, int]]
"""Samples as (number of their image, how many of that image)."""

_NOTHING = np.finfo(np.float64).tiny  # 0 / _NOTHING is 0, and _NOTHING + n is exactly n for every n from 1


@dataclass(frozen=True, eq=False)
class Ranking:
    """Samples of several images from the greatest down to the least positive; those below change nothing.

    Attributes:
        steps: for each value that a positive has, from the greatest: the negatives that are at least as great and below
            the value before, and the positives of this value.
    """

    steps: list[tuple[Counted, Counted]]

    @classmethod
    def of(
        cls,
        positive: Float64[np.ndarray, " p"],
        negative: Float64[np.ndarray, " n"],
        positive_image: Int64[np.ndarray, " p"],
        negative_image: Int64[np.ndarray, " n"],
    ) -> Ranking:
        """Return samples in order.

        Args:
            positive: values of the positive samples.
            negative: values of the negative ones.
            positive_image: number of the image of each positive sample, from 0.
            negative_image: of each negative one.
        """
        thresholds = np.unique(positive)[::-1]
        step = np.searchsorted(-thresholds, -np.concatenate([negative, positive]))
        image = np.concatenate([negative_image, positive_image])
        n_images, sign = int(image.max(initial=0)) + 1, np.arange(len(step)) >= len(negative)
        key = ((step * 2 + sign) * n_images + image)[step < len(thresholds)]
        places, counts = np.unique(key, return_counts=True)
        steps: list[tuple[Counted, Counted]] = [([], []) for _ in thresholds]
        for place, number in zip(places.tolist(), counts.tolist(), strict=True):
            group, one = divmod(place, n_images)
            steps[group // 2][group % 2].append((one, number))
        return cls(steps)

    def disputed(self) -> tuple[set[int], set[int]]:
        """Return the images with a positive that a negative is as great as, and those with such a negative."""
        first = next((place for place, (negatives, _) in enumerate(self.steps) if negatives), len(self.steps))
        outranked = {image for _, positives in self.steps[first:] for image, _ in positives}
        return outranked, {image for negatives, _ in self.steps for image, _ in negatives}

    def average_precision(self, times: Float64[np.ndarray, "u b"]) -> Float64[np.ndarray, " b"]:
        """Return the mean over positives of the precision at each one's rank, equal samples at one rank.

        The sum over thresholds of precision times the gain in recall, without interpolation, as scikit-learn computes
        it with weights. NaN where no positive counts. Every draw is worked out by itself, so that the others of its
        block change no bit of it.

        Args:
            times: how often each image is in each of B draws; whole numbers.
        """
        rows, n = list(times), times.shape[1]
        total, hits, area = np.full(n, _NOTHING), np.zeros(n), np.zeros(n)
        precision, gain, several = np.empty((3, n))
        for negatives, positives in self.steps:
            _add(negatives, rows, total, several)
            gained = rows[positives[0][0]]
            if len(positives) > 1 or positives[0][1] > 1:
                gain.fill(0)
                _add(positives, rows, gain, several)
                gained = gain
            total += gained
            hits += gained
            np.divide(hits, total, out=precision)
            precision *= gained
            area += precision
        return np.divide(area, hits, out=np.full(n, np.nan), where=hits > 0)


def _add(samples: Counted, rows: list[np.ndarray], total: np.ndarray, several: np.ndarray) -> None:
    """Add how often some samples count to ``total``; ``several`` is room to work in."""
    for image, number in samples:
        total += rows[image] if number == 1 else np.multiply(rows[image], number, out=several)

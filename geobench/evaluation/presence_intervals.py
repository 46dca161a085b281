"""Confidence intervals of KAP, by drawing the target images anew (docs/statistics.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geobench.evaluation.bootstrap import MINIMUM_EITHER, MINIMUM_IMAGES, Bootstrap, Resampled, draws
from geobench.evaluation.intervals import image_intervals, interval
from geobench.evaluation.presence_pools import Part, Pool, mean_of_parts, pooled_precision
from geobench.evaluation.ratios import Ratios, mean_ratios

_BLOCK = 1 << 23  # images drawn at a time, over all draws of a block: 64 MiB


def presence_ratios(own: Float64[np.ndarray, "p k"], asked: Int64[np.ndarray, " p"]) -> Ratios:
    """Return what each pair adds: per image, its average precision and 1; per point, nothing and its keypoints.

    KAP per point is no ratio of sums; its keypoints say which images are drawn.

    Args:
        own: average precision of each pair at each alpha, NaN without a positive.
        asked: keypoints that each pair asks for.
    """
    per_image = mean_ratios(own[:, None])
    return per_image.beside(Ratios(np.zeros_like(per_image.parts), asked[:, None].astype(np.float64)))


def presence_intervals(
    images: Ratios, pools: Sequence[Pool], bootstrap: Bootstrap, scope: str
) -> tuple[Float64[np.ndarray, "2 k"], Float64[np.ndarray, "2 k"]]:
    """Return the ends of the intervals of one scope's figures, per image and per point; NaN where images are too few.

    Both have the same draws of the images that are answered in.

    Args:
        images: :func:`presence_ratios` of the scope's images.
        pools: its categories.
        bootstrap: how to make intervals.
        scope: its name, which the draws depend on.
    """
    low, high = np.full((2, 2, images.parts.shape[2]), np.nan)
    low[:1], high[:1] = image_intervals(Ratios(images.parts[:, :1], images.wholes[:, :1]), bootstrap, scope)
    enough = enough_disputed_images(pools)
    if enough.any():
        ends = interval(resample_pools(pools, bootstrap, scope), bootstrap.method, bootstrap.level)
        low[1], high[1] = (np.where(enough, end[0], np.nan) for end in ends)
    return low, high


def enough_disputed_images(pools: Sequence[Pool]) -> Bool[np.ndarray, " k"]:
    """Return at which alphas KAP per point has an interval.

    Where ten images are answered in, five have a positive that a negative of its category is as great as, and five have
    such a negative: with fewer, one image may decide, and draws without it say that nothing is wrong.
    """
    n_images = len(np.unique(np.concatenate([pool.images for pool in pools])))
    enough = []
    for rankings in zip(*(pool.rankings for pool in pools), strict=True):
        sides: tuple[set[int], set[int]] = (set(), set())
        for pool, ranking in zip(pools, rankings, strict=True):
            for side, some in zip(sides, ranking.disputed(), strict=True):
                side.update(pool.images[list(some)].tolist())
        enough.append(n_images >= MINIMUM_IMAGES and min(map(len, sides)) >= MINIMUM_EITHER)
    return np.array(enough, bool)


def resample_pools(pools: Sequence[Pool], bootstrap: Bootstrap, scope: str) -> Resampled:
    """Return KAP per point of some categories, and of draws of their images, as one count.

    Args:
        pools: the categories; at least one image.
        bootstrap: how many draws.
        scope: what they are named after.
    """
    images = np.unique(np.concatenate([pool.images for pool in pools]))
    places = [np.searchsorted(images, pool.images) for pool in pools]
    blocks = [
        mean_of_parts(pool.part(times[place]) for pool, place in zip(pools, places, strict=True))
        for times in _blocks(len(images), bootstrap.resamples, bootstrap.generator(scope))
    ]
    without = mean_of_parts(_without_one(pool, place, len(images)) for pool, place in zip(pools, places, strict=True))
    return Resampled(pooled_precision(pools)[None], np.concatenate(blocks, axis=1)[None], without.T[:, None])


def _blocks(n: int, resamples: int, generator: np.random.Generator) -> Iterator[Float64[np.ndarray, "n b"]]:
    """Yield how often each of ``n`` images is in the draws of each block, all of about one size."""
    n_blocks = -(-n * resamples // _BLOCK)
    edges = np.linspace(0, resamples, n_blocks + 1).astype(np.int64)
    for size in np.diff(edges).tolist():
        times = np.empty((n, size))
        for start, some in draws(n, size, generator):
            times[:, start : start + len(some)] = some.T
        yield times


def _without_one(pool: Pool, place: Int64[np.ndarray, " u"], n: int) -> Part:
    """Return what a category adds to the mean without each of ``n`` images, of which it has those at ``place``."""
    precision, weights = (np.repeat(side, n, axis=-1) for side in pool.whole)
    size = max(1, _BLOCK // max(1, len(place)))
    for start in range(0, len(place), size):
        left_out = np.arange(start, min(start + size, len(place)))
        times = np.ones((len(place), len(left_out)))
        times[left_out, left_out - start] = 0
        precision[:, place[left_out]], weights[place[left_out]] = pool.part(times)
    return precision, weights

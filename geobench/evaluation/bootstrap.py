"""Bootstrap of ratios over images that are drawn anew, with replacement: replicates, and the jackknife.

Pairs that share an image are not independent. So whole images are drawn, each with all the pairs answered in it (the
cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Pairs share the
image that they are asked in, too: with both drawn, each by itself, a pair counts as often as its target was drawn
times as often as its source was (the pigeonhole bootstrap: Owen, The Annals of Applied Statistics 1(2), 2007).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int, Int64

from geobench.benchmark import Benchmark
from geobench.errors import UsageError
from geobench.evaluation.ratios import Ratios, image_codes
from geobench.seeding import seed_for

IntervalMethod = Literal["bca", "percentile"]
Drawn = Literal["target-images", "both-images"]

MINIMUM_IMAGES = 10
"""With fewer target images no interval is given: it would be too narrow to be believed (docs/statistics.md)."""

MINIMUM_EITHER = 5
"""An interval also needs so many images with something right, and so many with something wrong."""

MINIMUM_DIFFERENT = 15
"""A difference of two runs is tested where they differ in at least so many images."""

_BLOCK = 1 << 20  # images drawn at a time, over all resamples of a block: 30 MiB


DRAWN: dict[Drawn, str] = {"target-images": "target images", "both-images": "target and source images"}
"""What is drawn, in words."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made; recorded beside every table of scores.

    Attributes:
        method: ``bca``, bias-corrected and accelerated, or ``percentile``.
        level: the share of samples whose interval should hold the truth.
        resamples: how often the images are drawn anew.
        seed: of the draws; each scope has a stream of its own, made of the seed and the scope's name.
        drawn: ``target-images``, those that are answered in, or ``both-images``: those that are asked in, too.
    """

    method: IntervalMethod = "bca"
    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    drawn: Drawn = "target-images"

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UsageError(f"the level of an interval is between 0 and 1, as 0.95, not {self.level:g}")
        if self.resamples < 100:
            raise UsageError(f"an interval needs at least 100 resamples, not {self.resamples}")

    def record(self) -> dict[str, Any]:
        """Return the settings as plain data, with what is drawn."""
        return {**asdict(self), "drawn": DRAWN[self.drawn]}

    def generator(self, scope: str) -> np.random.Generator:
        """Return the generator of a scope's draws."""
        return np.random.default_rng(seed_for(self.seed, scope))


@dataclass(frozen=True, eq=False)
class Resampled:
    """J counts in K variants: the figure, and what it would have been with other images.

    Attributes:
        estimate: the figure; NaN where nothing is counted.
        replicates: the figure of R draws of as many images as there are; NaN where a draw counts nothing.
        jackknife: the figure without one image, for each of the U images; of several roles, those of each in turn.
    """

    estimate: Float64[np.ndarray, "j k"]
    replicates: Float64[np.ndarray, "j k r"]
    jackknife: Float64[np.ndarray, "u j k"]

    def difference(self, first: np.ndarray, second: np.ndarray) -> Resampled:
        """Return the differences of variants ``first`` minus ``second`` (their numbers), image for image."""
        return self._difference(first, second, axis=1)

    def difference_of_counts(self, first: Sequence[int], second: Sequence[int]) -> Resampled:
        """Return the differences of counts ``first`` minus ``second`` (their numbers), image for image."""
        return self._difference(first, second, axis=0)

    def _difference(
        self, first: Sequence[int] | np.ndarray, second: Sequence[int] | np.ndarray, axis: int
    ) -> Resampled:
        """Return differences along an axis of the estimate; the jackknife has that of its images before it."""

        def less(values: np.ndarray, axis: int) -> np.ndarray:
            difference: np.ndarray = np.take(values, first, axis=axis) - np.take(values, second, axis=axis)
            return difference

        return Resampled(less(self.estimate, axis), less(self.replicates, axis), less(self.jackknife, axis + 1))


def drawn_images(
    benchmark: Benchmark,
    answered: Int[np.ndarray, " p"],
    asked: Int[np.ndarray, " p"],
    bootstrap: Bootstrap | None,
) -> Int64[np.ndarray, "p d"]:
    """Return the numbers of the images that each pair is drawn with, by the order of the images' paths.

    Args:
        benchmark: where the images are.
        answered: the instance that each pair is answered in.
        asked: the instance that it is asked in.
        bootstrap: whether it draws images of both roles (D is 2); the first alone by default.
    """
    both = bootstrap is not None and bootstrap.drawn == "both-images"
    codes = image_codes(benchmark)
    return np.column_stack([codes[rows] for rows in ([answered, asked] if both else [answered])])


def resample(images: Ratios, resamples: int, generator: np.random.Generator) -> Resampled:
    """Return the figures of ``images`` and of ``resamples`` draws of them.

    The draws are ``generator.integers(0, U, (R, U))``, row by row; in a second role (source), the same of
    ``generator.spawn(1)[0]``. Counts and variants share them.

    Args:
        images: parts and wholes of each image, or of each combination of images; at least one.
        resamples: how many draws.
        generator: what draws.
    """
    n, n_counts, n_variants = images.parts.shape
    columns = np.concatenate([images.parts.reshape(n, -1), images.wholes], axis=1)
    split, replicates = n_counts * n_variants, np.empty((n_counts, n_variants, resamples))
    for start, times in _unit_draws(images, resamples, generator):
        sums = times @ columns
        rows = len(sums)
        parts = sums[:, :split].reshape(rows, n_counts, n_variants)
        replicates[:, :, start : start + rows] = _ratio(parts, sums[:, split:]).transpose(1, 2, 0)
    part, whole = images.parts.sum(axis=0), images.wholes.sum(axis=0)
    without = [_ratio(part - some.parts, whole - some.wholes) for some in images.by_role()]
    return Resampled(_ratio(part[None], whole[None])[0], replicates, np.concatenate(without))


def _unit_draws(
    images: Ratios, resamples: int, generator: np.random.Generator
) -> Iterator[tuple[int, Float64[np.ndarray, "b u"]]]:
    """Yield the first draw of each block, and how often each unit is in each of its draws."""
    n, roles = len(images.wholes), images.images
    if roles is None:
        yield from draws(n, resamples, generator)
        return
    generators = [generator, *generator.spawn(roles.shape[1] - 1)]
    numbers = [int(role.max()) + 1 for role in roles.T]
    rows = max(1, _BLOCK // n)
    streams = [draws(count, resamples, own, rows) for count, own in zip(numbers, generators, strict=True)]
    for blocks in zip(*streams, strict=True):
        times = [drawn[:, role] for (_, drawn), role in zip(blocks, roles.T, strict=True)]
        yield blocks[0][0], np.multiply.reduce(times)


def draws(
    n: int, resamples: int, generator: np.random.Generator, block: int | None = None
) -> Iterator[tuple[int, Float64[np.ndarray, "b n"]]]:
    """Yield the first draw of each block, and how often each of ``n`` images is in each of its draws."""
    size = block or max(1, _BLOCK // n)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = generator.integers(0, n, (rows, n))
        drawn += np.arange(rows)[:, None] * n
        yield start, np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _ratio(parts: Float64[np.ndarray, "u j k"], wholes: Float64[np.ndarray, "u j"]) -> Float64[np.ndarray, "u j k"]:
    """Return parts / wholes, NaN where nothing is counted."""
    return np.divide(parts, wholes[..., None], out=np.full(parts.shape, np.nan), where=wholes[..., None] > 0)

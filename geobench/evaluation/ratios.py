"""PCK as a ratio of sums over target images: what is added up for each, so that images can be drawn anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from geobench.benchmark import Benchmark
from geobench.evaluation.pck import Tally
from geobench.evaluation.protocol import Averaging
from geobench.evaluation.queries import Queries
from geobench.evaluation.scopes import Scopes

# Shares are rounded to multiples of this, so that sums of them are exact in float64 (up to 2^23 pairs) and come out
# the same in any order: on any number of threads and with any matrix library.
_GRAIN = 2.0**30


@dataclass(frozen=True, eq=False)
class Ratios:
    """What is added up, for U units (pairs or images), J counts and K variants of each (alphas, runs).

    A figure is the sum of ``parts`` over units / the sum of ``wholes``. Per image, a pair's part is its correct share
    and its whole is 1; per point, they are its correct keypoints and its keypoints; both times its weight.

    Attributes:
        parts: what is right.
        wholes: what there is.
        images: numbers of the images that each unit is of, one in each of D roles (target, source), from 0 on in each;
            None where every unit is an image of its own.
    """

    parts: Float64[np.ndarray, "u j k"]
    wholes: Float64[np.ndarray, "u j"]
    images: Int64[np.ndarray, "u d"] | None = None

    def beside(self, other: Ratios) -> Ratios:
        """Return the counts of this and, after them, those of ``other``, which is of the same units and variants."""
        parts, wholes = (self.parts, other.parts), (self.wholes, other.wholes)
        return Ratios(np.concatenate(parts, axis=1), np.concatenate(wholes, axis=1), self.images)

    def by_role(self) -> list[Ratios]:
        """Return the sums over the images of each role, which are units of their own."""
        if self.images is None:
            return [self]
        return [Ratios(_sums(self.parts, code), _sums(self.wholes, code)) for code in self.images.T]


def pair_ratios(tallies: Mapping[tuple[str, Averaging], Tally], weight: Int64[np.ndarray, " p"]) -> Ratios:
    """Return parts and wholes of every pair; J runs over ``tallies`` in their order, K over the alphas.

    Args:
        tallies: what is counted in each pair, for each subset and averaging.
        weight: how often each pair counts.
    """
    parts, wholes = [], []
    for (_, averaging), counts in tallies.items():
        hits, points = counts.hits.astype(np.float64), counts.points.astype(np.float64)
        if averaging == "per-image":
            share = np.divide(hits, points[:, None], out=np.zeros_like(hits), where=points[:, None] > 0)
            hits, points = np.rint(share * _GRAIN) / _GRAIN, (points > 0).astype(np.float64)
        parts.append(hits * weight[:, None])
        wholes.append(points * weight)
    return Ratios(np.stack(parts, axis=1), np.stack(wholes, axis=1))


def mean_ratios(values: Float64[np.ndarray, "p j k"]) -> Ratios:
    """Return parts and wholes of figures that are means over pairs; NaN where a pair is left out, in all variants."""
    known = np.isfinite(values)
    return Ratios(np.rint(np.where(known, values, 0) * _GRAIN) / _GRAIN, known.all(axis=2).astype(np.float64))


def pair_wholes(tallies: Mapping[tuple[str, Averaging], Tally], weight: Int64[np.ndarray, " p"]) -> Ratios:
    """Return the wholes of every pair without any part (no variant): enough to count images, and quicker."""
    nothing = {key: Tally(counts.hits[:, :0], counts.points) for key, counts in tallies.items()}
    return pair_ratios(nothing, weight)


def answer_images(benchmark: Benchmark, asked: Queries) -> Int64[np.ndarray, " p"]:
    """Return a number for the image that each pair is answered in, by the order of the images' paths.

    Pairs answered in the same image have the same number, also where they are about different objects in it.
    """
    return image_codes(benchmark)[asked.answer_row]


def image_codes(benchmark: Benchmark) -> Int64[np.ndarray, " n"]:
    """Return the number of the image of every instance, by the order of the images' paths."""
    codes, _ = pd.factorize(benchmark.instances.image.astype(object), sort=True)
    return codes.astype(np.int64)


def by_image(pairs: Ratios, scopes: Scopes, image: Int64[np.ndarray, "p ..."]) -> list[Ratios]:
    """Return, for each part of ``scopes``, the sums over each of its images, in order of the images' numbers.

    An image is one of a part's when a pair of that part that counts is answered in it. With several roles, the sums are
    over each combination of images, in order of the first role's.

    Args:
        pairs: parts and wholes of every pair.
        scopes: a partition of the pairs.
        image: number of the image that each pair belongs to; in each role, if several.
    """
    rows = np.flatnonzero((scopes.codes >= 0) & (pairs.wholes > 0).any(axis=1))
    keys = np.column_stack([scopes.codes, image])[rows].T
    shape = tuple(int(key.max(initial=0)) + 1 for key in keys)
    units, code = np.unique(np.ravel_multi_index(tuple(keys), shape), return_inverse=True)
    units = np.column_stack(np.unravel_index(units, shape))
    parts, wholes = _sums(pairs.parts[rows], code), _sums(pairs.wholes[rows], code)
    edges = np.searchsorted(units[:, 0], np.arange(len(scopes.names) + 1))
    cuts = [slice(start, stop) for start, stop in pairwise(edges.tolist())]
    return [Ratios(parts[cut], wholes[cut], _renumbered(units[cut, 1:])) for cut in cuts]


def _renumbered(images: Int64[np.ndarray, "u d"]) -> Int64[np.ndarray, "u d"] | None:
    """Return the images numbered from 0 on in each role; None for one role."""
    if images.shape[1] == 1:
        return None
    return np.column_stack([np.unique(role, return_inverse=True)[1] for role in images.T]).astype(np.int64)


def _sums(values: Float64[np.ndarray, "u ..."], code: Int64[np.ndarray, " u"]) -> Float64[np.ndarray, "n ..."]:
    """Return the sums of the rows of each code, 0 to its largest."""
    n, width = int(code.max(initial=-1)) + 1, int(np.prod(values.shape[1:]))
    flat, sums = values.reshape(len(values), width), np.empty((n, width))
    for column in range(width):
        sums[:, column] = np.bincount(code, weights=flat[:, column], minlength=n)
    return sums.reshape(n, *values.shape[1:])


def n_images(images: Ratios) -> Int64[np.ndarray, " j"]:
    """Return how many images (of the first role) something is counted in, for each of the J counts."""
    return (images.by_role()[0].wholes > 0).sum(axis=0).astype(np.int64)


def n_right_and_wrong(images: Ratios) -> tuple[Int64[np.ndarray, "j k"], Int64[np.ndarray, "j k"]]:
    """Return in how many images something is right, and in how many something is wrong."""
    right = (images.parts > 0).sum(axis=0).astype(np.int64)
    return right, (images.parts < images.wholes[..., None]).sum(axis=0).astype(np.int64)

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
    """

    parts: Float64[np.ndarray, "u j k"]
    wholes: Float64[np.ndarray, "u j"]

    def take(self, units: slice) -> Ratios:
        """Return some of the units."""
        return Ratios(self.parts[units], self.wholes[units])

    def beside(self, other: Ratios) -> Ratios:
        """Return the counts of this and, after them, those of ``other``, which is of the same units and variants."""
        parts, wholes = (self.parts, other.parts), (self.wholes, other.wholes)
        return Ratios(np.concatenate(parts, axis=1), np.concatenate(wholes, axis=1))


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
    codes, _ = pd.factorize(benchmark.instances.image.astype(object), sort=True)
    return codes.astype(np.int64)[asked.answer_row]


def by_image(pairs: Ratios, scopes: Scopes, image: Int64[np.ndarray, " p"]) -> list[Ratios]:
    """Return, for each part of ``scopes``, the sums over each of its images, in order of the images' numbers.

    An image is one of a part's when a pair of that part that counts is answered in it.

    Args:
        pairs: parts and wholes of every pair.
        scopes: a partition of the pairs.
        image: number of the image that each pair belongs to.
    """
    rows = np.flatnonzero((scopes.codes >= 0) & (pairs.wholes > 0).any(axis=1))
    key = scopes.codes[rows] * (int(image.max(initial=0)) + 1) + image[rows]
    units, code = np.unique(key, return_inverse=True)
    _, n_counts, n_variants = pairs.parts.shape
    flat = np.concatenate([pairs.parts.reshape(len(image), n_counts * n_variants), pairs.wholes], axis=1)[rows]
    sums = np.empty((len(units), flat.shape[1]))
    for column in range(flat.shape[1]):
        sums[:, column] = np.bincount(code, weights=flat[:, column], minlength=len(units))
    parts = sums[:, : n_counts * n_variants].reshape(len(units), n_counts, n_variants)
    whole = Ratios(parts, sums[:, n_counts * n_variants :])
    edges = np.searchsorted(units // (int(image.max(initial=0)) + 1), np.arange(len(scopes.names) + 1))
    return [whole.take(slice(start, stop)) for start, stop in pairwise(edges.tolist())]


def n_images(images: Ratios) -> Int64[np.ndarray, " j"]:
    """Return how many images something is counted in, for each of the J counts."""
    return (images.wholes > 0).sum(axis=0).astype(np.int64)


def n_right_and_wrong(images: Ratios) -> tuple[Int64[np.ndarray, "j k"], Int64[np.ndarray, "j k"]]:
    """Return in how many images something is right, and in how many something is wrong."""
    right = (images.parts > 0).sum(axis=0).astype(np.int64)
    return right, (images.parts < images.wholes[..., None]).sum(axis=0).astype(np.int64)

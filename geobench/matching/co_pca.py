"""co-PCA: the features of two images projected on the principal axes that they have in common.

Zhang et al., NeurIPS 2023 (arXiv 2305.15347), section 3.3; sd-dino, utils/utils_correspondence.py:358-438. Each level
of a network's features has its own axes, found for each pair of images from the vectors of both.

The principal axes are eigenvectors of the scatter of all vectors, and the scatter of a pair follows from those of its
two images; so what is asked of one image is computed once, however many pairs it is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import scipy.linalg
import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float, Float64
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.seeding import seeded

Solver = Literal["exact", "lowrank"]
Scores = tuple[Tensor, Tensor]
"""The coordinates of the vectors of the one and of the other image, [q, n1] and [q, n2]."""


@dataclass(frozen=True, eq=False)
class Sample:
    """The vectors of one level of one image.

    Attributes:
        map: the level.
    """

    map: FeatureMap

    @property
    def columns(self) -> Float[Tensor, "c n"]:
        """The vectors, one per column."""
        return self.map.columns

    @cached_property
    def mean(self) -> Float[Tensor, "c 1"]:
        """Their mean."""
        return self.columns.mean(dim=1, keepdim=True)

    @cached_property
    def scatter(self) -> Float[Tensor, "c c"]:
        """The sum of the outer products of their differences from the mean."""
        centred = self.columns - self.mean
        return centred @ centred.T


def co_pca(
    first: Sequence[Sample],
    second: Sequence[Sample],
    dimensions: Sequence[int],
    solver: Solver = "exact",
    seed: int = 42,
) -> tuple[FeatureMap, FeatureMap]:
    """Return two images as one map each, every level reduced to the axes that the two images have in common.

    The levels are reduced on their own grids and joined by :func:`joined_in_steps`; nothing is normalised.

    Args:
        first: levels of the one image.
        second: levels of the other, in the same order and with as many channels.
        dimensions: how many axes each level keeps; one with fewer channels or fewer vectors keeps all there are.
        solver: ``exact`` or ``lowrank``; see :func:`exact_scores` and :func:`lowrank_scores`.
        seed: seed of ``lowrank``, for the whole pair.
    """
    levels = list(zip(first, second, dimensions, strict=True))
    if solver == "exact":
        scores = [exact_scores(*level) for level in levels]
    else:
        with seeded(seed):  # as in the authors' code, the last level, s5, draws first
            scores = [lowrank_scores(*level) for level in reversed(levels)][::-1]
    ones = [_map(found[0], level) for found, level in zip(scores, first, strict=True)]
    others = [_map(found[1], level) for found, level in zip(scores, second, strict=True)]
    return joined_in_steps(ones), joined_in_steps(others)


def exact_scores(a: Sample, b: Sample, count: int) -> Scores:
    """Return the vectors of two images in the coordinates of their first ``count`` principal axes, the last one first.

    The eigenvectors are those of the scatter, or of the products between vectors where there are fewer vectors than
    channels, in float64: in float32 those of the smallest axes kept turn into each other, which moves cosines of
    fused features by up to 4e-5 (power-law spectra, 1280 channels). Which way an axis points is left to LAPACK, and
    no dot product depends on it.
    """
    (channels, n), m = a.columns.shape, b.columns.shape[1]
    count = min(count, channels, n + m)
    middle = (n * a.mean + m * b.mean) / (n + m)
    if n + m < channels:
        vectors = (torch.cat([a.columns, b.columns], dim=1) - middle).double()
        squares, axes = _largest(vectors.T @ vectors, count)
        found = (axes * squares.clamp_min(0).sqrt()).T.to(middle.dtype)
        return found[:, :n], found[:, n:]
    between = a.mean - b.mean
    scatter = a.scatter + b.scatter + (n * m / (n + m)) * between @ between.T
    axes = _largest(scatter.double(), count)[1].T.to(middle.dtype)
    return axes @ (a.columns - middle), axes @ (b.columns - middle)


def _largest(symmetric: Float64[Tensor, "n n"], count: int) -> tuple[Float64[Tensor, " k"], Float64[Tensor, "n k"]]:
    """Return the ``count`` largest eigenvalues, ascending, and their eigenvectors."""
    size = len(symmetric)
    if symmetric.device.type == "cpu" and 4 * count <= size:
        # LAPACK's routine for a part of the spectrum takes little more than half the time here; torch lacks it.
        found = scipy.linalg.eigh(symmetric.numpy(), subset_by_index=(size - count, size - 1))
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])
    values, vectors = torch.linalg.eigh(symmetric)
    return values[-count:], vectors[:, -count:]


def lowrank_scores(a: Sample, b: Sample, count: int) -> Scores:
    """Return what the authors compute: axes from ``torch.pca_lowrank``, drawn from the global generator.

    It projects on random directions and improves them twice, which approximates the principal axes; the less the
    sizes of the axes differ, the more the result depends on the draw (docs/errata.md).
    """
    n = a.columns.shape[1]
    vectors = torch.cat([a.columns, b.columns], dim=1).T
    centred = vectors - vectors.mean(dim=0, keepdim=True)
    axes = torch.pca_lowrank(centred, q=min(count, *centred.shape))[2]
    found = (centred @ axes).T
    return found[:, :n], found[:, n:]


def joined_in_steps(levels: Sequence[FeatureMap]) -> FeatureMap:
    """Return levels as one map on the finest grid, channels from the finest level to the coarsest.

    From the coarsest on, what has been joined is interpolated bilinearly to the next finer grid and joined with it,
    so that the coarsest is interpolated once per step.
    """
    finest_first = sorted(levels, key=lambda level: level.grid[0] * level.grid[1], reverse=True)
    joined = finest_first[-1].features
    for level in reversed(finest_first[:-1]):
        shape = level.features.shape[1:]
        if joined.shape[1:] != shape:
            joined = F.interpolate(joined[None], shape, mode="bilinear", align_corners=False)[0]
        joined = torch.cat([level.features, joined])
    return FeatureMap(joined, finest_first[0].letterbox)


def _map(scores: Float[Tensor, "q n"], level: Sample) -> FeatureMap:
    return FeatureMap(scores.reshape(-1, *level.map.features.shape[1:]), level.map.letterbox)

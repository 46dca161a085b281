"""How far apart two images' features are: the distance by which pose alignment and pose awareness choose a pose.

Two distances (GeoAware-SC, section 3.1; utils/utils_correspondence.py:22-73): the mean distance of each cell of the
source instance to its nearest cell of the target instance, and the mean distance of mutual nearest neighbours.
L2 between feature vectors, whatever their length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

Zeros = Literal["exclude", "far"]

CHUNK = 1 << 22
"""How many similarities are held at a time: 16 MiB of float32."""
CLOSE = 0.1
"""Below this distance, relative to the query's norm, float32 products cannot tell neighbours apart to 1e-5."""
FAR = -100000.0
"""What the authors' code puts in the place of every zero."""


def nearest_distances(queries: Float[Tensor, "n c"], candidates: Float[Tensor, "m c"]) -> Float[Tensor, " n"]:
    """Return the L2 distance of each query to the nearest candidate.

    Matrix products only choose the nearest candidate, in float64 where float32 could not tell; the distance is that
    of the difference itself: to about 1e-7 of the vectors' length. Memory beyond the inputs: 16 MiB, a row per query,
    and a double of the candidates when some are close.

    Args:
        queries: vectors, one per row.
        candidates: vectors, one per row; at least one.
    """
    return _distances(queries, candidates, _nearest(queries, candidates))


@dataclass(frozen=True, eq=False)
class InstanceCells:
    """The feature vectors of an instance's cells.

    Attributes:
        vectors: one per cell of the mask, [n, c].
        surrounded: whether there are cells outside the mask.
    """

    vectors: Float[Tensor, "n c"]
    surrounded: bool


def instance_cells(
    features: Float[Tensor, "c h w"], mask: Bool[Tensor, "rows columns"], resolution: int = 64
) -> InstanceCells:
    """Return an instance's feature vectors, the features interpolated to ``resolution`` x ``resolution`` cells.

    Bilinear; the vectors keep the length that this gives them. The mask is sampled at ``floor(i * rows /
    resolution)`` (utils_correspondence.py:25-34).

    Args:
        features: features of the image.
        mask: the instance in the same frame as the features, at any resolution.
        resolution: cells per side.
    """
    inside = sampled_mask(mask, resolution).flatten()
    return InstanceCells(_interpolated(features, inside.nonzero()[:, 0], resolution), not bool(inside.all()))


def masked_nearest(source: InstanceCells, target: InstanceCells, zeros: Zeros = "exclude") -> float:
    """Return the mean over the source instance's cells of the distance to the nearest cell of the target instance.

    Args:
        source: the source instance; see :func:`instance_cells`.
        target: the target instance.
        zeros: ``exclude`` searches the instances' cells and nothing else; an empty instance has no distance, and NaN
            is returned. ``far`` is the authors' code (utils_correspondence.py:36-37), which marks cells outside the
            masks by -100000 in the place of every entry that is exactly 0, also inside the object: an empty target
            mask gives about ``100000 * sqrt(c)``, a zero in one channel of the object about 100000 for that cell, and
            only an empty source mask NaN.

    Returns:
        L2 distance, at least 0, or NaN.
    """
    if not len(source.vectors) or (zeros == "exclude" and not len(target.vectors)):
        return float("nan")
    queries, candidates = source.vectors, target.vectors
    if zeros == "far" and _any_zero(queries, candidates):
        queries, candidates = _far(queries), _far(candidates, surrounded=target.surrounded)
    return float(nearest_distances(queries, candidates).mean())


def mutual_nearest(source: Float[Tensor, "c h w"], target: Float[Tensor, "c h2 w2"]) -> float:
    """Return the mean distance of the cells that are each other's nearest neighbour (utils_correspondence.py:54-73).

    No mask and no interpolation: every cell of both grids takes part.
    """
    a, b = source.flatten(1).T.contiguous(), target.flatten(1).T.contiguous()
    there, back = _nearest(a, b), _nearest(b, a)
    distances = _distances(a, b, there)
    mutual = back[there] == torch.arange(len(a), device=a.device)
    # Rounding may part neighbours that tie; the closest pair of all is mutual by definition.
    return float(distances[mutual].mean() if bool(mutual.any()) else distances.min())


def sampled_mask(mask: Bool[Tensor, "rows columns"], resolution: int) -> Bool[Tensor, "resolution resolution"]:
    """Return a mask at ``resolution`` x ``resolution``: row i is row ``floor(i * rows / resolution)`` of the mask."""
    steps = torch.arange(resolution, device=mask.device)
    return mask[steps * mask.shape[0] // resolution][:, steps * mask.shape[1] // resolution]


def _interpolated(
    features: Float[Tensor, "c h w"], cells: Int64[Tensor, " n"], resolution: int
) -> Float[Tensor, "n c"]:
    """Return the vectors of some cells of the map interpolated to ``resolution`` x ``resolution``, and of no others."""
    height, width = features.shape[1:]
    top, bottom, down = _neighbours(cells // resolution, height, resolution)
    left, right, across = _neighbours(cells % resolution, width, resolution)
    columns = features.flatten(1)

    def between(row: Int64[Tensor, " n"]) -> Float[Tensor, "c n"]:
        first, second = (columns.index_select(1, row * width + column) for column in (left, right))
        return torch.lerp(first, second, across.to(columns.dtype))

    return torch.lerp(between(top), between(bottom), down.to(columns.dtype)).T.contiguous()


def _neighbours(
    cells: Int64[Tensor, " n"], count: int, resolution: int
) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"], Float64[Tensor, " n"]]:
    """Return the cells of a coarser grid around the centres of finer ones along one axis, and the second's share."""
    place = ((cells.double() + 0.5) * count / resolution - 0.5).clamp(0, count - 1)
    first = place.floor().long()
    return first, (first + 1).clamp_max(count - 1), place - first


def _any_zero(queries: Float[Tensor, "n c"], candidates: Float[Tensor, "m c"]) -> bool:
    """Return whether a zero, or having no candidates at all, brings -100000 into the distances."""
    return not len(candidates) or bool((queries == 0).any()) or bool((candidates == 0).any())


def _far(vectors: Float[Tensor, "n c"], surrounded: bool = False) -> Float64[Tensor, "m c"]:
    """Return vectors with every zero at -100000; the cells outside a mask are all alike: one row stands for them."""
    if surrounded:
        vectors = torch.cat([vectors, vectors.new_zeros((1, vectors.shape[1]))])
    # Squares of 1e5 leave float32 no digits for the features themselves.
    return torch.where(vectors == 0, FAR, vectors.double())


def _nearest(queries: Float[Tensor, "n c"], candidates: Float[Tensor, "m c"]) -> Int64[Tensor, " n"]:
    """Return the row of the candidate nearest to each query."""
    winners = _nearest_by_product(queries, candidates)
    if queries.dtype == torch.float64 or not len(queries):
        return winners
    doubtful = _distances(queries, candidates, winners) < CLOSE * torch.linalg.vector_norm(queries, dim=1)
    if bool(doubtful.any()):
        winners[doubtful] = _nearest_by_product(queries[doubtful].double(), candidates.double())
    return winners


def _nearest_by_product(queries: Float[Tensor, "n c"], candidates: Float[Tensor, "m c"]) -> Int64[Tensor, " n"]:
    """Return the candidates of least ``|c|^2 / 2 - q c``, which orders them as their distances to q do."""
    half_squares = candidates.square().sum(dim=1) / 2
    rows = max(1, CHUNK // len(candidates))
    chunks = torch.split(queries, rows)
    return torch.cat([torch.addmm(half_squares, chunk, candidates.T, alpha=-1).argmin(dim=1) for chunk in chunks])


def _distances(
    queries: Float[Tensor, "n c"], candidates: Float[Tensor, "m c"], rows: Int64[Tensor, " n"]
) -> Float[Tensor, " n"]:
    distances: Tensor = torch.linalg.vector_norm(queries - candidates[rows], dim=1)
    return distances

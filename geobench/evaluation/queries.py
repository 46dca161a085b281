"""What a protocol asks of a split: query points and true answers, in pixels of the original images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int16, Int32, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.protocol import Protocol, Sampling
from geobench.features.letterbox import Transform, frame_transform
from geobench.instances import Instances


@dataclass(frozen=True, eq=False)
class Queries:
    """The questions of a split: R mutually visible keypoints of P pairs, sorted by (pair, keypoint).

    Attributes:
        pair: row of the pair in the split.
        keypoint: column of the keypoint.
        points: (x, y) of the query point, pixels of the query image.
        truth: (x, y) of the true answer, pixels of the answer image.
        query_row, answer_row: for every pair, the instance asked about and the one answered in; the pair's source
            and target, swapped where the direction is target-to-source.
    """

    pair: Int32[np.ndarray, " r"]
    keypoint: Int16[np.ndarray, " r"]
    points: Float32[np.ndarray, "r 2"]
    truth: Float32[np.ndarray, "r 2"]
    query_row: Int32[np.ndarray, " p"]
    answer_row: Int32[np.ndarray, " p"]

    def __len__(self) -> int:
        return len(self.pair)


def queries(benchmark: Benchmark, pairs: Pairs, protocol: Protocol) -> Queries:
    """Return what ``protocol`` asks of ``pairs``; with sampling, a pair drawn twice is asked once.

    Args:
        benchmark: where the instances are.
        pairs: the pairs of one split, or some of them.
        protocol: decides direction, occluded keypoints, rounding of query points and sampling.
    """
    asked = in_direction(pairs, protocol)
    drawn = pair_weights(pairs, protocol.sampling) > 0
    pair, keypoint = np.nonzero(pairs.mutual(benchmark) & drawn[:, None])
    frame = instance_frames(benchmark, protocol)
    truth = _counted_keypoints(benchmark.instances, frame, protocol)
    points = _query_points(truth, frame, protocol)
    return Queries(
        pair=pair.astype(np.int32),
        keypoint=keypoint.astype(np.int16),
        points=points[asked.source[pair], keypoint],
        truth=truth[asked.target[pair], keypoint],
        query_row=asked.source,
        answer_row=asked.target,
    )


def counted_keypoints(benchmark: Benchmark, protocol: Protocol) -> Float32[np.ndarray, "n k 2"]:
    """Return where the protocol sees the keypoints of every instance, (x, y), pixels of the original image."""
    return _counted_keypoints(benchmark.instances, instance_frames(benchmark, protocol), protocol)


def in_direction(pairs: Pairs, protocol: Protocol) -> Pairs:
    """Return the pairs with the image that points are asked of as source and the one answered in as target."""
    if protocol.direction == "source-to-target":
        return pairs
    return Pairs(pairs.target, pairs.source, pairs.category, pairs.attributes)


def instance_frames(benchmark: Benchmark, protocol: Protocol) -> Transform:
    """Return how every instance's image enters the protocol's frame, one row per instance."""
    table, frame = benchmark.instances, protocol.frame
    sizes = (table.width, table.height) if frame.kind == "original" else table.image_sizes()
    return frame_transform(frame.kind, frame.side, *sizes)


def category_codes(pairs: Pairs) -> tuple[Int64[np.ndarray, " p"], list[str]]:
    """Return the number of each pair's label, and the labels sorted."""
    codes, labels = pd.factorize(pairs.category.astype(object), sort=True)
    return codes.astype(np.int64), [str(label) for label in labels]


def pair_weights(pairs: Pairs, sampling: Sampling | None) -> Int64[np.ndarray, " p"]:
    """Return how often each pair counts: once, or as often as it was drawn.

    The draw is that of utils/utils_dataset.py:156-158 of GeoAware-SC: ``numpy.random.seed(seed)``, then
    ``numpy.random.choice(n, k)``, for each category, over its pairs in the order of the split.
    """
    weights = np.ones(len(pairs), dtype=np.int64)
    if sampling is None:
        return weights
    codes, labels = category_codes(pairs)
    for code in range(len(labels)):
        rows = np.flatnonzero(codes == code)
        drawn = np.random.RandomState(sampling.seed).choice(len(rows), sampling.per_category)
        weights[rows] = np.bincount(drawn, minlength=len(rows))
    return weights


def _counted_keypoints(table: Instances, frame: Transform, protocol: Protocol) -> Float32[np.ndarray, "n k 2"]:
    """Return the keypoints as the protocol sees them, pixels of the original image."""
    if protocol.occluded == "as-is":
        return table.keypoints
    halved = _to_image(_to_model(table.keypoints, frame) * np.float32(0.5), frame)
    return np.where((table.visibility == 1)[..., None], halved, table.keypoints)


def _query_points(
    keypoints: Float32[np.ndarray, "n k 2"], frame: Transform, protocol: Protocol
) -> Float32[np.ndarray, "n k 2"]:
    if protocol.query_rounding == "none":
        return keypoints
    limit = (frame.size - 1).astype(np.float32)[:, None, :]
    return _to_image(np.clip(np.trunc(_to_model(keypoints, frame)), 0, limit), frame)


# In float32, as the authors' code: truncation of a coordinate that is whole up to rounding depends on it.
def _to_model(points: Float32[np.ndarray, "n k 2"], frame: Transform) -> Float32[np.ndarray, "n k 2"]:
    return points * frame.scale.astype(np.float32)[:, None] + frame.offset.astype(np.float32)[:, None]


def _to_image(points: Float32[np.ndarray, "n k 2"], frame: Transform) -> Float32[np.ndarray, "n k 2"]:
    return (points - frame.offset.astype(np.float32)[:, None]) / frame.scale.astype(np.float32)[:, None]

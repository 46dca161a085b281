"""Where answers fell: how far from their truth, and which keypoint of the answered image is nearest to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.pck import correct
from geobench.evaluation.predictions import Predictions, answers
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, counted_keypoints, instance_frames, pair_weights, queries
from geobench.evaluation.scores import question_sizes

_BLOCK = 1 << 16  # questions whose distances to every keypoint are held together: 16 MB for 30 keypoints


@dataclass(frozen=True, eq=False)
class Landings:
    """The answers to R questions, seen from the keypoints of the image that was answered in.

    Distances are pixels of the protocol's frame, NaN where there is no answer. Keypoints are those visible in the
    answered image, whether or not they are visible in the other.

    Attributes:
        asked: the questions.
        points: the answers, (x, y), pixels of the original answered image.
        weight: how often each question counts.
        size: what alpha multiplies.
        own: distance to the right keypoint.
        nearest: the nearest keypoint; the right one where it is as near as any, then the one of lowest number; -1 where
            there is no answer.
        nearest_distance: distance to it.
        partner: distance to the mirror partner; infinite where it is not visible or there is none.
        partner_visible: whether that is visible in the answered image.
        has_partner: whether the keypoint has a mirror partner other than itself.
        own_is_nearest: whether no keypoint **visible in both images** is nearer than the right one.
    """

    asked: Queries
    points: Float32[np.ndarray, "r 2"]
    weight: Int64[np.ndarray, " r"]
    size: Float64[np.ndarray, " r"]
    own: Float64[np.ndarray, " r"]
    nearest: Int16[np.ndarray, " r"]
    nearest_distance: Float64[np.ndarray, " r"]
    partner: Float64[np.ndarray, " r"]
    partner_visible: Bool[np.ndarray, " r"]
    has_partner: Bool[np.ndarray, " r"]
    own_is_nearest: Bool[np.ndarray, " r"]

    def within(self, distance: Float64[np.ndarray, " r"], alpha: float, protocol: Protocol) -> Bool[np.ndarray, " r"]:
        """Return which distances are within alpha times the size, compared as the protocol compares."""
        marks: np.ndarray = correct(distance, self.size, [alpha], protocol.comparison, protocol.arithmetic)[:, 0]
        return marks


def landings(
    benchmark: Benchmark, pairs: Pairs, predictions: Predictions, protocol: Protocol, split: str = ""
) -> Landings:
    """Return where the answers of ``predictions`` fell.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that ``predictions`` number.
        predictions: one row per question of the protocol; NaN where a pair failed.
        protocol: decides questions, frame and sizes.
        split: name of the split, for error messages.

    Raises:
        InputError: a question has no answer or several, or an answer has no question.
    """
    weight = pair_weights(pairs, protocol.sampling)
    asked = queries(benchmark, pairs, protocol)
    points = answers(predictions, asked, benchmark, pairs, weight > 0, split)
    partner = _partners(benchmark, pairs, asked)
    return Landings(
        asked=asked,
        points=points,
        weight=weight[asked.pair],
        size=question_sizes(benchmark, protocol, asked),
        has_partner=partner != asked.keypoint,
        partner_visible=(partner != asked.keypoint)
        & benchmark.instances.visible[asked.answer_row[asked.pair], partner],
        **_distances(benchmark, protocol, asked, points, partner),
    )


def _partners(benchmark: Benchmark, pairs: Pairs, asked: Queries) -> Int64[np.ndarray, " r"]:
    """Return the mirror partner of each keypoint asked for; the keypoint itself where it has none."""
    width = benchmark.instances.visibility.shape[1]
    partner_of = np.tile(np.arange(width), (len(pairs), 1))
    for skeleton, rows in pairs.by_skeleton(benchmark):
        partner_of[rows, : len(skeleton)] = skeleton.mirror
    found: np.ndarray = partner_of[asked.pair, asked.keypoint].astype(np.int64)
    return found


def _distances(
    benchmark: Benchmark,
    protocol: Protocol,
    asked: Queries,
    points: Float32[np.ndarray, "r 2"],
    partner: Int64[np.ndarray, " r"],
) -> dict[str, np.ndarray]:
    """Return the columns of :class:`Landings` that need distances to every keypoint, block by block."""
    n = len(asked)
    columns: dict[str, np.ndarray] = {
        "own": np.full(n, np.nan),
        "nearest": np.full(n, -1, np.int16),
        "nearest_distance": np.full(n, np.nan),
        "partner": np.full(n, np.inf),
        "own_is_nearest": np.zeros(n, bool),
    }
    keypoints, visible = counted_keypoints(benchmark, protocol), benchmark.instances.visible
    scale = instance_frames(benchmark, protocol).scale
    answered = np.flatnonzero(~np.isnan(points).any(axis=1))
    for start in range(0, len(answered), _BLOCK):
        rows = answered[start : start + _BLOCK]
        answer, query = asked.answer_row[asked.pair[rows]], asked.query_row[asked.pair[rows]]
        delta = (points[rows, None].astype(np.float64) - keypoints[answer]) * scale[answer, None]
        distance = np.where(visible[answer], np.hypot(delta[..., 0], delta[..., 1]), np.inf)
        line, keypoint = np.arange(len(rows)), asked.keypoint[rows].astype(np.int64)
        own, nearest = distance[line, keypoint], distance.argmin(axis=1)
        least = distance[line, nearest]
        columns["own"][rows], columns["nearest_distance"][rows] = own, least
        columns["nearest"][rows] = np.where(own == least, keypoint, nearest)
        columns["own_is_nearest"][rows] = own <= np.where(visible[query], distance, np.inf).min(axis=1)
        other = partner[rows]
        columns["partner"][rows] = np.where(other != keypoint, distance[line, other], np.inf)
    columns["partner"][np.isnan(columns["own"])] = np.nan
    return columns

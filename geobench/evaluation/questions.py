"""Which protocols ask the same questions of a benchmark, so that one set of predictions can be counted under all.

Two protocols may differ in what decides query points and still ask the same: where no keypoint is occluded, halving
occluded ones moves nothing. So the benchmark is looked at, not the settings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, queries

_KEYPOINTS = 1 << 15  # keypoint columns fit in int16


def questions_fingerprint(benchmark: Benchmark, pairs: Pairs, protocol: Protocol) -> str:
    """Return the SHA-256 of the questions that a protocol asks of these pairs.

    Pairs, keypoints, query points and the images asked about and answered in; not the true answers, which are a matter
    of counting.
    """
    asked, state = queries(benchmark, pairs, protocol), hashlib.sha256()
    points = asked.points + np.float32(0)  # of the two zeros, one
    for column in (asked.pair, asked.keypoint, points, asked.query_row[asked.pair], asked.answer_row[asked.pair]):
        state.update(np.ascontiguousarray(column).tobytes())
    return state.hexdigest()


@dataclass(frozen=True)
class Difference:
    """Why predictions made under one protocol cannot be counted under another.

    Attributes:
        reason: what the other asks otherwise, to stand between its name and "than" with the name of the first.
        n: of how many questions of the other that holds.
        of: how many questions the other asks.
    """

    reason: str
    n: int
    of: int


def difference(benchmark: Benchmark, pairs: Pairs, own: Protocol, other: Protocol) -> Difference | None:
    """Return what ``other`` asks that ``own`` did not, or None where predictions can be counted under both.

    A protocol that samples pairs asks some of what one without sampling asks: that is no difference.

    Args:
        benchmark: where the instances are.
        pairs: the pairs that were asked.
        own: the protocol that the predictions were made under.
        other: the protocol to count them under.
    """
    if own.queries_fingerprint == other.queries_fingerprint:
        return None
    made, wanted = queries(benchmark, pairs, own), queries(benchmark, pairs, other)
    turned = (made.query_row != wanted.query_row) | (made.answer_row != wanted.answer_row)
    if turned[wanted.pair].any():
        return Difference("asks in another direction", int(turned[wanted.pair].sum()), len(wanted))
    place = _places(made, wanted)
    if (place < 0).any():
        return Difference("asks for more pairs", int((place < 0).sum()), len(wanted))
    moved = (made.points[place] != wanted.points).any(axis=1)
    if moved.any():
        return Difference(f"asks at other points ({_cause(own, other)})", int(moved.sum()), len(wanted))
    return None


def _places(made: Queries, wanted: Queries) -> np.ndarray:
    """Return the row in ``made`` of each question ``wanted``, by pair and keypoint; -1 where it was not asked."""
    ours, theirs = (one.pair.astype(np.int64) * _KEYPOINTS + one.keypoint for one in (made, wanted))
    place = np.searchsorted(ours, theirs)
    known = place < len(ours)
    known[known] = ours[place[known]] == theirs[known]
    return np.where(known, place, -1)


def _cause(own: Protocol, other: Protocol) -> str:
    causes = {
        "occluded keypoints at half their coordinates": "halved" in (own.occluded, other.occluded),
        "truncated to whole pixels of a frame": own.query_rounding != "none" or other.query_rounding != "none",
    }
    return ", ".join(cause for cause, true in causes.items() if true)

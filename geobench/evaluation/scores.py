"""From predictions to scores: a pure step that needs the benchmark and a protocol, and no method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.geometry import counted_as_geometry_aware
from geobench.evaluation.pck import Tally, correct, errors, per_image, per_point, tally
from geobench.evaluation.predictions import Predictions, answers
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.queries import Queries, category_codes, instance_frames, pair_weights, queries

SUBSETS = ("all", "geometry_aware")
_AVERAGINGS: tuple[Averaging, Averaging] = ("per-image", "per-point")


def score(
    benchmark: Benchmark, pairs: Pairs, predictions: Predictions, protocol: Protocol, split: str = ""
) -> pd.DataFrame:
    """Return the scores of ``predictions`` in long form, one row per scope, subset, metric and alpha.

    Columns: ``scope`` (``all``; ``category:<label>``; ``azimuth:<0..4>``, the difference of viewing directions in
    steps of 45 degrees, where both are known); ``subset`` (``all``, ``geometry_aware``); ``metric`` (``per_image``,
    ``per_point``); ``alpha``; ``value`` (0 to 1, NaN when nothing was counted); ``low`` and ``high`` (NaN: no
    interval); ``n`` (the pairs or keypoints averaged over).

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that ``predictions`` number.
        predictions: one row per question of the protocol; a NaN counts as wrong.
        protocol: how to count.
        split: name of the split, for error messages.

    Raises:
        InputError: a question has no answer or several, or an answer has no question.
    """
    weight = pair_weights(pairs, protocol.sampling)
    asked = queries(benchmark, pairs, protocol)
    points = answers(predictions, asked, benchmark, pairs, weight > 0, split)
    tallies = _tallies(benchmark, pairs, protocol, asked, correct_keypoints(benchmark, protocol, asked, points), weight)
    tables = [_table(scopes, tallies, weight, protocol) for scopes in _scopes(benchmark, pairs)]
    return pd.concat(tables, ignore_index=True)


def correct_keypoints(
    benchmark: Benchmark, protocol: Protocol, asked: Queries, points: Float32[np.ndarray, "r 2"]
) -> Bool[np.ndarray, "r a"]:
    """Return which questions are answered correctly at each alpha of the protocol.

    Args:
        benchmark: where the instances are.
        protocol: how to count.
        asked: the questions.
        points: the answers (x, y), pixels of the original answer image, row by row as ``asked``.
    """
    answer = asked.answer_row[asked.pair]
    distance = errors(points, asked.truth, instance_frames(benchmark, protocol).scale[answer])
    boxed = asked.query_row if _box_is_in_query_image(protocol) else asked.answer_row
    size = threshold_sizes(benchmark, protocol)[boxed[asked.pair]]
    return correct(distance, size, protocol.alphas, protocol.comparison, protocol.arithmetic)


def threshold_sizes(benchmark: Benchmark, protocol: Protocol) -> Float64[np.ndarray, " n"]:
    """Return what alpha multiplies for each instance, pixels of the protocol's frame.

    The longer side of the box, scaled into the frame, or of the image: in a frame with a side, that side.
    """
    table, frame = benchmark.instances, instance_frames(benchmark, protocol)
    rule = benchmark.threshold if protocol.size == "benchmark" else protocol.size
    if rule == "bbox":
        return (table.bbox[:, 2:] * frame.scale).max(axis=1)
    if protocol.frame.side is not None:
        return np.full(len(table), float(protocol.frame.side))
    return np.maximum(*table.image_sizes()).astype(np.float64)


def _box_is_in_query_image(protocol: Protocol) -> bool:
    return (protocol.box == "source") == (protocol.direction == "source-to-target")


def _tallies(
    benchmark: Benchmark,
    pairs: Pairs,
    protocol: Protocol,
    asked: Queries,
    marks: Bool[np.ndarray, "r a"],
    weight: Int64[np.ndarray, " p"],
) -> dict[tuple[str, Averaging], Tally]:
    """Return the counts of every pair, for each subset and averaging."""
    everything = tally(marks, asked.pair, len(pairs))
    found: dict[tuple[str, Averaging], Tally] = {}
    for averaging in _AVERAGINGS:
        tags = counted_as_geometry_aware(benchmark, pairs, protocol, averaging, weight)
        rows = tags[asked.pair, asked.keypoint]
        found["all", averaging] = everything
        found["geometry_aware", averaging] = tally(marks[rows], asked.pair[rows], len(pairs))
        if protocol.geometry_rule == "subgroups":
            return found | {(subset, "per-point"): found[subset, "per-image"] for subset in SUBSETS}
    return found


@dataclass(frozen=True, eq=False)
class _Scopes:
    """A partition of the pairs: the name of each part, and the part that each pair is in (negative: none)."""

    names: list[str]
    codes: Int64[np.ndarray, " p"]


def _scopes(benchmark: Benchmark, pairs: Pairs) -> list[_Scopes]:
    codes, labels = category_codes(pairs)
    by_category = _Scopes([f"category:{label}" for label in labels], codes)
    difference = azimuth_difference(benchmark, pairs)
    steps, numbers = np.unique(difference[difference >= 0]), difference
    by_azimuth = _Scopes(
        [f"azimuth:{step}" for step in steps], np.where(numbers < 0, -1, np.searchsorted(steps, numbers))
    )
    return [_Scopes(["all"], np.zeros(len(pairs), np.int64)), by_category, by_azimuth]


def azimuth_difference(benchmark: Benchmark, pairs: Pairs) -> Int64[np.ndarray, " p"]:
    """Return the difference of viewing directions in steps of 45 degrees, 0 to 4; -1 where one is unknown.

    Source: azimuth_id of SPair-71k, modulo 8 (utils/eval_spair.py:70 of GeoAware-SC).
    """
    azimuth = benchmark.instances.azimuth.astype(np.float64)
    known = np.isfinite(azimuth)
    step = np.rint(np.where(known, azimuth, 0) / 45).astype(np.int64)
    turn = (step[pairs.source] - step[pairs.target]) % 8
    return np.where(known[pairs.source] & known[pairs.target], np.minimum(turn, 8 - turn), -1)


def _table(
    scopes: _Scopes,
    tallies: dict[tuple[str, Averaging], Tally],
    weight: Int64[np.ndarray, " p"],
    protocol: Protocol,
) -> pd.DataFrame:
    """Return one row per scope, subset, metric and alpha, in that order."""
    shape = (len(scopes.names), len(SUBSETS), len(_AVERAGINGS), len(protocol.alphas))
    value, n = np.empty(shape), np.empty(shape, np.int64)
    for column, subset in enumerate(SUBSETS):
        empty_is_nan = subset == "all" and protocol.empty_pair == "nan"
        images, points = tallies[subset, "per-image"], tallies[subset, "per-point"]
        for row, (values, counts) in enumerate(
            (
                per_image(images, scopes.codes, len(scopes.names), weight, empty_is_nan),
                per_point(points, scopes.codes, len(scopes.names), weight),
            )
        ):
            value[:, column, row], n[:, column, row] = values, counts[:, None]
    index = pd.MultiIndex.from_product(
        [scopes.names, SUBSETS, [a.replace("-", "_") for a in _AVERAGINGS], protocol.alphas],
        names=["scope", "subset", "metric", "alpha"],
    )
    numbers = {"value": value.ravel(), "low": np.nan, "high": np.nan, "n": n.ravel()}
    return pd.DataFrame(numbers, index=index).reset_index()

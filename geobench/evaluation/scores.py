"""From predictions to scores: a pure step that needs the benchmark and a protocol, and no method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.bootstrap import Bootstrap, drawn_images
from geobench.evaluation.geometry import counted_as_geometry_aware
from geobench.evaluation.pck import Tally, correct, errors, tally
from geobench.evaluation.predictions import Predictions, answers
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.queries import Queries, instance_frames, pair_weights, queries
from geobench.evaluation.ratios import by_image, pair_ratios, pair_wholes
from geobench.evaluation.scopes import Scopes, azimuth_difference, partitions
from geobench.evaluation.score_table import AVERAGINGS, SUBSETS, score_table

__all__ = [
    "SUBSETS",
    "azimuth_difference",
    "correct_keypoints",
    "pair_tallies",
    "score",
    "threshold_sizes",
]


def score(
    benchmark: Benchmark,
    pairs: Pairs,
    predictions: Predictions,
    protocol: Protocol,
    split: str = "",
    bootstrap: Bootstrap | None = None,
    scopes: Sequence[Scopes] = (),
) -> pd.DataFrame:
    """Return the scores of ``predictions`` in long form, one row per scope, subset, metric and alpha.

    Columns: ``scope`` (``all``; ``category:<label>``; ``azimuth:<0..4>``, the difference of viewing directions in
    steps of 45 degrees, where both are known); ``subset`` (``all``, ``geometry_aware``); ``metric`` (``per_image``,
    ``per_point``); ``alpha``; ``value`` (0 to 1, NaN when nothing was counted); ``low`` and ``high``, the ends
    of its confidence interval (NaN where none was asked for, and where too few images vary: docs/statistics.md);
    ``n`` (the pairs or keypoints averaged over); ``n_pairs``, ``n_points`` and ``n_images``: the pairs, their keypoints
    of the subset, and the different images they are answered in.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that ``predictions`` number.
        predictions: one row per question of the protocol; a NaN counts as wrong.
        protocol: how to count.
        split: name of the split, for error messages.
        bootstrap: how to make intervals; none by default.
        scopes: partitions of the pairs; by default as a whole, by category and by difference of viewing directions.

    Raises:
        InputError: a question has no answer or several, or an answer has no question.
    """
    weight = pair_weights(pairs, protocol.sampling)
    asked = queries(benchmark, pairs, protocol)
    points = answers(predictions, asked, benchmark, pairs, weight > 0, split)
    marks = correct_keypoints(benchmark, protocol, asked, points)
    tallies = pair_tallies(benchmark, pairs, protocol, asked, marks, weight)
    ratios = pair_ratios(tallies, weight) if bootstrap else pair_wholes(tallies, weight)
    image = drawn_images(benchmark, asked.answer_row, asked.query_row, bootstrap)
    tables = [
        score_table(some, tallies, weight, protocol, by_image(ratios, some, image), bootstrap)
        for some in scopes or partitions(benchmark, pairs)
    ]
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
    return correct(
        distance, question_sizes(benchmark, protocol, asked), protocol.alphas, protocol.comparison, protocol.arithmetic
    )


def question_sizes(benchmark: Benchmark, protocol: Protocol, asked: Queries) -> Float64[np.ndarray, " r"]:
    """Return what alpha multiplies for each question, pixels of the protocol's frame."""
    boxed = asked.query_row if protocol.box_in_query_image else asked.answer_row
    sizes: np.ndarray = threshold_sizes(benchmark, protocol)[boxed[asked.pair]]
    return sizes


def threshold_sizes(benchmark: Benchmark, protocol: Protocol) -> Float64[np.ndarray, " n"]:
    """Return what alpha multiplies for each instance, pixels of the protocol's frame.

    The longer side of the box, scaled into the frame, or of the image: in a frame with a side, that side; or of the box
    of the keypoints and the padding (-1, -1).
    """
    table, frame = benchmark.instances, instance_frames(benchmark, protocol)
    rule = benchmark.threshold if protocol.size == "benchmark" else protocol.size
    if rule == "padded-keypoints":
        placed = table.keypoints * frame.scale[:, None] + frame.offset[:, None]
        padded = np.where(table.visible[..., None], placed, -1.0)
        extent = padded.max(axis=1, initial=-1.0) - padded.min(axis=1, initial=-1.0)
        return np.asarray(extent.max(axis=1), dtype=np.float64)
    if rule == "bbox":
        return (table.bbox[:, 2:] * frame.scale).max(axis=1)
    if protocol.frame.side is not None:
        return np.full(len(table), float(protocol.frame.side))
    return np.maximum(*table.image_sizes()).astype(np.float64)


def pair_tallies(
    benchmark: Benchmark,
    pairs: Pairs,
    protocol: Protocol,
    asked: Queries,
    marks: Bool[np.ndarray, "r a"],
    weight: Int64[np.ndarray, " p"],
) -> dict[tuple[str, Averaging], Tally]:
    """Return the counts of every pair, for each subset and averaging, in the order of :data:`SUBSETS`.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs asked.
        protocol: its rule for the geometry-aware subset.
        asked: the questions.
        marks: which of them are answered correctly at each alpha.
        weight: how often each pair counts.
    """
    everything = tally(marks, asked.pair, len(pairs))
    found: dict[tuple[str, Averaging], Tally] = {}
    for averaging in AVERAGINGS:
        if averaging == "per-point" and protocol.geometry_rule == "subgroups":
            found["geometry_aware", averaging] = found["geometry_aware", "per-image"]
            continue
        tags = counted_as_geometry_aware(benchmark, pairs, protocol, averaging, weight)
        rows = tags[asked.pair, asked.keypoint]
        found["geometry_aware", averaging] = tally(marks[rows], asked.pair[rows], len(pairs))
    return {("all", averaging): everything for averaging in AVERAGINGS} | found

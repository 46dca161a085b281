"""KAP of a method on a split: goes through the pairs, and averages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import UsageError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.job import Job
from geobench.evaluation.presence import Samples, presence_samples
from geobench.evaluation.presence_scores import presence_table
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, counted_keypoints, in_direction, instance_frames
from geobench.evaluation.ratios import answer_images
from geobench.evaluation.row_lists import RowLists, rows_of_groups
from geobench.evaluation.scores import threshold_sizes
from geobench.evaluation.walk import Walk
from geobench.progress import progress_bar


def presence_scores(
    job: Job, *, legacy: bool = False, memory: int | None = None, bootstrap: Bootstrap | None = None
) -> pd.DataFrame:
    """Return KAP, one row per scope, metric and alpha.

    Columns: ``scope`` (``all``, ``category:<label>``); ``metric``; ``alpha``; ``value`` (0 to 1, NaN where there is no
    positive sample); ``low`` and ``high``, the ends of its confidence interval (NaN where none was asked for, and where
    there are too few images: docs/errors.md); ``n``; ``n_pairs``, ``n_points`` and ``n_images``: the pairs that count,
    the keypoints they ask for, and the different images they are answered in.

    ``per_image`` is the mean over pairs of their average precision; pairs without a positive sample are left out, and
    ``n`` counts pairs. ``per_point`` pools the samples of a category; of all, it is the mean of the categories weighted
    by their keypoints asked for, which ``n`` counts (utils/logger.py, log_weighted_pcks).

    Args:
        job: method, split and protocol, which decides direction, frame and sizes; sampling is passed over.
        legacy: sample as the authors' code does (:func:`geobench.evaluation.presence.presence_samples`), at the corners
            of cells instead of their middles and in the padding too.
        memory: how many bytes all descriptions together may take; None for half of the free memory.
        bootstrap: how to make intervals, by drawing target images; none by default.

    Raises:
        UsageError: the method offers no similarity, or both images of the pairs are to be drawn.
        InputError: an image is missing.
    """
    if bootstrap is not None and bootstrap.drawn != "target-images":
        raise UsageError("intervals of KAP draw the target images; both-images is for score and compare")
    pairs = job.benchmark.split(job.split).take(job.pair_rows())
    asked, visible = presence_queries(job.benchmark, pairs, job.protocol)
    nothing = np.zeros((len(job.protocol.alphas), 0))
    samples: list[Samples] = [(nothing, nothing)] * len(pairs)
    for pair, found in _sampled(job, asked, visible, legacy, memory):
        samples[pair] = found
    n_asked, image = np.bincount(asked.pair, minlength=len(pairs)), answer_images(job.benchmark, asked)
    return presence_table(pairs, samples, n_asked, image, job.protocol.alphas, bootstrap)


def presence_queries(benchmark: Benchmark, pairs: Pairs, protocol: Protocol) -> tuple[Queries, Bool[np.ndarray, " r"]]:
    """Return every keypoint visible in the asked image, and whether the answered image shows it."""
    asked, shown = in_direction(pairs, protocol), benchmark.instances.visible
    pair, keypoint = np.nonzero(shown[asked.source])
    keypoints = counted_keypoints(benchmark, protocol)
    questions = Queries(
        pair=pair.astype(np.int32),
        keypoint=keypoint.astype(np.int16),
        points=keypoints[asked.source[pair], keypoint],
        truth=keypoints[asked.target[pair], keypoint],
        query_row=asked.source,
        answer_row=asked.target,
    )
    return questions, shown[asked.target[pair], keypoint]


def _sampled(
    job: Job, asked: Queries, visible: Bool[np.ndarray, " r"], legacy: bool, memory: int | None
) -> Iterator[tuple[int, Samples]]:
    """Yield each pair that asks anything, and its samples."""
    similarity = _similarity_of(job)
    chosen = np.unique(asked.pair)
    bounds = np.searchsorted(asked.pair, np.append(chosen, len(asked.query_row)))
    frames, sizes = instance_frames(job.benchmark, job.protocol), threshold_sizes(job.benchmark, job.protocol)
    descriptions = Descriptions(job.method, job.benchmark, job.seed)
    groups = rows_of_groups(asked, RowLists(np.arange(len(chosen) + 1), chosen))
    with progress_bar(len(chosen), f"presence on {job.split}", "pair") as advance:
        for number in Walk(descriptions, groups, memory):
            pair, rows = int(chosen[number]), slice(bounds[number], bounds[number + 1])
            query, answer = int(asked.query_row[pair]), int(asked.answer_row[pair])
            described = descriptions.of(query), descriptions.of(answer)
            values = similarity(*described, asked.points[rows])
            scale, offset = frames.scale[answer], frames.offset[answer]
            place, in_image = _cells(described[1].letterbox, values.shape[1:], legacy)
            truth = np.where(visible[rows, None], asked.truth[rows] * scale + offset, 0)
            radius = np.array(job.protocol.alphas) * sizes[query if job.protocol.box_in_query_image else answer]
            yield pair, presence_samples(values, place * scale + offset, truth, visible[rows], radius, in_image, legacy)
            advance(1)


def _similarity_of(job: Job) -> Callable[[Any, Any, np.ndarray], np.ndarray]:
    method: Any = job.method.method
    if not hasattr(method, "similarity"):
        raise UsageError(
            f"KAP needs a recipe of [[features]] and [matcher] without [alignment]; {job.method.name} offers no "
            "similarity"
        )

    def similarity(source: Any, target: Any, points: np.ndarray) -> np.ndarray:
        from torch import from_numpy

        values: np.ndarray = method.similarity(source, target, from_numpy(points)).float().cpu().numpy()
        return values

    return similarity


def _cells(
    letterbox: Any, shape: tuple[int, ...], legacy: bool
) -> tuple[Float64[np.ndarray, "h w 2"], Bool[np.ndarray, "h w"]]:
    """Return where the grid's cells are in the image, (x, y) in its pixels, and which lie in it."""
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    index = np.stack([columns, rows], axis=-1) + (0.0 if legacy else 0.5)
    place: np.ndarray = letterbox.to_image(index * (np.array(letterbox.size) / np.array(shape[::-1])))
    if legacy:
        return place, np.ones(place.shape[:2], bool)
    return place, np.asarray(((place >= 0) & (place <= np.array(letterbox.image))).all(axis=-1))

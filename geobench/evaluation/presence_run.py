"""KAP of a method on a split: goes through the pairs, and averages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import UsageError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.job import Job
from geobench.evaluation.presence import Samples, average_precision, presence_samples
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, category_codes, counted_keypoints, in_direction, instance_frames
from geobench.evaluation.row_lists import RowLists, rows_of_groups
from geobench.evaluation.scores import threshold_sizes
from geobench.evaluation.walk import Walk
from geobench.progress import progress_bar


def presence_scores(job: Job, *, legacy: bool = False, memory: int | None = None) -> pd.DataFrame:
    """Return KAP: columns ``scope`` (``all``, ``category:<label>``), ``metric``, ``alpha``, ``value``, ``n``.

    ``per_image`` is the mean over pairs of their average precision; pairs without a positive sample are left out.
    ``per_point`` pools the samples of a category; of all, it is the mean of the categories weighted by their keypoints
    asked for (utils/logger.py, log_weighted_pcks). ``n`` counts pairs, or keypoints asked for.

    Args:
        job: method, split and protocol, which decides direction, frame and sizes; sampling is passed over.
        legacy: sample as the authors' code does (:func:`geobench.evaluation.presence.presence_samples`), at the corners
            of cells instead of their middles and in the padding too.
        memory: how many bytes all descriptions together may take; None for half of the free memory.

    Raises:
        UsageError: the method offers no similarity.
        InputError: an image is missing.
    """
    pairs = job.benchmark.split(job.split).take(job.pair_rows())
    asked, visible = presence_queries(job.benchmark, pairs, job.protocol)
    samples: list[Samples] = [(np.zeros((0, 0)), np.zeros((0, 0)))] * len(pairs)
    for pair, found in _sampled(job, asked, visible, legacy, memory):
        samples[pair] = found
    return _table(pairs, samples, np.bincount(asked.pair, minlength=len(pairs)), job.protocol.alphas)


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


def _table(pairs: Pairs, samples: Sequence[Samples], asked: np.ndarray, alphas: Sequence[float]) -> pd.DataFrame:
    codes, labels = category_codes(pairs)
    rows = []
    for place, alpha in enumerate(alphas):
        own = np.array([average_precision(p[place], n[place]) if len(p) else np.nan for p, n in samples])
        pooled = np.array([_pooled(samples, np.flatnonzero(codes == code), place) for code in range(len(labels))])
        weight = np.bincount(codes, weights=asked, minlength=len(labels))
        known = ~np.isnan(pooled) & (weight > 0)
        overall = float(np.average(pooled[known], weights=weight[known])) if known.any() else float("nan")
        parts = [("all", np.ones(len(pairs), bool), overall, int(asked.sum()))]
        parts += [(f"category:{x}", codes == c, float(pooled[c]), int(weight[c])) for c, x in enumerate(labels)]
        for scope, chosen, point, n in parts:
            images = own[chosen & ~np.isnan(own)]
            rows.append((scope, "per_image", alpha, float(images.mean()) if len(images) else np.nan, len(images)))
            rows.append((scope, "per_point", alpha, point, n))
    return pd.DataFrame(rows, columns=["scope", "metric", "alpha", "value", "n"])


def _pooled(samples: Sequence[Samples], rows: np.ndarray, place: int) -> float:
    chosen = [samples[row] for row in rows if len(samples[row][0])]
    if not chosen:
        return float("nan")
    positive, negative = (np.concatenate([one[side][place] for one in chosen]) for side in (0, 1))
    return average_precision(positive, negative)

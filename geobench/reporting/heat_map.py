"""A heat map over an image, drawn with Pillow alone: the same input gives the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float16, UInt8
from PIL import Image

from geobench.benchmark import Benchmark
from geobench.errors import UsageError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.runs import Run
from geobench.evaluation.scores import correct_keypoints
from geobench.evaluation.similarity_maps import SimilarityMap, load_similarity
from geobench.features.letterbox import Letterbox
from geobench.files import whole_file
from geobench.reporting.figures import contact_sheet, draw_matches

COLD, MIDDLE, HOT = (20, 30, 90), (215, 60, 90), (255, 240, 110)
OPACITY = 0.65
LOWEST = 0.02
"""Similarities below this quantile of a map are all drawn as its coldest colour: a few cells would set the scale."""


def heat_over_image(
    pixels: UInt8[np.ndarray, "height width 3"], values: Float16[np.ndarray, "h w"], letterbox: Letterbox
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the image with a similarity map over it, dark blue the least similar, yellow the most.

    Args:
        pixels: the image.
        values: similarity of each cell of the grid.
        letterbox: how the image entered the frame that the grid covers evenly.
    """
    height, width = pixels.shape[:2]
    corners = letterbox.to_model(np.array([[0.0, 0.0], [width, height]]))
    cells = corners * np.array(values.shape[::-1]) / np.array(letterbox.size)
    shown = Image.fromarray(values.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR, box=_within(cells, values.shape[::-1])
    )
    colours = _colours(_unit(np.asarray(shown)))
    gray = pixels.astype(np.float64).mean(axis=2, keepdims=True)
    mixed: np.ndarray = np.rint((1 - OPACITY) * gray + OPACITY * colours).astype(np.uint8)
    return mixed


def save_heat_maps(
    run: Run,
    benchmark: Benchmark,
    path: Path,
    keypoint: str,
    *,
    count: int = 6,
    chosen: Sequence[int] = (),
    alpha: float = 0.10,
) -> Path:
    """Draw source and target of pairs with the saved heat map of a keypoint over the target; return the PNG's path.

    The line joins the query point to the prediction: green right, red wrong with a ring at the truth.

    Args:
        run: a finished run with saved similarity.
        benchmark: what it ran on.
        path: file to write.
        keypoint: its name in the skeleton.
        count: how many pairs, spread evenly over those that have the keypoint.
        chosen: pair numbers of the split to draw instead.
        alpha: the PCK threshold that decides right or wrong.

    Raises:
        InputError: the heat maps were not saved.
        UsageError: a chosen pair has none, or the protocol does not count at ``alpha``.
    """
    maps = load_similarity(run, keypoint)
    unknown = [number for number in chosen if number not in maps]
    if unknown or not maps:
        raise UsageError(f"{run.folder}: {keypoint} is not asked in {f'pair {unknown[0]}' if unknown else 'any pair'}")
    numbers = np.array(sorted(maps))
    shown = list(chosen) or numbers[select_pairs(len(numbers), count)].tolist()
    images = [_pair(run, benchmark, maps[number], keypoint, alpha) for number in shown]
    sheet = contact_sheet([image for image, _ in images], [caption for _, caption in images], 2)
    with whole_file(path) as temporary:
        sheet.save(temporary, format="PNG")
    return path


def _pair(run: Run, benchmark: Benchmark, heat: SimilarityMap, keypoint: str, alpha: float) -> tuple[Image.Image, str]:
    protocol = Protocol.model_validate(run.record.protocol)
    if alpha not in protocol.alphas:
        known = ", ".join(f"{value:g}" for value in protocol.alphas)
        raise UsageError(f"protocol {protocol.name} does not count at alpha {alpha:g}; choose one of {known}")
    pairs, predictions, numbers = asked_and_answered(run, benchmark)
    position = int(np.searchsorted(numbers, heat.pair))
    asked = queries(benchmark, pairs, protocol)
    label = str(pairs.category[position])
    column = benchmark.skeleton(label).names.index(keypoint)
    row = int(np.flatnonzero((asked.pair == position) & (asked.keypoint == column))[0])
    given = int(np.flatnonzero((predictions.pair == position) & (predictions.keypoint == column))[0])
    points = np.stack([predictions.x, predictions.y], axis=1)[given : given + 1]
    every = asked.truth.copy()
    every[row] = points[0]
    correct = correct_keypoints(benchmark, protocol, asked, every)[row : row + 1, protocol.alphas.index(alpha)]
    source, target = (benchmark.picture(int(rows[position])).pixels for rows in (asked.query_row, asked.answer_row))
    at = slice(row, row + 1)
    drawn = draw_matches(
        source, heat_over_image(target, heat.values, heat.letterbox), asked.points[at], points, asked.truth[at], correct
    )
    return drawn, f"{heat.pair}  {label}  {keypoint}  similarity {heat.values.min():.2f} to {heat.values.max():.2f}"


def _within(cells: Float[np.ndarray, "2 2"], grid: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the image in cells, within the grid: rounding may put it just outside."""
    low, high = np.maximum(cells[0], 0.0), np.minimum(cells[1], np.array(grid, np.float64))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _unit(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    low, high = float(np.quantile(values, LOWEST)), float(values.max())
    return np.clip((values - low) / max(high - low, 1e-6), 0.0, 1.0)


def _colours(unit: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    stops = np.array([COLD, MIDDLE, HOT], np.float64)
    return np.stack([np.interp(unit, [0.0, 0.6, 1.0], stops[:, channel]) for channel in range(3)], axis=-1)

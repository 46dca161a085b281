"""A sheet of image pairs with a method's matches drawn on them, for a human to look at."""

from __future__ import annotations

import numpy as np
from PIL import Image

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import UsageError
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.predictions import Predictions, answers
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, queries
from geobench.evaluation.scores import correct_keypoints
from geobench.reporting.figures import contact_sheet, draw_matches


def match_sheet(
    benchmark: Benchmark,
    pairs: Pairs,
    predictions: Predictions,
    protocol: Protocol,
    *,
    alpha: float = 0.1,
    rows: np.ndarray | None = None,
    count: int = 12,
    columns: int = 2,
    side: int = 300,
) -> Image.Image:
    """Return a contact sheet of pairs: green lines are correct at ``alpha``, red ones wrong.

    The image that is asked about is on the left, the one answered in on the right.

    Args:
        benchmark: where instances and images are.
        pairs: the pairs that ``predictions`` number.
        predictions: one row per question of the protocol.
        protocol: decides what is asked and what is correct.
        alpha: one of the protocol's alphas.
        rows: numbers of the pairs to show; by default ``count`` of those with a question, spread evenly.
        count: how many pairs to show when ``rows`` is not given.
        columns: pairs per row of the sheet.
        side: length in pixels of the longer side of each image.

    Raises:
        UsageError: the protocol does not count at ``alpha``, or no pair has a question.
        InputError: predictions and questions do not fit, or an image is missing.
    """
    if alpha not in protocol.alphas:
        known = ", ".join(f"{value:g}" for value in protocol.alphas)
        raise UsageError(f"protocol {protocol.name} does not count at alpha {alpha:g}; choose one of {known}")
    asked = queries(benchmark, pairs, protocol)
    points = answers(predictions, asked, benchmark, pairs)
    correct = correct_keypoints(benchmark, protocol, asked, points)[:, protocol.alphas.index(alpha)]
    shown = _evenly_spread(asked, count) if rows is None else np.asarray(rows)
    if not len(shown):
        raise UsageError(f"{benchmark.name}: no pair with a question to show")
    images, captions = [], []
    for row in shown.tolist():
        at = slice(*np.searchsorted(asked.pair, [row, row + 1]))
        images.append(_drawn(benchmark, asked, int(row), at, points, correct, side))
        share = f"{correct[at].sum()}/{len(correct[at])}"
        captions.append(f"{row}  {pairs.category[row]}  {share} at {alpha:g}")
    return contact_sheet(images, captions, columns)


def _evenly_spread(asked: Queries, count: int) -> np.ndarray:
    with_questions = np.unique(asked.pair)
    return with_questions[select_pairs(len(with_questions), count)] if len(with_questions) else with_questions


def _drawn(
    benchmark: Benchmark, asked: Queries, row: int, at: slice, points: np.ndarray, correct: np.ndarray, side: int
) -> Image.Image:
    source, target = (benchmark.picture(int(rows[row])).pixels for rows in (asked.query_row, asked.answer_row))
    return draw_matches(source, target, asked.points[at], points[at], asked.truth[at], correct[at], side=side)

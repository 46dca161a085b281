"""Confidence intervals of the figures of a table of errors, by drawing the target images anew."""

from __future__ import annotations

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.error_groups import Groups
from geobench.evaluation.intervals import image_intervals
from geobench.evaluation.landings import Landings
from geobench.evaluation.ratios import Ratios, answer_images, by_image
from geobench.evaluation.scopes import Scopes
from geobench.evaluation.taxonomy import KINDS, Outcomes

FIGURES = (*KINDS, "pck_dagger", "left_right_confusion")
"""The columns of :func:`geobench.evaluation.error_table.error_table` that have an interval."""


def error_ratios(found: Landings, result: Outcomes) -> Ratios:
    """Return parts and wholes of every answer, one variant; counts run over :data:`FIGURES`.

    Left/right confusion counts the answers that :func:`geobench.evaluation.swaps.left_right_confusion` counts.

    Args:
        found: where the answers fell.
        result: their kinds.
    """
    marks = [*(result.kind == code for code in range(len(KINDS))), result.dagger, found.partner < found.own]
    counted = np.ones((len(found.asked), len(FIGURES)), bool)
    counted[:, -1] = np.isfinite(found.partner)
    wholes = (counted * found.weight[:, None]).astype(np.float64)
    return Ratios((np.stack(marks, axis=1) * wholes)[..., None], wholes)


def error_intervals(
    benchmark: Benchmark, found: Landings, result: Outcomes, groups: Groups, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Return columns ``<figure>_low`` and ``<figure>_high`` (0 to 1) for :data:`FIGURES`, one row per group.

    An image is one of a group's when one of the group's answers that counts is in it. NaN where it has too few
    (docs/statistics.md). ``correct`` of all answers and of categories has the interval that the scores give PCK per
    point.

    Args:
        benchmark: where the images are.
        found: where the answers fell.
        result: their kinds.
        groups: a division of the answers.
        bootstrap: how to make intervals.
    """
    image = answer_images(benchmark, found.asked)[found.asked.pair]
    images = by_image(error_ratios(found, result), Scopes(groups.names, groups.codes), image)
    ends = np.full((len(groups.names), len(FIGURES), 2), np.nan)
    for row, (name, some) in enumerate(zip(groups.names, images, strict=True)):
        low, high = image_intervals(some, bootstrap, name)
        ends[row] = np.concatenate([low, high], axis=1)
    names = [f"{figure}_{end}" for figure in FIGURES for end in ("low", "high")]
    return pd.DataFrame(ends.reshape(len(groups.names), len(names)), columns=names)

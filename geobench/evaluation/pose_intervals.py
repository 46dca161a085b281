"""Confidence intervals of pose accuracies, by drawing the target images anew."""

from __future__ import annotations

import numpy as np
import pandas as pd

from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.intervals import image_intervals
from geobench.evaluation.pose_run import PoseRun
from geobench.evaluation.pose_vote import COLUMNS, LEFT, correct
from geobench.evaluation.ratios import Ratios, by_image
from geobench.evaluation.scopes import Scopes

SCOPE = "pose"
"""What the draws are named after; columns and methods share them."""


def pose_ratios(run: PoseRun) -> Ratios:
    """Return what each target adds to right answers and to targets asked; counts run over COLUMNS, one variant."""
    truth = run.task.targets.truth
    sideways, every = truth >= LEFT, np.ones(len(truth), bool)
    wholes = np.stack([sideways, ~sideways, every, every], axis=1)
    parts = np.zeros(wholes.shape)
    for column, name in enumerate(COLUMNS):
        parts[wholes[:, column], column] = correct(run.voted, truth)[name]
    return Ratios(parts[..., None], wholes.astype(np.float64))


def pose_intervals(run: PoseRun, bootstrap: Bootstrap) -> dict[str, tuple[float, float]]:
    """Return the interval of each accuracy (0 to 1); NaN where there are too few images (docs/statistics.md).

    Targets in one image are drawn together. Other templates, which the accuracies depend on too, are not drawn.

    Args:
        run: a method's answer.
        bootstrap: how to make intervals.
    """
    rows = run.task.targets.rows
    image, _ = pd.factorize(run.task.benchmark.instances.image[rows].astype(object), sort=True)
    scopes = Scopes([SCOPE], np.zeros(len(rows), np.int64))
    (images,) = by_image(pose_ratios(run), scopes, image.astype(np.int64))
    low, high = image_intervals(images, bootstrap, SCOPE)
    return dict(zip(COLUMNS, zip(low[:, 0].tolist(), high[:, 0].tolist(), strict=True), strict=True))

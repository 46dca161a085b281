"""Which way an instance faces, voted by sets of pose templates, and how often that is right.

GeoAware-SC, section 3.4 of the paper; the rules and their ties are those of pose_awareness_test.py:314-364.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from geobench.errors import InputError

VIEWS = ("back", "front", "left", "right")
"""The views in the order in which ties are broken."""
BACK, FRONT, LEFT, RIGHT = range(4)
COLUMNS = ("L/R", "F/B", "L/R or F/B", "L/R/F/B")
"""The columns of the paper's table."""
CHANCE = {"L/R": 0.5, "F/B": 0.5, "L/R or F/B": 0.5, "L/R/F/B": 0.25}
"""The expected share of a guess that prefers no view; the first three columns ask between two views."""


@dataclass(frozen=True, eq=False)
class PoseVote:
    """Predicted views of T targets, as numbers of :data:`VIEWS`.

    Attributes:
        front_back: BACK or FRONT: what the target would be, were it one of the two.
        left_right: LEFT or RIGHT, likewise.
        four_way: any of the four.
    """

    front_back: Int64[np.ndarray, " t"]
    left_right: Int64[np.ndarray, " t"]
    four_way: Int64[np.ndarray, " t"]


def vote(distances: Float[np.ndarray, "t s 4"]) -> PoseVote:
    """Return the views that a majority of template sets is closest to.

    Two views: FRONT (RIGHT) if in more than half of the sets the target is strictly closer to the front (right)
    template than to the back (left) one, else BACK (LEFT); of 3 sets that takes 2. Four views: each set names its
    closest template, the first of :data:`VIEWS` where several tie; the view that most sets name wins, again the
    first of those that tie.

    Args:
        distances: target to template, T targets, S sets, views in the order of :data:`VIEWS`.

    Raises:
        InputError: there is no set, or a distance is NaN.
    """
    if not distances.shape[1] or np.isnan(distances).any():
        raise InputError("the vote needs at least one set of templates and distances that are numbers, found NaN")
    sets = distances.shape[1]
    front = 2 * (distances[..., BACK] - distances[..., FRONT] > 0).sum(axis=1) > sets
    right = 2 * (distances[..., LEFT] - distances[..., RIGHT] > 0).sum(axis=1) > sets
    named = distances.argmin(axis=2)
    ballots = (named[..., None] == np.arange(len(VIEWS))).sum(axis=1)
    return PoseVote(
        np.where(front, FRONT, BACK).astype(np.int64),
        np.where(right, RIGHT, LEFT).astype(np.int64),
        ballots.argmax(axis=1).astype(np.int64),
    )


def correct(voted: PoseVote, truth: Int64[np.ndarray, " t"]) -> dict[str, Bool[np.ndarray, " n"]]:
    """Return, per column of the paper's table, which of the targets it asks about were told right.

    ``L/R`` asks about targets seen from a side, between the two sides; ``F/B`` about the others, between front and
    back; ``L/R or F/B`` about all, each between the two views of its own axis; ``L/R/F/B`` about all, among four.
    """
    sideways = truth >= LEFT
    own_axis = np.where(sideways, voted.left_right, voted.front_back) == truth
    found = (own_axis[sideways], own_axis[~sideways], own_axis, voted.four_way == truth)
    return dict(zip(COLUMNS, found, strict=True))


def accuracy(voted: PoseVote, truth: Int64[np.ndarray, " t"]) -> dict[str, float]:
    """Return the share of right answers per column (0 to 1; NaN where no target is asked about)."""
    return {name: float(hits.mean()) if len(hits) else float("nan") for name, hits in correct(voted, truth).items()}

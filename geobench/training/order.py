"""In which order an epoch goes through its pairs: shuffled, and where memory is short, so that few images come again.

The order depends on the seed, the epoch and how many descriptions can be held, and on nothing that happened before, so
that training interrupted anywhere goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from geobench.benchmark import Pairs
from geobench.evaluation.plan import make_plan
from geobench.evaluation.row_lists import RowLists
from geobench.seeding import seed_for

Steps = Sequence[Int[np.ndarray, " _"]]
"""The pair numbers of each step."""


def epoch_steps(pairs: Pairs, epoch: int, seed: int, batch: int, capacity: int | None) -> Steps:
    """Return the numbers of the pairs of each step of an epoch, every pair once.

    Args:
        pairs: the pairs to train on.
        epoch: its number, from 0.
        seed: of the training.
        batch: pairs per step; the last step may have fewer.
        capacity: how many descriptions can be held at a time; None for all. With fewer than there are images, pairs
            that share images stand near each other, in another way each epoch.
    """
    order = np.random.default_rng(seed_for(seed, "epoch", str(epoch))).permutation(len(pairs))
    if capacity is not None and capacity < len(np.union1d(pairs.source, pairs.target)):
        order = order[make_plan(rows_of_steps(pairs, [order[i : i + 1] for i in range(len(order))]), capacity).order]
    return [order[start : start + batch] for start in range(0, len(order), batch)]


def own_share(steps: Steps, process: int, processes: int) -> Steps:
    """Return the part of each step that one of several processes computes; a step may leave it with none."""
    return [step[process::processes] for step in steps]


def rows_of_steps(pairs: Pairs, steps: Steps) -> RowLists:
    """Return the instances that each step needs."""
    owner = np.repeat(np.arange(len(steps)), [len(step) for step in steps])
    numbers = np.concatenate([np.zeros(0, np.int64), *steps]).astype(np.int64)
    rows = np.concatenate([pairs.source[numbers], pairs.target[numbers]]).astype(np.int64)
    return RowLists.distinct(np.tile(owner, 2), rows, len(steps))

"""The groups of pairs of several sessions as one list of tasks, and what each task cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from geobench.evaluation.row_lists import RowLists, joined, rows_of_groups
from geobench.evaluation.runs import CostRecord
from geobench.evaluation.session import Session
from geobench.evaluation.walk import Walk


@dataclass(frozen=True, eq=False)
class Tasks:
    """Groups of pairs of several sessions: split after split, and the sessions of a split in turn.

    Attributes:
        session: the number of each task's session.
        group: the number of its group there.
        rows: the instances that it needs.
        first_round: how many tasks the first split begins with until each of its sessions had its turn.
        counts: how many tasks each session has.
    """

    session: Int[np.ndarray, " t"]
    group: Int[np.ndarray, " t"]
    rows: RowLists
    first_round: int
    counts: list[int]

    @classmethod
    def of(cls, sessions: Sequence[Session]) -> Tasks:
        """Return the tasks of sessions."""
        counts = [len(session.groups) for session in sessions]
        names = list(dict.fromkeys(session.job.split for session in sessions))
        split = np.array([names.index(session.job.split) for session in sessions])
        which = np.repeat(np.arange(len(sessions)), counts)
        group = np.concatenate([np.arange(count) for count in counts])
        order = np.lexsort((which, group, split[which]))
        rows = joined([rows_of_groups(session.queries, session.groups) for session in sessions]).take(order)
        opening = (group[order] == 0) & (split[which[order]] == split[which[order[:1]]])
        return cls(which[order], group[order], rows, int(opening.sum()), counts)


class Meter:
    """Adds to the cost of a run what was spent since the last time it was asked."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self._last = self._read()

    def _read(self) -> tuple[float, float, int, int]:
        spent = self.walk.descriptions
        return time.perf_counter(), spent.seconds, spent.n_described, spent.n_read

    def charge(self, cost: CostRecord, number: int) -> None:
        """Charge what was spent to the run whose group of this number was just matched."""
        read = self._read()
        wall, describe, n_described, n_read = (now - before for now, before in zip(read, self._last, strict=True))
        self._last = read
        cost.wall_s += wall
        cost.describe_s += describe
        cost.n_described += int(n_described)
        cost.n_read += int(n_read)
        cost.n_planned += int(self.walk.planned[number])
        cost.peak_held = max(cost.peak_held, self.walk.descriptions.peak_held)
        cost.description_bytes = self.walk.size or cost.description_bytes

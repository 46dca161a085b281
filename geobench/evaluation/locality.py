"""An order of groups of pairs in which few images have to be described again when not all descriptions fit into memory.

Images that no pair connects are kept apart (a benchmark's categories, mostly): one component after the other. Where a
component does not fit, the next group is one that lacks the fewest descriptions, among these one that lacks what most
of them lack, and what has not been used for the longest time gives way. What else was tried: docs/memory.md.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from geobench.evaluation.row_lists import RowLists

PATIENCE = 30_000
"""After so many choices, some seconds, the groups that are left keep their own order."""
CHOICES = 4096
"""How many groups that lack equally little are compared."""
_DONE = 1 << 14
"""Stands for the number of absent descriptions of a group that is done; groups are far smaller."""


def components(groups: RowLists) -> Int[np.ndarray, " g"]:
    """Return the number of each group's component: groups that share an image, directly or not, are of one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = np.repeat(groups.rows[groups.bounds[:-1]], groups.lengths)
    n = int(groups.rows.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(first), np.int8), (first, groups.rows)), shape=(n, n))
    labels: np.ndarray = connected_components(edges, directed=False)[1]
    return labels[groups.rows[groups.bounds[:-1]]].astype(np.int64)


def by_component(labels: Int[np.ndarray, " g"]) -> list[Int[np.ndarray, " n"]]:
    """Return the groups of each component in their own order, components in the order of their first groups."""
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first[codes], kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []


def fewest_absent_first(
    groups: RowLists, capacity: int, held: Int[np.ndarray, " h"] | None = None
) -> Int[np.ndarray, " g"]:
    """Return an order of the groups in which each lacks as few descriptions as can be seen at that moment.

    Args:
        groups: rows that each group needs, at most ``capacity``.
        capacity: how many descriptions can be held at a time.
        held: rows whose descriptions are there at the start.
    """
    rows = np.unique(groups.rows)
    board = _Board(RowLists(groups.bounds, np.searchsorted(rows, groups.rows)), capacity, len(rows))
    start = np.searchsorted(rows, np.intersect1d(rows, held if held is not None else rows[:0]))
    order = [board.load(start[:capacity])]
    done = len(order[0])
    while done < len(groups) and len(order) <= PATIENCE:
        order.append(board.run_next())
        done += len(order[-1])
    chosen = np.concatenate(order)
    return np.concatenate([chosen, np.setdiff1d(np.arange(len(groups)), chosen)])


class _Board:
    """Which descriptions are held, and how many each group lacks.

    Args:
        groups: the rows that each group needs, numbered from 0.
        capacity: how many descriptions can be held.
        n: how many rows there are.
    """

    def __init__(self, groups: RowLists, capacity: int, n: int) -> None:
        self.groups, self.capacity = groups, capacity
        self.groups_of = groups.inverted(n)
        self.absent = groups.lengths.astype(np.int16)
        self.left = np.bincount(groups.rows, minlength=n)
        self.held: Bool[np.ndarray, " n"] = np.zeros(n, bool)
        self.used = np.zeros(n, np.int64)
        self.clock = 0

    def run_next(self) -> Int[np.ndarray, " n"]:
        """Hold what the group with the fewest absent descriptions lacks, and return all groups that can now be done."""
        needed = self.groups[self._next_group()]
        missing = needed[~self.held[needed]]
        self.clock += 1
        self.used[needed] = self.clock  # so that none of them gives way to the others
        self._make_room(len(missing))
        return self.load(missing)

    def _next_group(self) -> int:
        """Return one of the groups that lack least: one that lacks what most of them lack."""
        first = int(self.absent.argmin())
        least = self.absent[first]
        equals = first + np.flatnonzero(self.absent[first : first + 4 * CHOICES] == least)[:CHOICES]
        lacking = self.groups.gather(equals)
        wanted = int(np.bincount(lacking[~self.held[lacking]]).argmax())
        groups = self._groups_of(wanted)
        return int(groups[np.argmax(self.absent[groups] == least)])

    def load(self, rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
        """Hold rows, and return the groups that lack nothing any more, which are done by that."""
        self.held[rows] = True
        done = [rows[:0]]
        for row in rows.tolist():
            touched = self._groups_of(row)
            absent = self.absent[touched] - 1
            self.absent[touched] = absent
            done.append(touched[absent == 0])
        found = np.sort(np.concatenate(done))
        self.absent[found] = _DONE
        self._count_use(self.groups.gather(found))
        return found

    def _groups_of(self, row: int) -> Int[np.ndarray, " n"]:
        return self.groups_of[row]

    def _count_use(self, rows: Int[np.ndarray, " n"]) -> None:
        np.subtract.at(self.left, rows, 1)
        self.used[rows] = self.clock
        self.held[rows[self.left[rows] == 0]] = False

    def _make_room(self, count: int) -> None:
        held = np.flatnonzero(self.held)
        excess = len(held) + count - self.capacity
        if excess > 0:
            # Without ties, so that the order is the same wherever it is made.
            oldest = np.argpartition(self.used[held] * len(self.held) + held, excess - 1)
            victims = held[oldest[:excess]]
            self.held[victims] = False
            for row in victims.tolist():
                self.absent[self._groups_of(row)] += 1

"""Which descriptions to make and which to forget, and when, for groups of pairs in a given order.

What is needed again farthest in the future gives way, which no other rule beats (L. A. Belady, "A study of replacement
algorithms for a virtual-storage computer", IBM Systems Journal 5, 1966). The future is known here: it is the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from geobench.evaluation.row_lists import RowLists

LOOKAHEAD = 1024
"""How many uses ahead a batch is filled up from."""
VOID = 16
"""The heap is tidied when it has so many entries per description held."""
_NOTHING: list[int] = []


@dataclass(frozen=True, eq=False)
class Schedule:
    """What happens before each group of pairs, in the order in which they are matched.

    Attributes:
        described: rows described before each group; first those it needs, then those that fill up the last batch.
        forgotten: rows forgotten before that.
        peak: the most descriptions held at a time.
    """

    described: RowLists
    forgotten: RowLists
    peak: int

    def times(self, n_rows: int) -> Int[np.ndarray, " n_rows"]:
        """Return how often each row is described."""
        return np.bincount(self.described.rows, minlength=n_rows)

    @property
    def n_described(self) -> int:
        """How many descriptions are made in all."""
        return len(self.described.rows)


def once(groups: RowLists, batch: int = 1, held: Int[np.ndarray, " h"] | None = None) -> Schedule:
    """Return the schedule of groups in the order in which they are given with room for all descriptions.

    Each row is described when it is first needed, or with the batch before, and forgotten after its last use.

    Args:
        groups: the rows that each group needs at the same time.
        batch: how many images are described together.
        held: rows whose descriptions are there at the start.
    """
    there = np.zeros(0, np.int64) if held is None else held
    rows, first = np.unique(groups.rows, return_index=True)
    last = len(groups.rows) - 1 - np.unique(groups.rows[::-1], return_index=True)[1]
    owner = groups.owner
    new = ~np.isin(rows, there)
    order = np.argsort(first[new])
    made, needed = rows[new][order], owner[first[new][order]]
    when = needed[np.arange(len(made)) // batch * batch]
    over = np.concatenate([owner[last] + 1, np.zeros(len(there), np.int64)])
    gone = np.concatenate([rows, there])
    kept = (over < len(groups)) & ~((over == 0) & np.isin(gone, rows))
    described = RowLists.stacked(when, made, len(groups))
    forgotten = RowLists.stacked(over[kept], gone[kept], len(groups))
    balance = described.lengths.cumsum() - forgotten.lengths.cumsum() + len(there)
    return Schedule(described, forgotten, int(balance.max(initial=0)))


def scheduled(groups: RowLists, capacity: int, batch: int = 1, held: Int[np.ndarray, " h"] | None = None) -> Schedule:
    """Return the schedule of groups in the order in which they are given.

    A batch is filled up with the rows needed next, where there is room, or where what gives way is needed later.

    Args:
        groups: the rows that each group needs at the same time.
        capacity: how many descriptions can be held at a time, not fewer than the largest group needs.
        batch: how many images are described together.
        held: rows whose descriptions are there at the start.
    """
    names, rows = np.unique(groups.rows, return_inverse=True)
    simulation = _Simulation(RowLists(groups.bounds, rows), len(names), capacity, batch)
    there = np.zeros(0, np.int64) if held is None else held
    simulation.start(np.flatnonzero(np.isin(names, there)))
    simulation.run()
    described, forgotten = (
        RowLists(lists.bounds, names[lists.rows])
        for lists in map(RowLists.of, (simulation.described, simulation.forgotten))
    )
    useless = np.setdiff1d(there, names)
    return Schedule(described, _with_first(forgotten, useless), simulation.peak)


class _Simulation:
    """Goes through groups in their order; see :func:`scheduled`.

    Args:
        groups: rows numbered from 0.
        n: how many rows there are.
        capacity: how many descriptions can be held.
        batch: how many images are described together.
    """

    def __init__(self, groups: RowLists, n: int, capacity: int, batch: int) -> None:
        self.n, self.capacity, self.batch = n, capacity, batch
        self.bounds, self.rows = groups.bounds.tolist(), groups.rows.tolist()
        self.owner, self.later = groups.owner.tolist(), _next_uses(groups).tolist()
        self.next_use = [-1] * n  # number of the group that needs a row next, -1 while its description is not held
        self.count = 0
        self.heap: list[int] = []  # of -(next_use * n + row); entries that a later use made void are dropped when met
        self.described: list[list[int]] = []
        self.forgotten: list[list[int]] = []
        self.peak = 0

    def start(self, held: Int[np.ndarray, " h"]) -> None:
        """Begin with descriptions that are there already."""
        first = np.unique(np.array(self.rows), return_index=True)[1]
        for row in held.tolist():
            self._hold(row, self.owner[first[row]])

    def run(self) -> None:
        """Make ready what each group needs, and count its uses."""
        rows, next_use, never = self.rows, self.next_use, len(self.bounds) - 1
        forget: list[int] = []
        for number, (start, stop) in enumerate(pairwise(self.bounds)):
            making = [row for row in rows[start:stop] if next_use[row] < 0]
            if making or self.count > self.capacity:
                self._make_ready(number, stop, making, forget)
            self.described.append(making or _NOTHING)
            self.forgotten.append(forget or _NOTHING)
            forget = []
            for row, use in zip(rows[start:stop], self.later[start:stop], strict=True):
                next_use[row] = use
                if use == never:
                    forget.append(self._drop(row))
                else:
                    heappush(self.heap, -(use * self.n + row))
            if len(self.heap) > VOID * self.count + self.n:
                self._tidy()

    def _make_ready(self, number: int, stop: int, making: list[int], forget: list[int]) -> None:
        while self.count + len(making) > self.capacity:
            forget.append(self._drop(self._farthest()[0]))
        for row in making:
            self._hold(row, number)
        if self.batch > 1:
            self._fill_up(making, stop, forget)
        self.peak = max(self.peak, self.count)

    def _fill_up(self, making: list[int], start: int, forget: list[int]) -> None:
        """Add rows that are needed soon until a whole number of batches is being made."""
        for i in range(start, min(start + LOOKAHEAD, len(self.rows))):
            if len(making) % self.batch == 0:
                return
            row, use = self.rows[i], self.owner[i]
            if self.next_use[row] >= 0:
                continue
            if self.count >= self.capacity:
                last, its_use = self._farthest()
                if its_use <= use:
                    return
                forget.append(self._drop(last))
            self._hold(row, use)
            making.append(row)

    def _farthest(self) -> tuple[int, int]:
        """Return the row that is needed last, and when."""
        while True:
            use, row = divmod(-self.heap[0], self.n)
            if self.next_use[row] == use:
                return row, use
            heappop(self.heap)

    def _tidy(self) -> None:
        """Take void entries out of the heap."""
        self.heap = [-(use * self.n + row) for row, use in enumerate(self.next_use) if use >= 0]
        heapify(self.heap)

    def _hold(self, row: int, use: int) -> None:
        self.next_use[row] = use
        self.count += 1
        heappush(self.heap, -(use * self.n + row))

    def _drop(self, row: int) -> int:
        self.next_use[row] = -1
        self.count -= 1
        return row


def _with_first(lists: RowLists, rows: Int[np.ndarray, " n"]) -> RowLists:
    """Return lists with rows added to the first one."""
    bounds = lists.bounds + len(rows)
    bounds[0] = 0
    return RowLists(bounds, np.concatenate([rows, lists.rows]))


def _next_uses(groups: RowLists) -> Int[np.ndarray, " rows"]:
    """Return for each use of a row the number of the group that uses it next; the number of groups if none does."""
    owner, rows = groups.owner, groups.rows
    order = np.argsort(rows, kind="stable")
    later = np.full(len(rows), len(groups))
    same = rows[order][1:] == rows[order][:-1]
    later[order[:-1][same]] = owner[order[1:][same]]
    return later

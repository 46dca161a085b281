"""RowLists: many short lists of instance rows as two columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Int

from geobench.evaluation.predictions import Queries


@dataclass(frozen=True, eq=False)
class RowLists:
    """Lists of rows of a benchmark's instances, one list per group of pairs or per step of a plan.

    Attributes:
        bounds: list i is ``rows[bounds[i] : bounds[i + 1]]``; from 0 to the length of ``rows``.
        rows: the lists one after the other.
    """

    bounds: Int[np.ndarray, " bounds"]
    rows: Int[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, number: int) -> Int[np.ndarray, " n"]:
        rows: np.ndarray = self.rows[self.bounds[number] : self.bounds[number + 1]]
        return rows

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> RowLists:
        """Return lists as columns."""
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        return cls(_bounds(lengths), np.fromiter(chain.from_iterable(lists), np.int64, int(lengths.sum())))

    @classmethod
    def distinct(cls, owner: Int[np.ndarray, " n"], rows: Int[np.ndarray, " n"], count: int) -> RowLists:
        """Return ``count`` lists, sorted and each row once in a list, of rows and the numbers of their lists."""
        order = np.lexsort((rows, owner))
        owner, rows = owner[order], rows[order]
        first = np.ones(len(rows), bool)
        first[1:] = (np.diff(rows) != 0) | (np.diff(owner) != 0)
        return cls(_bounds(np.bincount(owner[first], minlength=count)), rows[first])

    @classmethod
    def stacked(cls, owner: Int[np.ndarray, " n"], rows: Int[np.ndarray, " n"], count: int) -> RowLists:
        """Return ``count`` lists of rows, given with the numbers of their lists; rows keep their order in a list."""
        order = np.argsort(owner, kind="stable")
        return cls(_bounds(np.bincount(owner, minlength=count)), rows[order])

    @property
    def lengths(self) -> Int[np.ndarray, " lists"]:
        """The length of each list."""
        return np.diff(self.bounds)

    @property
    def owner(self) -> Int[np.ndarray, " rows"]:
        """The number of the list that each of ``rows`` is in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def gather(self, numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
        """Return the rows of the lists of these numbers, one list after the other."""
        lengths = self.bounds[numbers + 1] - self.bounds[numbers]
        ends = lengths.cumsum()
        total = int(ends[-1]) if len(ends) else 0
        gathered: np.ndarray = self.rows[np.repeat(self.bounds[numbers] - ends + lengths, lengths) + np.arange(total)]
        return gathered

    def take(self, numbers: Int[np.ndarray, " n"]) -> RowLists:
        """Return the lists of these numbers, in their order."""
        return RowLists(_bounds(self.lengths[numbers]), self.gather(numbers))

    def inverted(self, n_rows: int) -> RowLists:
        """Return for each row below ``n_rows`` the numbers of the lists that it is in, ascending."""
        order = np.argsort(self.rows, kind="stable")
        return RowLists(_bounds(np.bincount(self.rows, minlength=n_rows)), self.owner[order])


def joined(parts: Sequence[RowLists]) -> RowLists:
    """Return the lists of all parts, one part after the other."""
    nothing = np.zeros(0, np.int64)
    lengths = np.concatenate([nothing, *(part.lengths for part in parts)])
    return RowLists(_bounds(lengths), np.concatenate([nothing, *(part.rows for part in parts)]))


def rows_of_groups(asked: Queries, groups: RowLists) -> RowLists:
    """Return the rows of the instances that each group needs: those asked about and those answered in.

    Args:
        asked: the questions.
        groups: positions of pairs in them.
    """
    rows = np.concatenate([asked.query_row[groups.rows], asked.answer_row[groups.rows]]).astype(np.int64)
    return RowLists.distinct(np.tile(groups.owner, 2), rows, len(groups))


def _bounds(lengths: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n_1"]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

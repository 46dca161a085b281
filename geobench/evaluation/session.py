"""One attempt at a job: from the pairs that are left to the merged predictions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int

from geobench.errors import InputError
from geobench.evaluation import environment
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.job import Job
from geobench.evaluation.parts import PartStore
from geobench.evaluation.predictions import Queries, queries
from geobench.evaluation.row_lists import RowLists
from geobench.evaluation.run_record import now, started_record
from geobench.evaluation.runs import Run, RunRecord, RunStatus, load_run
from geobench.files import write_table
from geobench.seeding import seed_everything, seed_for

GROUP = 16  # pairs matched together at most: some 130 rows, with which a product is limited by arithmetic
Answer = tuple[Float32[np.ndarray, "n 2"], str | None]


class Session:
    """Runs a job in its folder; whatever earlier sessions finished is kept.

    Attributes:
        asked: positions among the job's pairs that have a question.
        todo: those that no earlier session answered.
        groups: positions of the pairs that are matched together: what is left, and what belongs to it.
    """

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.rows = job.pair_rows()
        pairs = job.benchmark.split(job.split).take(self.rows)
        self.queries: Queries = queries(job.benchmark, pairs, job.protocol)
        self.categories = pairs.category
        self.bounds = np.searchsorted(self.queries.pair, np.arange(len(pairs) + 1))
        self.parts = PartStore(folder)
        self.asked = np.flatnonzero(np.diff(self.bounds))
        self.todo = self.asked[~np.isin(self.rows[self.asked], self.parts.done())]
        self.left = set(self.todo.tolist())
        self.groups = self._groups()
        self._record: RunRecord | None = None

    def _groups(self) -> RowLists:
        """Return the pairs left to match, in groups that share the image answered in, where the method can use that.

        Groups depend on the job alone, not on what earlier sessions finished: a product of many rows may round
        differently from one of few, so a group of which some pair is left is matched whole again.
        """
        if not self.job.method.matches_many:
            return RowLists(np.arange(len(self.todo) + 1), self.todo)
        groups = grouped(self.asked, self.queries.answer_row[self.asked])
        return groups.take(np.unique(groups.owner[np.isin(groups.rows, self.todo)]))

    @property
    def record(self) -> RunRecord:
        """The run's record; it is kept up to date in memory, and on disk when the session is interrupted or done."""
        if self._record is None:
            self._record = self._begin()
        return self._record

    def needed(self, positions: Int[np.ndarray, " p"]) -> Int[np.ndarray, " n"]:
        """Return the rows of the instances that pairs ask about and are answered in."""
        return np.unique(np.concatenate([self.queries.query_row[positions], self.queries.answer_row[positions]]))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write down that the run is under way; what is done meanwhile is on disk when this ends, also by an error."""
        self._save_record()
        try:
            yield
        finally:
            self.parts.flush()
            self._save_record()

    def _save_record(self) -> None:
        cost = self.record.cost
        cost.wall_s, cost.match_s, cost.describe_s = (
            round(seconds, 3) for seconds in (cost.wall_s, cost.match_s, cost.describe_s)
        )
        cost.peak_memory_mib = round(max(cost.peak_memory_mib, environment.peak_memory_mib()), 1)
        Run(self.folder, self.record).save_record()

    def _begin(self) -> RunRecord:
        if (self.folder / "run.json").is_file():
            return load_run(self.folder).record.model_copy(update={"status": "started", "finished_at": None})
        return started_record(self.job, n_pairs=len(self.rows), n_effective=len(self.asked))

    def match(self, number: int, descriptions: Descriptions) -> int:
        """Answer the pairs of a group, keep the answers of those that are left, and return how many those are."""
        group, left = self.groups[number].tolist(), self.left
        answers, seconds = self._answer_together(group, descriptions) if len(group) > 1 else ({}, 0.0)
        wanted = [position for position in group if position in left]
        for position in wanted:
            if position not in answers:
                answers[position], took = self._answer_alone(position, descriptions)
                seconds += took
            points, reason = answers[position]
            self.parts.add(int(self.rows[position]), self.queries.keypoint[self._at(position)], points, reason)
        self.record.cost.match_s += seconds
        return len(wanted)

    def _at(self, position: int) -> slice:
        return slice(int(self.bounds[position]), int(self.bounds[position + 1]))

    def _answer_together(self, group: list[int], descriptions: Descriptions) -> tuple[dict[int, Answer], float]:
        """Return the answers of pairs that share the image answered in, or none where one of them fails."""
        asked = self.queries
        try:
            sources = [descriptions.of(int(row)) for row in asked.query_row[group]]
            target = descriptions.of(int(asked.answer_row[group[0]]))
            started = time.perf_counter()
            points = [asked.points[self._at(position)] for position in group]
            answers = self.job.method.predict_many(sources, target, points)
        except (InputError, MemoryError):
            raise
        except Exception:  # one by one then, which finds out which pair it is and keeps the reason
            return {}, 0.0
        together: dict[int, Answer] = {p: (answer, None) for p, answer in zip(group, answers, strict=True)}
        return together, time.perf_counter() - started

    def _answer_alone(self, position: int, descriptions: Descriptions) -> tuple[Answer, float]:
        """Return the answer of one pair, or why there is none, and the seconds that matching took."""
        source, target = int(self.queries.query_row[position]), int(self.queries.answer_row[position])
        at = self._at(position)
        try:
            descriptions.of(source), descriptions.of(target)
            started = time.perf_counter()
            return (self._answer(source, target, at, descriptions), None), time.perf_counter() - started
        except (InputError, MemoryError):
            raise
        except Exception as error:
            nothing = np.full((at.stop - at.start, 2), np.nan, np.float32)
            return (nothing, f"{type(error).__name__}: {error}"), 0.0

    def _answer(self, source: int, target: int, at: slice, descriptions: Descriptions) -> Float32[np.ndarray, "n 2"]:
        asked, method = self.queries, self.job.method
        names = self.job.benchmark.instances.id[[source, target]]
        seed_everything(seed_for(self.job.seed, *map(str, names)))
        partner = None
        if method.uses_mirror_index:
            skeleton = self.job.benchmark.skeleton(str(self.categories[asked.pair[at.start]]))
            partner = skeleton.partner_rows(asked.keypoint[at])
        described = descriptions.of(source), descriptions.of(target)
        return method.predict(*described, asked.points[at], truth=asked.truth[at], partner=partner)

    def finish(self) -> None:
        """Merge the answers into predictions.parquet, and say in the record how it went."""
        predictions, failures = self.parts.merge()
        n_failed = failures.num_rows
        if n_failed:
            write_table(self.folder / "failures.parquet", failures)
        write_table(self.folder / "predictions.parquet", predictions.to_table())
        record = self.record
        record.status, record.finished_at = _status(n_failed, len(self.asked)), now()
        record.n_pairs_failed = n_failed
        record.first_failure = failures["reason"][0].as_py() if n_failed else None
        self._save_record()
        self.parts.remove()


def grouped(positions: Int[np.ndarray, " p"], answer_row: Int[np.ndarray, " p"]) -> RowLists:
    """Return pairs in groups of at most :data:`GROUP` that are answered in the same image, in the order of its first.

    Args:
        positions: numbers of the pairs, ascending.
        answer_row: the image that each is answered in.
    """
    _, first, which = np.unique(answer_row, return_index=True, return_inverse=True)
    order = np.argsort(first[which], kind="stable")
    starts = np.flatnonzero(np.diff(answer_row[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    owner = np.cumsum(place % GROUP == 0) - 1
    return RowLists.stacked(owner, positions[order], int((place % GROUP == 0).sum()))


def _status(n_failed: int, n_asked: int) -> RunStatus:
    if not n_failed:
        return "success"
    return "failed" if n_failed == n_asked else "success_with_failures"

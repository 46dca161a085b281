"""One attempt at a job: from the pairs that are left to the merged predictions."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
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
from geobench.evaluation.run_record import now, started_record
from geobench.evaluation.runs import CostRecord, Run, RunRecord, RunStatus, load_run
from geobench.files import write_table
from geobench.progress import progress_bar
from geobench.seeding import seed_everything, seed_for

GROUP = 16  # pairs matched together at most: some 130 rows, with which a product is limited by arithmetic
Answer = tuple[Float32[np.ndarray, "n 2"], str | None]


class Session:
    """Runs a job in its folder; whatever earlier sessions finished is kept.

    Attributes:
        asked: positions among the job's pairs that have a question.
        todo: those that no earlier session answered.
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
        self.groups = self._groups()

    @property
    def work(self) -> Int[np.ndarray, " p"]:
        """Positions of the pairs that will be matched: what is left, and what is matched together with it."""
        return np.concatenate([np.zeros(0, np.int64), *self.groups])

    def _groups(self) -> list[Int[np.ndarray, " p"]]:
        """Return the pairs left to match, in groups that share the image answered in, where the method can use that.

        Groups depend on the job alone, not on what earlier sessions finished: a product of many rows may round
        differently from one of few, so a group of which some pair is left is matched whole again.
        """
        if not self.job.method.matches_many:
            return list(self.todo[:, None])
        rows = self.queries.answer_row[self.asked]
        _, first, which = np.unique(rows, return_index=True, return_inverse=True)
        ordered = self.asked[np.lexsort((self.asked, first[which]))]
        cuts = np.flatnonzero(np.diff(self.queries.answer_row[ordered])) + 1
        shared = np.split(ordered, cuts)
        groups = [some[i : i + GROUP] for some in shared for i in range(0, len(some), GROUP)]
        left = set(self.todo.tolist())
        return [group for group in groups if not left.isdisjoint(group.tolist())]

    def instances(self, positions: Int[np.ndarray, " p"]) -> Int[np.ndarray, "2 p"]:
        """Return the rows of the instances that pairs ask about and are answered in."""
        return np.stack([self.queries.query_row[positions], self.queries.answer_row[positions]])

    def run(self, descriptions: Descriptions) -> Run:
        """Answer what is left and return the finished run."""
        for _ in self.steps(descriptions):
            pass
        return load_run(self.folder)

    def steps(self, descriptions: Descriptions) -> Generator[None, None, None]:
        """Answer what is left, one pair per step; what is done is on disk when the steps end or are given up."""
        run = Run(self.folder, self._begin())
        run.save_record()
        try:
            yield from self._match_all(run.record.cost, descriptions)
        finally:
            self.parts.flush()
            run.save_record()
        self._finish(run.record)

    def _begin(self) -> RunRecord:
        if (self.folder / "run.json").is_file():
            return load_run(self.folder).record.model_copy(update={"status": "started", "finished_at": None})
        return started_record(self.job, n_pairs=len(self.rows), n_effective=len(self.asked))

    def _match_all(self, cost: CostRecord, descriptions: Descriptions) -> Iterator[None]:
        label = f"{self.job.method.name} on {self.job.split}"
        try:
            with progress_bar(len(self.todo), label, "pair") as advance:
                left = set(self.todo.tolist())
                for group in self.groups:
                    with _counted(cost, descriptions):
                        cost.match_s += self._match_group(group.tolist(), left, descriptions)
                    advance(sum(position in left for position in group.tolist()))
                    yield
        finally:
            cost.wall_s, cost.match_s, cost.describe_s = (
                round(seconds, 3) for seconds in (cost.wall_s, cost.match_s, cost.describe_s)
            )
            cost.peak_memory_mib = round(max(cost.peak_memory_mib, environment.peak_memory_mib()), 1)

    def _match_group(self, group: list[int], left: set[int], descriptions: Descriptions) -> float:
        """Answer the pairs of a group, keep the answers of those ``left``, and return the seconds matching took."""
        try:
            answers, seconds = self._answer_together(group, descriptions) if len(group) > 1 else ({}, 0.0)
            for position in group:
                if position not in left:
                    continue
                if position not in answers:
                    answers[position], took = self._answer_alone(position, descriptions)
                    seconds += took
                points, reason = answers[position]
                self.parts.add(int(self.rows[position]), self.queries.keypoint[self._at(position)], points, reason)
        finally:
            descriptions.release(self.instances(np.array(group)).ravel().tolist())
        return seconds

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

    def _finish(self, record: RunRecord) -> None:
        predictions, failures = self.parts.merge()
        n_failed = failures.num_rows
        update = {
            "status": _status(n_failed, len(self.asked)),
            "finished_at": now(),
            "n_pairs_failed": n_failed,
            "first_failure": failures["reason"][0].as_py() if n_failed else None,
        }
        if n_failed:
            write_table(self.folder / "failures.parquet", failures)
        write_table(self.folder / "predictions.parquet", predictions.to_table())
        Run(self.folder, record.model_copy(update=update)).save_record()
        self.parts.remove()


@contextmanager
def _counted(cost: CostRecord, descriptions: Descriptions) -> Iterator[None]:
    """Add to a cost what happens meanwhile: time, and descriptions made."""
    started, count, seconds = time.perf_counter(), descriptions.n_described, descriptions.seconds
    try:
        yield
    finally:
        cost.wall_s += time.perf_counter() - started
        cost.n_described += descriptions.n_described - count
        cost.describe_s += descriptions.seconds - seconds


def _status(n_failed: int, n_asked: int) -> RunStatus:
    if not n_failed:
        return "success"
    return "failed" if n_failed == n_asked else "success_with_failures"

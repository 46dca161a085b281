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
                for position in self.todo.tolist():
                    with _counted(cost, descriptions):
                        cost.match_s += self._match_one(position, descriptions)
                    advance(1)
                    yield
        finally:
            cost.wall_s, cost.match_s, cost.describe_s = (
                round(seconds, 3) for seconds in (cost.wall_s, cost.match_s, cost.describe_s)
            )
            cost.peak_memory_mib = round(max(cost.peak_memory_mib, environment.peak_memory_mib()), 1)

    def _match_one(self, position: int, descriptions: Descriptions) -> float:
        """Answer one pair, keep the answer or why there is none, and return the seconds that matching took."""
        source, target = int(self.queries.query_row[position]), int(self.queries.answer_row[position])
        at = slice(self.bounds[position], self.bounds[position + 1])
        points, reason, seconds = np.full((at.stop - at.start, 2), np.nan, np.float32), None, 0.0
        try:
            descriptions.of(source), descriptions.of(target)
            started = time.perf_counter()
            points = self._answer(source, target, at, descriptions)
            seconds = time.perf_counter() - started
        except (InputError, MemoryError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        finally:
            descriptions.release([source, target])
        self.parts.add(int(self.rows[position]), self.queries.keypoint[at], points, reason)
        return seconds

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

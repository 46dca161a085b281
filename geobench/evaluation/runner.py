"""Runs a method on a split: plan, describe each image once, match each pair once, resume, merge.

Scoring is a separate step (:mod:`geobench.evaluation.scores`): the runner only writes predictions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from jaxtyping import Float32

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import GeobenchError, InputError
from geobench.evaluation import environment
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.parts import PartStore
from geobench.evaluation.predictions import Queries, queries
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import BenchmarkRecord, CostRecord, MethodRecord, Run, RunRecord, load_run
from geobench.evaluation.seeding import seed_everything, seed_for
from geobench.files import write_table
from geobench.fingerprint import digest
from geobench.methods.base import LoadedMethod
from geobench.progress import progress_bar
from geobench.version import __version__


@dataclass(frozen=True)
class Job:
    """What to run: a method, the questions of one split, and where the answers go."""

    method: LoadedMethod
    benchmark: Benchmark
    split: str
    protocol: Protocol
    limit: int | None = None
    seed: int = 0
    device: str = "cpu"

    def pair_rows(self) -> np.ndarray:
        """Return the numbers of the pairs to ask."""
        return select_pairs(len(self.benchmark.split(self.split)), self.limit)

    def id(self) -> str:
        """Return twelve digits that name everything the predictions and scores depend on."""
        method = self.method
        what = {
            "geobench": __version__,
            "benchmark": self.benchmark.fingerprint,
            "split": self.split,
            "pairs": len(self.pair_rows()),
            "protocol": self.protocol.fingerprint,
            "method": [method.name, method.origin, method.recipe, method.source_sha256, method.weights],
            "seed": self.seed,
            "device": self.device,
        }
        return digest(what)[:12]

    def folder(self, root: Path) -> Path:
        """Return the folder of this run below ``root``."""
        return root / self.benchmark.name / self.split / self.method.name / self.id()


def predict_job(job: Job, root: Path, *, fresh: bool = False) -> Run:
    """Run ``job``, or complete it when an earlier session was interrupted, and return the run.

    Args:
        job: what to run.
        root: the folder ``runs/``.
        fresh: start over even when the run exists.

    Raises:
        GeobenchError: another process is writing to the same run.
        InputError: an image of the split is missing or unreadable; finished pairs are kept.
    """
    folder = job.folder(root)
    with _locked(folder):
        if fresh:
            _clear(folder)
        elif (folder / "predictions.parquet").is_file():
            return load_run(folder)
        return _Session(job, folder).run()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise GeobenchError(f"{folder}: another process is writing this run; wait for it or stop it") from error
    try:
        yield
    finally:
        lock.release()


def _clear(folder: Path) -> None:
    PartStore(folder).remove()
    for path in folder.glob("*.*"):
        path.unlink()


class _Session:
    """One attempt at a job, from the pairs that are left to the merged predictions."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.rows = job.pair_rows()
        self.pairs: Pairs = job.benchmark.split(job.split).take(self.rows)
        self.queries: Queries = queries(job.benchmark, self.pairs, job.protocol)
        self.bounds = np.searchsorted(self.queries.pair, np.arange(len(self.pairs) + 1))
        self.parts = PartStore(folder)
        self.cost = CostRecord()
        self.run_record = self._start_record()

    def run(self) -> Run:
        started = time.monotonic()
        Run(self.folder, self.run_record).save_record()
        asked = np.flatnonzero(np.diff(self.bounds))
        todo = asked[~np.isin(self.rows[asked], self.parts.done())]
        used = _rows_used(self.queries, todo)
        _check_images(self.job.benchmark, used)
        try:
            _prepare(self.job, used)
            self._match_all(todo)
        finally:
            self.parts.flush()
            self._add_cost(started)
        return self._finish(len(asked))

    def _match_all(self, todo: np.ndarray) -> None:
        descriptions = _Descriptions(self.job, self.queries, todo, self.cost)
        label = f"{self.job.method.name} on {self.job.split}"
        with progress_bar(len(todo), label, "pair") as advance:
            for position in todo:
                self._match_one(int(position), descriptions)
                advance(1)

    def _match_one(self, position: int, descriptions: _Descriptions) -> None:
        rows = slice(self.bounds[position], self.bounds[position + 1])
        points, reason = np.full((rows.stop - rows.start, 2), np.nan, np.float32), None
        try:
            source, target = descriptions.of_pair(position)
            points = self._answer(position, source, target, rows)
        except (InputError, MemoryError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        finally:
            descriptions.release(position)
        self.parts.add(int(self.rows[position]), self.queries.keypoint[rows], points, reason)

    def _answer(self, position: int, source: Any, target: Any, rows: slice) -> Float32[np.ndarray, "n 2"]:
        asked, ids = self.queries, self.job.benchmark.instances.id
        names = ids[[asked.query_row[position], asked.answer_row[position]]]
        seed_everything(seed_for(self.job.seed, *map(str, names)))
        started = time.perf_counter()
        points = self.job.method.predict(source, target, asked.points[rows], asked.truth[rows])
        self.cost.match_s += time.perf_counter() - started
        return points

    def _start_record(self) -> RunRecord:
        job, previous = self.job, self.folder / "run.json"
        if previous.is_file():
            earlier = load_run(self.folder).record
            self.cost = earlier.cost
            return earlier.model_copy(update={"status": "started", "finished_at": None})
        return RunRecord(
            status="started",
            id=job.id(),
            method=_method_record(job.method),
            benchmark=BenchmarkRecord(
                name=job.benchmark.name,
                split=job.split,
                fingerprint=job.benchmark.fingerprint,
                folder=str(job.benchmark.folder or ""),
                limit=job.limit,
            ),
            protocol=job.protocol.model_dump(mode="json"),
            protocol_fingerprint=job.protocol.fingerprint,
            seed=job.seed,
            device=job.device,
            argv=sys.argv,
            versions=environment.package_versions(),
            git=environment.git_state(),
            machine=environment.machine(),
            started_at=_now(),
            n_pairs_original=len(job.benchmark.split(job.split)),
            n_pairs=len(self.pairs),
            n_pairs_effective=int((np.diff(self.bounds) > 0).sum()),
        )

    def _add_cost(self, started: float) -> None:
        self.cost.wall_s = round(self.cost.wall_s + time.monotonic() - started, 3)
        self.cost.peak_memory_mib = round(max(self.cost.peak_memory_mib, environment.peak_memory_mib()), 1)
        self.run_record = self.run_record.model_copy(update={"cost": self.cost})
        Run(self.folder, self.run_record).save_record()

    def _finish(self, n_asked: int) -> Run:
        predictions, failures = self.parts.merge()
        n_failed = failures.num_rows
        status = "success" if n_failed == 0 else "failed" if n_failed == n_asked else "success_with_failures"
        update = {
            "status": status,
            "finished_at": _now(),
            "n_pairs_failed": n_failed,
            "first_failure": failures["reason"][0].as_py() if n_failed else None,
        }
        if n_failed:
            write_table(self.folder / "failures.parquet", failures)
        write_table(self.folder / "predictions.parquet", predictions.to_table())
        run = Run(self.folder, self.run_record.model_copy(update=update))
        run.save_record()
        self.parts.remove()
        return run


class _Descriptions:
    """Describes each image when first needed and forgets it after its last pair."""

    def __init__(self, job: Job, asked: Queries, todo: np.ndarray, cost: CostRecord) -> None:
        self.job, self.asked, self.cost = job, asked, cost
        rows = np.stack([asked.query_row[todo], asked.answer_row[todo]], axis=1)
        self.uses_left = np.bincount(rows.ravel(), minlength=len(job.benchmark.instances))
        self.known: dict[int, Any] = {}

    def of_pair(self, position: int) -> tuple[Any, Any]:
        return self._of(int(self.asked.query_row[position])), self._of(int(self.asked.answer_row[position]))

    def release(self, position: int) -> None:
        for row in (int(self.asked.query_row[position]), int(self.asked.answer_row[position])):
            self.uses_left[row] -= 1
            if self.uses_left[row] == 0:
                self.known.pop(row, None)

    def _of(self, row: int) -> Any:
        if row not in self.known:
            picture = self.job.benchmark.picture(row)
            started = time.perf_counter()
            seed_everything(seed_for(self.job.seed, picture.key))
            self.known[row] = self.job.method.method.describe(picture)
            self.cost.describe_s += time.perf_counter() - started
            self.cost.n_described += 1
        return self.known[row]


def _rows_used(asked: Queries, positions: np.ndarray) -> np.ndarray:
    """Return the rows of the instances that the pairs at ``positions`` need."""
    return np.unique(np.concatenate([asked.query_row[positions], asked.answer_row[positions]]))


def _check_images(benchmark: Benchmark, rows: np.ndarray) -> None:
    """Refuse to start when an image of the split is absent: hours later would be too late."""
    paths = [benchmark.image_root / str(name) for name in benchmark.instances.image[rows]]
    absent = [path for path in paths if not path.is_file()]
    if absent:
        raise InputError(
            f"{absent[0]}: no such image ({len(absent)} of {len(paths)} images of the split are absent); "
            "fetch the images, or point --images at the folder that has them"
        )


def _prepare(job: Job, rows: np.ndarray) -> None:
    """Show a collection-level method every image of each category, once."""
    categories = job.benchmark.instances.category[rows]
    for category in np.unique(categories):
        job.method.prepare([job.benchmark.picture(int(row)) for row in rows[categories == category]])


def _method_record(loaded: LoadedMethod) -> MethodRecord:
    return MethodRecord(
        name=loaded.name,
        title=loaded.title,
        setting=loaded.setting,
        origin=loaded.origin,
        recipe=loaded.recipe,
        source_sha256=loaded.source_sha256,
        weights=loaded.weights,
        knows_truth=loaded.knows_truth,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

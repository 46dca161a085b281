"""Runs a method: plan, describe each image once if memory allows, match each pair once, resume, merge.

Scoring is a separate step (:mod:`geobench.evaluation.scoring`): the runner only writes predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock
import numpy as np
from jaxtyping import Int

from geobench.benchmark import Benchmark
from geobench.errors import GeobenchError, InputError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.flow_run import check_flow_protocol, has_flow, measure_flow
from geobench.evaluation.job import Job
from geobench.evaluation.parts import PartStore
from geobench.evaluation.runs import Run, load_run
from geobench.evaluation.session import Session
from geobench.evaluation.tasks import Meter, Tasks
from geobench.evaluation.walk import Walk
from geobench.progress import progress_bar


def predict_jobs(jobs: Sequence[Job], root: Path, *, fresh: bool = False, memory: int | None = None) -> list[Run]:
    """Run jobs of one method on one benchmark, completing what earlier sessions left, and return their runs.

    Images that several splits show are described once, where memory allows. So are those that several methods are
    shown, if they share their description: the first job's method describes for all.

    Args:
        jobs: same benchmark, seed, and method or way of describing; they differ in split, protocol, limit, or in how
            the methods match.
        root: the folder ``runs/``.
        fresh: start over even where a run exists.
        memory: how many bytes all descriptions together may take; None for half of the free memory.

    Raises:
        GeobenchError: another process is writing one of the runs.
        InputError: an image is missing or unreadable; finished pairs are kept.
        UsageError: the memory allowed does not hold what is matched together, or flow is asked for under a protocol
            that cannot count it.
    """
    of_flow = [job for job in jobs if has_flow(job.benchmark)]
    for job in of_flow:
        check_flow_protocol(job.protocol)
    with ExitStack() as stack:
        for job in jobs:
            stack.enter_context(_locked(job.folder(root)))
            if fresh:
                _clear(job.folder(root))
        open_jobs = [job for job in jobs if not (job.folder(root) / "predictions.parquet").is_file()]
        sessions = [Session(job, job.folder(root)) for job in open_jobs]
        if sessions:
            _make_sure(sessions)
            run_sessions(sessions, memory)
        for job in of_flow:
            measure_flow(job, job.folder(root))
    return [load_run(job.folder(root)) for job in jobs]


def run_sessions(sessions: Sequence[Session], memory: int | None = None) -> None:
    """Answer what is left of all sessions, in one order for all, so that few images are described more than once.

    Args:
        sessions: at least one; see :func:`predict_jobs`.
        memory: how many bytes all descriptions together may take.
    """
    job, tasks = sessions[0].job, Tasks.of(sessions)
    descriptions = Descriptions(job.method, job.benchmark, job.seed)
    walk = Walk(descriptions, tasks.rows, memory, tasks.first_round)
    total = sum(len(session.todo) for session in sessions)
    with ExitStack() as stack:
        for session in sessions:
            stack.enter_context(session.kept())
        advance = stack.enter_context(progress_bar(total, _label(sessions), "pair"))
        left, meter = list(tasks.counts), Meter(walk)
        for session, count in zip(sessions, left, strict=True):
            if not count:
                session.finish()
        for number in walk:
            which = int(tasks.session[number])
            advance(sessions[which].match(int(tasks.group[number]), descriptions))
            meter.charge(sessions[which].record.cost, number)
            left[which] -= 1
            if not left[which]:
                sessions[which].finish()


def _label(sessions: Sequence[Session]) -> str:
    job = sessions[0].job
    return (
        f"{job.method.name} on {job.split}" if len(sessions) == 1 else f"{len(sessions)} runs on {job.benchmark.name}"
    )


def _make_sure(sessions: Sequence[Session]) -> None:
    """Check that the images are there, and show the method what it wants to see first."""
    job, nothing = sessions[0].job, np.zeros(0, np.int64)
    todo = np.unique(np.concatenate([nothing, *(session.needed(session.groups.rows) for session in sessions)]))
    _check_images(job.benchmark, todo)
    if len(todo):
        # Every image of the splits, also those of finished pairs: a resumed run must see what the first one saw.
        _prepare(job, np.unique(np.concatenate([session.needed(session.asked) for session in sessions])))


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
    for path in folder.glob("[!.]*.*"):
        path.unlink()


def _check_images(benchmark: Benchmark, rows: Int[np.ndarray, " n"]) -> None:
    """Refuse to start when an image of the split is absent: hours later would be too late."""
    paths = [benchmark.image_root / str(name) for name in benchmark.instances.image[rows]]
    absent = [path for path in paths if not path.is_file()]
    if absent:
        raise InputError(
            f"{absent[0]}: no such image ({len(absent)} of {len(paths)} images of the split are absent); "
            "fetch the images, or point --images at the folder that has them"
        )


def _prepare(job: Job, rows: Int[np.ndarray, " n"]) -> None:
    """Show a collection-level method every image of each category, once."""
    categories = job.benchmark.instances.category[rows]
    for category in np.unique(categories):
        job.method.prepare([job.benchmark.picture(int(row)) for row in rows[categories == category]])

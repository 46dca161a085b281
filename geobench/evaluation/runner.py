"""Runs a method: plan, describe each image once, match each pair once, resume, merge.

Scoring is a separate step (:mod:`geobench.evaluation.scoring`): the runner only writes predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import filelock
import numpy as np
from jaxtyping import Int

from geobench.benchmark import Benchmark
from geobench.errors import GeobenchError, InputError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.job import Job
from geobench.evaluation.parts import PartStore
from geobench.evaluation.runs import Run, load_run
from geobench.evaluation.session import Session

_DONE = object()


def predict_jobs(jobs: Sequence[Job], root: Path, *, fresh: bool = False) -> list[Run]:
    """Run jobs of one method on one benchmark, completing what earlier sessions left, and return their runs.

    Images that several splits show are described once. So are those that several methods are shown, if they share
    their description: the first job's method describes for all.

    Args:
        jobs: same benchmark, seed, and method or way of describing; they differ in split, protocol, limit, or in how
            the methods match.
        root: the folder ``runs/``.
        fresh: start over even where a run exists.

    Raises:
        GeobenchError: another process is writing one of the runs.
        InputError: an image is missing or unreadable; finished pairs are kept.
    """
    with ExitStack() as stack:
        for job in jobs:
            stack.enter_context(_locked(job.folder(root)))
            if fresh:
                _clear(job.folder(root))
        open_jobs = [job for job in jobs if not (job.folder(root) / "predictions.parquet").is_file()]
        sessions = [Session(job, job.folder(root)) for job in open_jobs]
        if sessions:
            descriptions = _plan(sessions)
            for split in dict.fromkeys(session.job.split for session in sessions):
                _run_together([session for session in sessions if session.job.split == split], descriptions)
    return [load_run(job.folder(root)) for job in jobs]


def _run_together(sessions: Sequence[Session], descriptions: Descriptions) -> None:
    """Run sessions pair by pair in turn, so that a description is forgotten once all of them are done with it."""
    running = [session.steps(descriptions) for session in sessions]
    with ExitStack() as stack:
        for steps in running:
            stack.enter_context(closing(steps))
        while running:
            running = [steps for steps in running if next(steps, _DONE) is not _DONE]


def _plan(sessions: Sequence[Session]) -> Descriptions:
    """Return the descriptions that ``sessions`` will share, after the method has seen what it wants to see first."""
    job = sessions[0].job
    asked = np.concatenate([session.instances(session.asked).ravel() for session in sessions])
    todo = np.concatenate([session.instances(session.work).ravel() for session in sessions])
    _check_images(job.benchmark, np.unique(todo))
    if len(todo):
        # Every image of the splits, also those of finished pairs: a resumed run must see what the first one saw.
        _prepare(job, np.unique(asked))
    uses = np.bincount(todo, minlength=len(job.benchmark.instances))
    return Descriptions(job.method, job.benchmark, job.seed, uses)


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

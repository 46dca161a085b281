"""Writes down what is run, before it runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from geobench.evaluation import environment
from geobench.evaluation.job import Job
from geobench.evaluation.runs import BenchmarkRecord, MethodRecord, RunRecord


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def started_record(job: Job, *, n_pairs: int, n_effective: int) -> RunRecord:
    """Return the record of a run that begins.

    Args:
        job: what is run.
        n_pairs: pairs asked.
        n_effective: those of them with a keypoint to predict.
    """
    return RunRecord(
        status="started",
        id=job.id(),
        method=_method_record(job),
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
        started_at=now(),
        n_pairs_original=len(job.benchmark.split(job.split)),
        n_pairs=n_pairs,
        n_pairs_effective=n_effective,
    )


def _method_record(job: Job) -> MethodRecord:
    loaded = job.method
    return MethodRecord(
        name=loaded.name,
        title=loaded.title,
        setting=loaded.setting,
        origin=loaded.origin,
        recipe=loaded.recipe,
        source_sha256=loaded.source_sha256,
        weights=loaded.weights,
        knows_truth=loaded.knows_truth,
        uses_mirror_index=loaded.uses_mirror_index,
        random_weights=loaded.random_weights,
    )

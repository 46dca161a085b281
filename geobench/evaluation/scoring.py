"""The step from predictions to scores: needs the benchmark and the protocol, never the method or the images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.flow_run import has_flow
from geobench.evaluation.flow_scores import flow_scores
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.questions import difference
from geobench.evaluation.runs import Run, load_run
from geobench.evaluation.score_file import ATTRIBUTE, write_scores
from geobench.evaluation.scores import score
from geobench.storage import load_benchmark_folder

INTERVALS = Bootstrap()
"""How intervals are made unless told otherwise: 95%, BCa, 10,000 resamples, seed 0."""


def score_run(
    run: Run | Path | str,
    benchmark: Benchmark | None = None,
    protocol: Protocol | None = None,
    bootstrap: Bootstrap | None = INTERVALS,
) -> pd.DataFrame:
    """Return the scores of a run in long form; under the run's own protocol they are kept beside it.

    ``attrs["intervals"]`` of the result says how its intervals were made, and so does the file.

    Args:
        run: a run, or its folder.
        benchmark: what it ran on; by default it is loaded from where it was.
        protocol: another way of counting; it must ask the same questions.
        bootstrap: how to make intervals; None for none.

    Raises:
        InputError: the benchmark is gone or is another one, or the protocol asks other questions.
    """
    run = run if isinstance(run, Run) else load_run(run)
    benchmark = benchmark_of(run, benchmark)
    own = Protocol.model_validate(run.record.protocol)
    count = flow_scores if has_flow(benchmark) else _keypoint_scores
    scores = count(run, benchmark, protocol or own, bootstrap)
    scores.attrs[ATTRIBUTE] = bootstrap.record() if bootstrap else None
    if protocol is None or protocol.fingerprint == own.fingerprint:
        write_scores(run.folder / "scores.parquet", scores)
    return scores


def _keypoint_scores(run: Run, benchmark: Benchmark, protocol: Protocol, bootstrap: Bootstrap | None) -> pd.DataFrame:
    pairs, predictions, _ = asked_and_answered(run, benchmark)
    _check_same_questions(run, benchmark, pairs, Protocol.model_validate(run.record.protocol), protocol)
    return score(benchmark, pairs, predictions, protocol, run.record.benchmark.split, bootstrap)


def benchmark_of(run: Run, benchmark: Benchmark | None = None) -> Benchmark:
    """Return the benchmark that a run was made on.

    Args:
        run: the run.
        benchmark: what is to be it; by default it is loaded from where it was.

    Raises:
        InputError: the benchmark is gone or is another one.
    """
    found = benchmark or _load(run)
    _check_same_benchmark(run, found)
    return found


def _load(run: Run) -> Benchmark:
    folder = Path(run.record.benchmark.folder)
    if not run.record.benchmark.folder or not folder.is_dir():
        raise InputError(f"{run.folder}: its benchmark is no longer at {folder}; name it with --benchmark")
    return load_benchmark_folder(folder)


def _check_same_benchmark(run: Run, benchmark: Benchmark) -> None:
    if benchmark.fingerprint != run.record.benchmark.fingerprint:
        raise InputError(
            f"{run.folder}: made on benchmark {run.record.benchmark.fingerprint[:12]}, not on "
            f"{benchmark.fingerprint[:12]} ({benchmark.folder}); name the benchmark it was made on"
        )


def _check_same_questions(run: Run, benchmark: Benchmark, pairs: Pairs, own: Protocol, other: Protocol) -> None:
    found = difference(benchmark, pairs, own, other)
    if found is not None:
        raise InputError(
            f"{run.folder}: protocol {other.name!r} {found.reason} than {own.name!r} "
            f"({found.n:,} of {found.of:,} questions); run geobench eval --protocol {other.name}"
        )

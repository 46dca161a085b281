"""The step from predictions to scores: needs the benchmark and the protocol, never the method or the images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from geobench.benchmark import Benchmark
from geobench.errors import InputError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run, load_run
from geobench.evaluation.scores import score
from geobench.files import write_table
from geobench.storage import load_benchmark_folder


def score_run(
    run: Run | Path | str, benchmark: Benchmark | None = None, protocol: Protocol | None = None
) -> pd.DataFrame:
    """Return the scores of a run in long form; under the run's own protocol they are kept beside it.

    Args:
        run: a run, or its folder.
        benchmark: what it ran on; by default it is loaded from where it was.
        protocol: another way of counting; it must ask the same questions.

    Raises:
        InputError: the benchmark is gone or is another one, or the protocol asks other questions.
    """
    run = run if isinstance(run, Run) else load_run(run)
    benchmark = benchmark or _benchmark_of(run)
    _check_same_benchmark(run, benchmark)
    own = Protocol.model_validate(run.record.protocol)
    _check_same_questions(run, own, protocol or own)
    pairs, predictions, _ = asked_and_answered(run, benchmark)
    scores = score(benchmark, pairs, predictions, protocol or own, run.record.benchmark.split)
    if protocol is None or protocol.fingerprint == own.fingerprint:
        write_table(run.folder / "scores.parquet", pa.Table.from_pandas(scores, preserve_index=False))
    return scores


def _benchmark_of(run: Run) -> Benchmark:
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


def _check_same_questions(run: Run, own: Protocol, other: Protocol) -> None:
    if own.queries_fingerprint != other.queries_fingerprint:
        raise InputError(
            f"{run.folder}: protocol {other.name!r} asks other questions than {own.name!r} (direction or query "
            f"points differ); run geobench eval --protocol {other.name}"
        )

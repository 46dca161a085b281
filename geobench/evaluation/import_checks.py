"""Whether a file of predictions was made for the benchmark and split that it is imported for."""

from __future__ import annotations

import re
from pathlib import Path

from geobench.benchmark import Benchmark
from geobench.errors import InputError
from geobench.evaluation.runs import load_run

_FEWEST = 8  # digits of a fingerprint that say anything


def check_fingerprint(given: str | None, benchmark: Benchmark, what: str) -> None:
    """Refuse a fingerprint of another benchmark.

    Args:
        given: the fingerprint, or its first digits; None passes.
        benchmark: what it should be of.
        what: where it was given, for messages.

    Raises:
        InputError: it is no fingerprint, or another one.
    """
    if given is None:
        return
    if not re.fullmatch(rf"[0-9a-f]{{{_FEWEST},64}}", given):
        raise InputError(f"{what} is {given[:80]!r}, expected {_FEWEST} to 64 digits of 0-9 and a-f")
    if not benchmark.fingerprint.startswith(given):
        raise InputError(
            f"{what} is {given[:12]}, but that of {benchmark.name} is {benchmark.fingerprint[:12]}: the predictions "
            "were made for another benchmark; predict for this one, or name the other with --benchmark"
        )


def check_run_beside(path: Path, benchmark: Benchmark, split: str) -> None:
    """Refuse a run's ``predictions.parquet`` whose run.json says another benchmark or split.

    Raises:
        InputError: it does, or it is of a part of the split only, or run.json is malformed.
    """
    if path.name != "predictions.parquet" or not (path.parent / "run.json").is_file():
        return
    made = load_run(path.parent).record.benchmark
    check_fingerprint(made.fingerprint, benchmark, f"{path}: the fingerprint in the run.json beside it")
    if made.split != split:
        raise InputError(f"{path}: the run.json beside it says split {made.split}, not {split}; name that with --split")

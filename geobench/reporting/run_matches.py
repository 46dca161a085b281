"""The matches of one run as a picture file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark
from geobench.errors import UsageError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.files import whole_file
from geobench.reporting.match_sheet import match_sheet


def save_run_matches(
    run: Run, benchmark: Benchmark, path: Path, *, count: int = 6, chosen: Sequence[int] = (), alpha: float = 0.10
) -> Path:
    """Draw pairs of a run side by side, green right and red wrong, write the PNG, and return its path.

    Args:
        run: a finished run.
        benchmark: what it ran on.
        path: file to write.
        count: how many pairs, spread evenly over the run.
        chosen: pair numbers of the split to draw instead.
        alpha: the PCK threshold that decides right or wrong.

    Raises:
        UsageError: a chosen pair is not in the run, or the protocol does not count at ``alpha``.
    """
    pairs, predictions, numbers = asked_and_answered(run, benchmark)
    unknown = [number for number in chosen if number not in numbers]
    if unknown:
        raise UsageError(f"--pair {unknown[0]} is not in {run.folder}; it has {len(numbers)} pairs up to {numbers[-1]}")
    rows = np.searchsorted(numbers, chosen) if chosen else None
    protocol = Protocol.model_validate(run.record.protocol)
    sheet = match_sheet(benchmark, pairs, predictions, protocol, alpha=alpha, rows=rows, count=count)
    with whole_file(path) as temporary:
        sheet.save(temporary, format="PNG")
    return path

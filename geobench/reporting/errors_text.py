"""Tables of errors as text."""

from __future__ import annotations

from collections.abc import Sequence

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.on_instance import Extent
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.reporting.errors_table import (
    confusion_of_run,
    confusion_table,
    errors_of_runs,
    gap_table,
    kinds_table,
    swaps_table,
)
from geobench.reporting.plain_table import PlainTable, frame_csv, render_plain
from geobench.reporting.scores_text import interval_sentence


def errors_text(
    runs: Sequence[Run],
    style: str,
    *,
    benchmark: Benchmark | None = None,
    protocol: Protocol | None = None,
    alpha: float = 0.10,
    by: Sequence[str] = (),
    extent: Extent = "mask",
    bootstrap: Bootstrap | None = None,
) -> str:
    """Return the errors of runs as text: three tables, or as CSV one with every column, shares from 0 to 1.

    Unfinished and failed runs are left out and named in a note.

    Args:
        runs: whose errors.
        style: ``table``, ``csv``, ``markdown`` or ``latex``.
        benchmark: what they ran on; by default each is loaded from where it was.
        protocol: another way of counting; by default that of the runs.
        alpha: the PCK threshold.
        by: divisions.
        extent: what counts as on the instance.
        bootstrap: how to make intervals; none by default.

    Raises:
        InputError: no run is finished; see :func:`geobench.reporting.errors_table.errors_of_runs`.
    """
    finished = _finished(runs)
    errors = errors_of_runs(
        finished, benchmark=benchmark, protocol=protocol, alpha=alpha, by=by, extent=extent, bootstrap=bootstrap
    )
    if style == "csv":
        return frame_csv(errors)
    counted = protocol or Protocol.model_validate(finished[0].record.protocol)
    asked = finished[0].record.benchmark
    several = errors.benchmark.nunique() + errors.split.nunique() > 2
    place = "" if several else f" on {asked.name} {asked.split}"
    title = (
        f"Errors{place} at alpha {alpha:g}, percent of keypoints, protocol {counted.name} ({counted.fingerprint[:12]})"
    )
    tables = [kinds_table(errors, title), swaps_table(errors), gap_table(errors)]
    notes = [f"left out, unfinished or failed: {run.folder}" for run in runs if run not in finished]
    limited = [f"limited to a part of the split: {run.folder}" for run in finished if run.record.benchmark.limit]
    made = [f"in brackets: {interval_sentence(bootstrap.record())}"] if bootstrap else []
    last = tables[-1]
    tables[-1] = PlainTable(last.header, last.rows, last.title, [*last.notes, *made, *notes, *limited], last.left)
    return "\n".join(render_plain(table, style) for table in tables)


def confusion_text(
    runs: Sequence[Run],
    style: str,
    *,
    benchmark: Benchmark | None = None,
    protocol: Protocol | None = None,
    category: str | None = None,
) -> str:
    """Return the confusion matrix of one run as text; as CSV in long form.

    Raises:
        UsageError: there is not exactly one run, or the split has no such category.
    """
    finished = _finished(runs)
    if len(finished) != 1:
        raise UsageError(f"--confusion shows one run, found {len(finished)}; name the folder of one")
    record = finished[0].record
    matrix = confusion_of_run(finished[0], benchmark=benchmark, protocol=protocol, category=category)
    if style == "csv":
        return frame_csv(matrix)
    of = f", {category}" if category else ""
    title = f"{record.method.title} on {record.benchmark.name} {record.benchmark.split}{of}: percent of each row"
    return render_plain(confusion_table(matrix, title), style)


def _finished(runs: Sequence[Run]) -> list[Run]:
    finished = [run for run in runs if run.record.status not in ("started", "failed")]
    if not finished:
        raise InputError(f"no finished run among {len(runs)}; repeat the eval command to complete one")
    return finished

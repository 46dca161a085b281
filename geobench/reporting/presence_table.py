"""Keypoint average precision as text."""

from __future__ import annotations

import pandas as pd

from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.job import Job
from geobench.reporting.plain_table import PlainTable, frame_csv, render_plain, with_ends
from geobench.reporting.scores_text import interval_sentence


def presence_text(
    job: Job, scores: pd.DataFrame, style: str, *, legacy: bool = False, bootstrap: Bootstrap | None = None
) -> str:
    """Return the figures of :func:`geobench.evaluation.presence_run.presence_scores` as text.

    As CSV they are shares from 0 to 1, and the column ``intervals`` says how their intervals were made.

    Args:
        job: what was run.
        scores: its figures.
        style: ``table``, ``csv``, ``markdown`` or ``latex``.
        legacy: they were sampled as the authors' code does.
        bootstrap: how their intervals were made; none by default.
    """
    made = interval_sentence(bootstrap.record()) if bootstrap else ""
    if style == "csv":
        return frame_csv(scores.assign(intervals=made) if bootstrap else scores)
    counted = scores[(scores.n > 0) | (scores.scope == "all")]
    header = ["scope", "average", *(f"KAP@{alpha:g}" for alpha in sorted(scores.alpha.unique())), "n"]
    rows = [
        [str(scope), str(metric).replace("_", " "), *_cells(some), f"{some.n.iloc[0]:,}"]
        for (scope, metric), some in counted.groupby(["scope", "metric"], sort=False)
    ]
    notes = [f"in brackets: {made}"] if bootstrap else []
    return render_plain(PlainTable(header, rows, _title(job, legacy), notes, left=2), style)


def _title(job: Job, legacy: bool) -> str:
    way = f"protocol {job.protocol.name}" + (", sampled as the authors' code does" if legacy else "")
    random = "; random weights, says nothing about the method" if job.method.random_weights else ""
    return (
        f"{job.method.title} on {job.benchmark.name} {job.split}: keypoint average precision in percent ({way}{random})"
    )


def _cells(some: pd.DataFrame) -> list[str]:
    """Return a scope's figures, by alpha."""
    ordered = some.sort_values("alpha")
    return [with_ends(*figure) for figure in zip(ordered.value, ordered.low, ordered.high, strict=True)]

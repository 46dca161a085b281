"""Keypoint average precision as text."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from geobench.evaluation.job import Job
from geobench.reporting.plain_table import PlainTable, frame_csv, percent, render_plain


def presence_text(job: Job, scores: pd.DataFrame, style: str, *, legacy: bool = False) -> str:
    """Return the figures of :func:`geobench.evaluation.presence_run.presence_scores` as text.

    Args:
        job: what was run.
        scores: its figures.
        style: ``table``, ``csv``, ``markdown`` or ``latex``.
        legacy: they were sampled as the authors' code does.
    """
    if style == "csv":
        return frame_csv(scores)
    alphas = sorted(scores.alpha.unique())
    counted = scores[(scores.n > 0) | (scores.scope == "all")]
    rows = [
        [str(scope), str(metric).replace("_", " "), *(percent(v) for v in some.sort_values("alpha").value), f"{n:,}"]
        for scope, metric, n, some in _parts(counted)
    ]
    header = ["scope", "average", *(f"KAP@{alpha:g}" for alpha in alphas), "n"]
    way = f"protocol {job.protocol.name}" + (", sampled as the authors' code does" if legacy else "")
    random = "; random weights, says nothing about the method" if job.method.random_weights else ""
    title = (
        f"{job.method.title} on {job.benchmark.name} {job.split}: keypoint average precision in percent ({way}{random})"
    )
    return render_plain(PlainTable(header, rows, title, left=2), style)


def _parts(scores: pd.DataFrame) -> Iterator[tuple[str, str, int, pd.DataFrame]]:
    for scope in scores.scope.unique():
        for metric in scores.metric.unique():
            some = scores[(scores.scope == scope) & (scores.metric == metric)]
            if len(some):
                yield scope, metric, int(some.n.iloc[0]), some

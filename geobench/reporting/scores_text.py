"""The scores of one run as text for the terminal."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from geobench.errors import UsageError
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.evaluation.score_file import ATTRIBUTE
from geobench.reporting.plain_table import PlainTable, frame_csv, percent, render_plain, with_ends

Row = Mapping[Hashable, Any]

_SUBSETS = {"all": "all keypoints", "geometry_aware": "geometry-aware"}


def scores_text(
    run: Run,
    scores: pd.DataFrame,
    metric: str = "both",
    alphas: tuple[float, ...] = (),
    protocol: Protocol | None = None,
    style: str = "table",
) -> str:
    """Return the overall PCK of a run in percent: subset × metric × alpha, each with its confidence interval.

    Args:
        run: whose scores they are.
        scores: in long form.
        metric: ``per-image``, ``per-point`` or ``both``.
        alphas: thresholds to show; all of the protocol by default.
        protocol: how they were counted; as the run says by default.
        style: ``table``, ``markdown`` or ``latex``; ``csv`` has the scores of every scope in long form, shares 0 to 1.

    Raises:
        UsageError: an alpha was asked for that the protocol does not have.
    """
    record = run.record
    protocol = protocol or Protocol.model_validate(record.protocol)
    shown = alphas or protocol.alphas
    unknown = [alpha for alpha in shown if alpha not in protocol.alphas]
    if unknown:
        known = ", ".join(f"{alpha:g}" for alpha in protocol.alphas)
        raise UsageError(f"--alpha {unknown[0]:g} is not among the thresholds of protocol {protocol.name}: {known}")
    if style == "csv":
        return _csv(scores, metric, shown)
    cell = _value if style == "table" else _in_brackets
    rows = []
    for subset, title in _SUBSETS.items():
        for kind in ("per_image", "per_point"):
            chosen = scores[(scores.scope == "all") & (scores.subset == subset) & (scores.metric == kind)]
            if len(chosen) and metric in ("both", kind.replace("_", "-")):
                values = [cell(_at(chosen, alpha)) for alpha in shown]
                rows.append([title, kind.replace("_", " "), *values, f"{int(chosen.n.iloc[0]):,}"])
    header = ["keypoints", "average", *(f"PCK@{alpha:g}" for alpha in shown), "n"]
    if style != "table":
        notes = [line for text in (_overlap(scores), _intervals(scores, "in brackets")) if (line := text.strip())]
        return render_plain(PlainTable(header, rows, _title(run, protocol), notes, left=2), style)
    table = tabulate(
        rows, header, tablefmt="simple", colalign=["left", "left"] + ["right"] * (len(shown) + 1), disable_numparse=True
    )
    own = protocol.fingerprint == run.record.protocol_fingerprint
    stored = "" if own else f"; counted here under {protocol.name}, which is not stored"
    return f"{_title(run, protocol)}\n\n{table}\n{_overlap(scores)}\n{_intervals(scores)}{_footer(run)}{stored}\n"


def failure_text(run: Run) -> str:
    """Return a sentence about failed pairs, or an empty string when there are none."""
    record = run.record
    if not record.n_pairs_failed:
        return ""
    share = f"{record.n_pairs_failed:,} of {record.n_pairs_effective:,} pairs"
    where = run.folder / "failures.parquet"
    return (
        f"geobench: warning: {record.method.name} failed on {share} (first: {record.first_failure}); "
        f"they count as wrong, see {where}"
    )


def _csv(scores: pd.DataFrame, metric: str, alphas: Sequence[float]) -> str:
    kinds = ("per_image", "per_point") if metric == "both" else (metric.replace("-", "_"),)
    # The overlap of masks, which has no threshold, is always there.
    chosen = scores[(scores.metric.isin(kinds) & scores.alpha.isin(alphas)) | scores.alpha.isna()]
    made = scores.attrs.get(ATTRIBUTE)
    return frame_csv(chosen.assign(intervals=interval_sentence(made)) if made else chosen)


def _at(chosen: pd.DataFrame, alpha: float) -> Row:
    found: Row = chosen[(chosen.alpha - alpha).abs() < 1e-9].iloc[0].to_dict()
    return found


def _value(row: Row) -> str:
    value = percent(row["value"], 2)
    return value if pd.isna(row["low"]) else f"{value}\n{percent(row['low'])} – {percent(row['high'])}"


def _in_brackets(row: Row) -> str:
    return with_ends(row["value"], row["low"], row["high"], 2)


def _intervals(scores: pd.DataFrame, place: str = "below each figure") -> str:
    """Return a line on the intervals shown, or nothing where there is none."""
    whole = scores[scores.scope == "all"]
    if whole.low.isna().all():
        return ""
    return f"{place}: {interval_sentence(scores.attrs[ATTRIBUTE])}; {int(whole.n_images.iloc[0]):,} images\n"


def interval_sentence(made: Mapping[str, Any]) -> str:
    """Return a phrase on how intervals were made, from ``attrs["intervals"]`` of scores."""
    kind = {"bca": "BCa", "percentile": "percentile"}[made["method"]]
    return (
        f"{100 * made['level']:g}% confidence interval ({kind} bootstrap of the {made['drawn']}, "
        f"{made['resamples']:,} resamples, seed {made['seed']})"
    )


def _overlap(scores: pd.DataFrame) -> str:
    """Return a line on the overlap of masks and its interval, which runs on flow have; empty without one."""
    found = scores[(scores.scope == "all") & (scores.metric == "iou")]
    if found.empty or pd.isna(found.value.iloc[0]):
        return ""
    row = found.iloc[0]
    ends = "" if pd.isna(row.low) else f" ({100 * row.low:.1f} – {100 * row.high:.1f})"
    return f"\nmasks: intersection over union {100 * row.value:.2f}{ends}, mean of {int(row.n):,} pairs\n"


def _title(run: Run, protocol: Protocol) -> str:
    record = run.record
    asked = (
        f"{record.n_pairs:,} of {record.n_pairs_original:,} pairs"
        if record.benchmark.limit
        else f"{record.n_pairs:,} pairs"
    )
    random = "; random weights, says nothing about the method" if record.method.random_weights else ""
    place = f"{record.benchmark.name} {record.benchmark.split}"
    return f"{record.method.title} on {place} ({asked}; protocol {protocol.name}{random}), percent"


def _footer(run: Run) -> str:
    cost, imported = run.record.cost, run.record.imported
    if imported is not None:
        return f"imported from {imported.file} ({imported.sha256[:12]})\nrun: {run.folder}"
    per_image = 1000 * cost.describe_s / max(cost.n_described + cost.n_read, 1)
    what = "described" if not cost.n_read else "described or read" if cost.n_described else "read"
    per_pair = 1000 * cost.match_s / max(run.record.n_pairs_effective, 1)
    return (
        f"{cost.wall_s:.1f} s: {per_image:.1f} ms per {what} image, {per_pair:.2f} ms per matched pair; "
        f"peak {cost.peak_memory_mib:,.0f} MiB\nrun: {run.folder}"
    )

"""The protocols side by side, and one set of predictions under all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.protocol import Frame, Protocol, Sampling
from geobench.evaluation.runs import Run
from geobench.evaluation.spread import Spread
from geobench.reporting.plain_table import PlainTable, frame_csv, percent, render_plain, with_ends
from geobench.reporting.scores_text import interval_sentence

_SAME = "."
_FIELDS: dict[str, Callable[[Protocol], str]] = {
    "alphas": lambda p: " ".join(f"{alpha:g}" for alpha in p.alphas),
    "tie": lambda p: p.comparison,
    "arithmetic": lambda p: p.arithmetic,
    "size": lambda p: p.size,
    "box": lambda p: p.box,
    "frame": lambda p: _frame(p.frame),
    "direction": lambda p: p.direction,
    "average": lambda p: p.averaging,
    "geometry-aware": lambda p: p.geometry_rule,
    "occluded": lambda p: p.occluded,
    "query points": lambda p: p.query_rounding,
    "empty pair": lambda p: p.empty_pair,
    "sampling": lambda p: _sampling(p.sampling),
    "fingerprint": lambda p: p.fingerprint[:12],
}


def protocols_table(protocols: Sequence[Protocol]) -> PlainTable:
    """Return the protocols side by side: one row per field, one column per protocol.

    From the second column on, a dot stands for what the first has.
    """
    first, rows = protocols[0], []
    for name, text in _FIELDS.items():
        others = [text(protocol) if text(protocol) != text(first) else _SAME for protocol in protocols[1:]]
        rows.append([name, text(first), *others])
    header = ["", *(protocol.name for protocol in protocols)]
    notes = [f"{_SAME} as {first.name}"] if len(protocols) > 1 else []
    return PlainTable(header, rows, "How predictions become PCK", notes, left=len(header))


def sources_table(protocols: Sequence[Protocol]) -> PlainTable:
    """Return where each protocol is from."""
    rows = [[protocol.name, protocol.title, protocol.source] for protocol in protocols]
    return PlainTable(["protocol", "title", "source"], rows, left=3)


def protocols_frame(protocols: Sequence[Protocol]) -> pd.DataFrame:
    """Return one row per protocol with every field, for machines."""
    rows = [
        {"protocol": protocol.name, "title": protocol.title, "source": protocol.source}
        | {name.replace(" ", "_").replace("-", "_"): text(protocol) for name, text in _FIELDS.items()}
        | {"fingerprint": protocol.fingerprint}
        for protocol in protocols
    ]
    return pd.DataFrame(rows)


def spread_table(run: Run, spread: Spread, metric: str = "both", bootstrap: Bootstrap | None = None) -> PlainTable:
    """Return the figures of one run under every protocol, the average that each protocol's authors print marked ``*``.

    Args:
        run: whose predictions they are.
        spread: the figures.
        metric: ``per-image``, ``per-point`` or ``both``.
        bootstrap: how its intervals were made; None for none.
    """
    record, chosen = run.record, [name for name in _FIGURES if metric in ("both", _averaging(name))]
    title = (
        f"{record.method.title} on {record.benchmark.name} {record.benchmark.split} ({record.n_pairs:,} pairs): the "
        "same predictions under every protocol that asks the same questions, percent"
    )
    table = spread.table.sort_values("alpha", kind="stable")
    rows = [
        [row["protocol"], f"{row['alpha']:g}", *(_figure(row, name) for name in chosen), row["fingerprint"][:12]]
        for row in table.to_dict("records")
    ]
    header = ["protocol", "alpha", *(_FIGURES[name] for name in chosen), "fingerprint"]
    made = [f"in brackets: {interval_sentence(bootstrap.record())}"] if bootstrap else []
    return PlainTable(header, rows, title, [*_ranges(table), *made, *_notes(spread)])


def spread_text(run: Run, spread: Spread, style: str, metric: str = "both", bootstrap: Bootstrap | None = None) -> str:
    """Return :func:`spread_table` as text in one of ``STYLES``; CSV has every column of the spread, shares 0 to 1."""
    if style == "csv":
        made = {"intervals": interval_sentence(bootstrap.record())} if bootstrap else {}
        return frame_csv(spread.table.assign(**made))
    return render_plain(spread_table(run, spread, metric, bootstrap), style)


_FIGURES = {
    "per_image": "per image",
    "per_point": "per point",
    "geometry_aware_per_image": "geo per image",
    "geometry_aware_per_point": "geo per point",
}


def _averaging(figure: str) -> str:
    return figure.removeprefix("geometry_aware_").replace("_", "-")


def _figure(row: Mapping[Hashable, Any], name: str) -> str:
    headline = _averaging(name) == row["headline"].replace("_", "-")
    return ("* " if headline else "") + with_ends(row[name], row[f"{name}_low"], row[f"{name}_high"], 2)


def _ranges(table: pd.DataFrame) -> list[str]:
    """Return for each alpha one sentence on how far apart the headlines are."""
    lines = []
    for alpha, rows in table.groupby("alpha"):
        headline = rows.per_image.where(rows.headline == "per_image", rows.per_point).to_numpy()
        if (~np.isnan(headline)).sum() < 2:
            continue
        names, (low, high) = rows.protocol.tolist(), (int(np.nanargmin(headline)), int(np.nanargmax(headline)))
        lines.append(
            f"PCK@{alpha:g}, each protocol's own average: {percent(headline[low], 2)} ({names[low]}) to "
            f"{percent(headline[high], 2)} ({names[high]}), {100 * (headline[high] - headline[low]):.2f} points apart"
        )
    return lines


def _notes(spread: Spread) -> list[str]:
    left_out = [f"left out: {name}, which {reason}" for name, reason in spread.left_out.items()]
    return ["* the average that its authors print; geo: geometry-aware keypoints", *left_out]


def _frame(frame: Frame) -> str:
    return frame.kind if frame.side is None else f"{frame.kind} {frame.side}"


def _sampling(sampling: Sampling | None) -> str:
    return "none" if sampling is None else f"{sampling.per_category} per category, seed {sampling.seed}"

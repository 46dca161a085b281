"""One set of predictions counted under every protocol that asks the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.flow_run import refuse_flow
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Protocol, find_protocol, protocol_names
from geobench.evaluation.questions import difference
from geobench.evaluation.runs import Run
from geobench.evaluation.scopes import everything
from geobench.evaluation.scores import score
from geobench.evaluation.scoring import benchmark_of

FIGURES = ("per_image", "per_point", "geometry_aware_per_image", "geometry_aware_per_point")


@dataclass(frozen=True, eq=False)
class Spread:
    """Figures of one set of predictions under several protocols.

    Attributes:
        table: one row per protocol and alpha: ``protocol``, ``fingerprint``, ``headline`` (the averaging that the
            protocol's authors print: ``per_image`` or ``per_point``), ``alpha``, and PCK (0 to 1) in ``per_image``,
            ``per_point``, ``geometry_aware_per_image`` and ``geometry_aware_per_point``, each with the ends of its
            interval in ``<figure>_low`` and ``<figure>_high`` (NaN where there is none); ``n_images``, of all
            keypoints.
        left_out: what the other protocols do that keeps them out of it, by name.
    """

    table: pd.DataFrame
    left_out: dict[str, str]


def presets_and(own: Protocol) -> list[Protocol]:
    """Return every preset, and ``own`` before them where it is none of them."""
    presets = [find_protocol(name) for name in protocol_names()]
    known = own.fingerprint in {preset.fingerprint for preset in presets}
    return presets if known else [own, *presets]


def spread_of_run(
    run: Run, benchmark: Benchmark | None = None, alphas: Sequence[float] = (), bootstrap: Bootstrap | None = None
) -> Spread:
    """Return what the predictions of a run are worth under every preset and its own protocol; nothing is stored.

    Args:
        run: a finished run.
        benchmark: what it ran on; by default it is loaded from where it was.
        alphas: see :func:`protocol_spread`.
        bootstrap: how to make intervals; none by default.

    Raises:
        InputError: the run is unfinished, or its benchmark is gone or another one, or its truth is flow.
    """
    data, own = benchmark_of(run, benchmark), Protocol.model_validate(run.record.protocol)
    refuse_flow(data, "count under other protocols")
    pairs, predictions, _ = asked_and_answered(run, data)
    split = run.record.benchmark.split
    return protocol_spread(data, pairs, predictions, own, presets_and(own), alphas, split, bootstrap)


def protocol_spread(
    benchmark: Benchmark,
    pairs: Pairs,
    predictions: Predictions,
    own: Protocol,
    protocols: Sequence[Protocol],
    alphas: Sequence[float] = (),
    split: str = "",
    bootstrap: Bootstrap | None = None,
) -> Spread:
    """Return what predictions are worth under each of several protocols.

    Args:
        benchmark: where instances and skeletons are.
        pairs: the pairs that ``predictions`` number.
        predictions: made under ``own``.
        own: the protocol that decided the questions.
        protocols: those to count under.
        alphas: thresholds, whether or not a protocol's authors print them; by default those of every protocol.
        split: name of the split, for error messages.
        bootstrap: how to make intervals; none by default. All protocols have the same draws.

    Raises:
        InputError: predictions and questions of ``own`` do not fit.
    """
    shown = tuple(alphas) or common_alphas(protocols)
    reasons = {protocol.name: _reason(benchmark, pairs, own, protocol) for protocol in protocols}
    rows, whole = [], [everything(pairs)]
    for protocol in protocols:
        if not reasons[protocol.name]:
            counted = protocol.model_copy(update={"alphas": shown})
            rows.append(_row(score(benchmark, pairs, predictions, counted, split, bootstrap, whole), protocol))
    left_out = {name: reason for name, reason in reasons.items() if reason}
    return Spread(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(), left_out)


def _reason(benchmark: Benchmark, pairs: Pairs, own: Protocol, other: Protocol) -> str:
    """Return what keeps predictions made under ``own`` from being counted under ``other``; empty for nothing."""
    builder = benchmark.card.builder.rpartition(".")[2]
    if other.size == "padded-keypoints" and builder != "pf_willow" and own.fingerprint != other.fingerprint:
        return f"counts with PF-Willow's padded lists of keypoints, and {benchmark.name} is not PF-Willow"
    found = difference(benchmark, pairs, own, other)
    if found is None:
        return ""
    return (
        f"{found.reason} than {own.name} ({found.n:,} of {found.of:,} questions); "
        f"geobench eval --protocol {other.name} asks them"
    )


def common_alphas(protocols: Sequence[Protocol]) -> tuple[float, ...]:
    """Return the thresholds that all protocols print, ascending; 0.10 where there is none."""
    common = set.intersection(*(set(protocol.alphas) for protocol in protocols)) if protocols else set()
    return tuple(sorted(common)) or (0.10,)


def _row(scores: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Return the overall figures of one protocol, one row per alpha."""
    prefix = np.where(scores.subset == "all", "", scores.subset + "_")
    wide = scores.assign(figure=prefix + scores.metric).set_index(["alpha", "figure"])
    about = {
        "protocol": protocol.name,
        "fingerprint": protocol.fingerprint,
        "headline": protocol.headline,
        "alpha": sorted(scores.alpha.unique()),
    }
    ends = {"": wide.value, "_low": wide.low, "_high": wide.high}
    columns = {
        f"{name}{end}": column.unstack("figure")[name].to_numpy() for name in FIGURES for end, column in ends.items()
    }
    images = wide.n_images.unstack("figure")[FIGURES[0]].to_numpy()
    return pd.DataFrame(about | columns | {"n_images": images})

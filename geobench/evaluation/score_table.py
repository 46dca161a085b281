"""The rows of scores of one partition of the pairs: figures, their intervals, and what they were counted over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.intervals import image_intervals
from geobench.evaluation.pck import Tally, counted, per_image, per_point
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.ratios import Ratios, n_images
from geobench.evaluation.scopes import Scopes

SUBSETS = ("all", "geometry_aware")
AVERAGINGS: tuple[Averaging, Averaging] = ("per-image", "per-point")


def score_table(
    scopes: Scopes,
    tallies: Mapping[tuple[str, Averaging], Tally],
    weight: Int64[np.ndarray, " p"],
    protocol: Protocol,
    images: Sequence[Ratios],
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return one row per scope, subset, metric and alpha, in that order; columns as :func:`scores.score` has them.

    Args:
        scopes: a partition of the pairs.
        tallies: what is counted in each pair, for each subset and averaging, in the order of :data:`SUBSETS`.
        weight: how often each pair counts.
        protocol: its alphas, and what it does with pairs without keypoints.
        images: what is added up for each image of each scope, counts in the order of ``tallies``.
        bootstrap: how to make intervals; none by default.
    """
    value, counts = _values(scopes, tallies, weight, protocol)
    counts["n_images"] = np.stack([n_images(some) for some in images]) if images else counts["n"]
    low, high = _intervals(scopes, images, bootstrap, value.shape)
    low[np.isnan(value)] = high[np.isnan(value)] = np.nan
    index = pd.MultiIndex.from_product(
        [scopes.names, SUBSETS, [a.replace("-", "_") for a in AVERAGINGS], protocol.alphas],
        names=["scope", "subset", "metric", "alpha"],
    )
    numbers = {"value": value.ravel(), "low": low.ravel(), "high": high.ravel()}
    repeated = {name: np.repeat(column.ravel(), len(protocol.alphas)) for name, column in counts.items()}
    return pd.DataFrame(numbers | repeated, index=index).reset_index()


def _values(
    scopes: Scopes,
    tallies: Mapping[tuple[str, Averaging], Tally],
    weight: Int64[np.ndarray, " p"],
    protocol: Protocol,
) -> tuple[Float64[np.ndarray, "s j a"], dict[str, np.ndarray]]:
    """Return the figures, and the counts ``n``, ``n_pairs`` and ``n_points`` [scopes, counts]."""
    n_scopes = len(scopes.names)
    value = np.empty((n_scopes, len(tallies), len(protocol.alphas)))
    counts = {name: np.empty((n_scopes, len(tallies)), np.int64) for name in ("n", "n_pairs", "n_points")}
    for row, ((subset, averaging), tally) in enumerate(tallies.items()):
        if averaging == "per-image":
            empty_is_nan = subset == "all" and protocol.empty_pair == "nan"
            value[:, row], counts["n"][:, row] = per_image(tally, scopes.codes, n_scopes, weight, empty_is_nan)
        else:
            value[:, row], counts["n"][:, row] = per_point(tally, scopes.codes, n_scopes, weight)
        counts["n_pairs"][:, row], counts["n_points"][:, row] = counted(tally, scopes.codes, n_scopes, weight)
    return value, counts


def _intervals(
    scopes: Scopes, images: Sequence[Ratios], bootstrap: Bootstrap | None, shape: tuple[int, ...]
) -> tuple[Float64[np.ndarray, "s j a"], Float64[np.ndarray, "s j a"]]:
    """Return the ends of the intervals; NaN where none can be given."""
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    if bootstrap is None:
        return low, high
    for row, (name, some) in enumerate(zip(scopes.names, images, strict=True)):
        low[row], high[row] = image_intervals(some, bootstrap, name)
    return low, high

"""The table of KAP: figures, their intervals, and what they were counted over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from geobench.benchmark import Pairs
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.presence import Samples, average_precision
from geobench.evaluation.presence_intervals import presence_intervals, presence_ratios
from geobench.evaluation.presence_pools import Pool, pooled_precision
from geobench.evaluation.queries import category_codes
from geobench.evaluation.ratios import by_image, n_images
from geobench.evaluation.scopes import Scopes, everything

METRICS = ("per_image", "per_point")


def presence_table(
    pairs: Pairs,
    samples: Sequence[Samples],
    asked: Int64[np.ndarray, " p"],
    image: Int64[np.ndarray, " p"],
    alphas: Sequence[float],
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Return one row per scope, metric and alpha, in that order; columns as :func:`presence_run.presence_scores`.

    Args:
        pairs: what was asked.
        samples: of each pair, at each alpha; none of a pair that asks nothing.
        asked: how many keypoints each pair asks for.
        image: number of the image that each pair is answered in.
        alphas: of the samples.
        bootstrap: how to make intervals; none by default.
    """
    codes, labels = category_codes(pairs)
    rows_of = [np.flatnonzero(codes == code) for code in range(len(labels))]
    pools = [
        Pool.of([samples[row] for row in rows.tolist()], asked[rows], image[rows], len(alphas)) for rows in rows_of
    ]
    every = pools or [Pool.of([], asked, image, len(alphas))]
    own = _own_precision(samples, len(alphas))
    ratios, categories = presence_ratios(own, asked), Scopes([f"category:{label}" for label in labels], codes)
    tables = []
    for scopes, members in ((everything(pairs), [every]), (categories, [[pool] for pool in pools])):
        for code, images in enumerate(by_image(ratios, scopes, image)):
            name, rows = scopes.names[code], scopes.codes == code
            value = np.stack([_mean_of_pairs(own[rows]), pooled_precision(members[code])])
            ends = np.full((2, *value.shape), np.nan)
            if bootstrap is not None:
                ends = np.stack(presence_intervals(images, members[code], bootstrap, name))
            counts = _counts(own[rows], asked[rows]) | {"n_images": n_images(images)}
            tables.append(_rows(name, alphas, {"value": value, "low": ends[0], "high": ends[1]}, counts))
    return pd.concat(tables, ignore_index=True)


def _own_precision(samples: Sequence[Samples], n_alphas: int) -> Float64[np.ndarray, "p k"]:
    """Return the average precision of each pair at each alpha, NaN without a positive."""
    own = [[average_precision(*both) for both in zip(*pair, strict=True)] for pair in samples]
    return np.array(own, np.float64).reshape(len(samples), n_alphas)


def _mean_of_pairs(own: Float64[np.ndarray, "p k"]) -> Float64[np.ndarray, " k"]:
    known = own[~np.isnan(own).any(axis=1)]
    return known.mean(axis=0) if len(known) else np.full(own.shape[1], np.nan)


def _counts(own: Float64[np.ndarray, "p k"], asked: Int64[np.ndarray, " p"]) -> dict[str, np.ndarray]:
    """Return the counts of a scope, per image and per point."""
    sides = [asked[~np.isnan(own).any(axis=1)], asked[asked > 0]]
    n_pairs, n_points = [len(some) for some in sides], [int(some.sum()) for some in sides]
    columns = {"n": [n_pairs[0], n_points[1]], "n_pairs": n_pairs, "n_points": n_points}
    return {name: np.array(column, np.int64) for name, column in columns.items()}


def _rows(
    name: str, alphas: Sequence[float], figures: dict[str, np.ndarray], counts: dict[str, np.ndarray]
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([[name], METRICS, alphas], names=["scope", "metric", "alpha"])
    columns = {title: column.ravel() for title, column in figures.items()}
    repeated = {title: np.repeat(column, len(alphas)) for title, column in counts.items()}
    return pd.DataFrame(columns | repeated, index=index).reset_index()

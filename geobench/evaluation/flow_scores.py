"""From the counts of a dense run to scores, in the same long form as those of keypoints."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError
from geobench.evaluation.bootstrap import Bootstrap, drawn_images
from geobench.evaluation.flow_run import FLOW_FILE, check_flow_protocol
from geobench.evaluation.intervals import image_intervals
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.pck import Tally
from geobench.evaluation.protocol import Averaging, Protocol
from geobench.evaluation.ratios import by_image, mean_ratios, n_images, pair_ratios
from geobench.evaluation.runs import Run
from geobench.evaluation.scopes import Scopes, partitions
from geobench.evaluation.score_table import AVERAGINGS, SUBSETS, score_table
from geobench.files import read_table


def flow_scores(run: Run, benchmark: Benchmark, protocol: Protocol, bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Return the scores of a run whose flow was measured; columns as :func:`geobench.evaluation.scores.score` has them.

    ``per_image`` is the flow accuracy that the field reports: the mean over directed pairs of the share of foreground
    pixels that land within alpha times the longer side of the target image. ``per_point`` pools the pixels. ``iou``
    (alpha NaN) is the mean overlap of masks. No pixel is geometry-aware. Scopes are all, the categories, and the
    pairs with and without a mirrored object (``flip:1``, ``flip:0``).

    Raises:
        InputError: the run is unfinished, or was counted at other alphas than ``protocol`` has, or otherwise.
    """
    own = Protocol.model_validate(run.record.protocol)
    check_flow_protocol(protocol)
    if protocol.fingerprint != own.fingerprint:
        raise InputError(
            f"{run.folder}: flow was counted under protocol {own.name!r} and was not kept; run geobench eval with "
            f"--protocol {protocol.name}"
        )
    split = benchmark.split(run.record.benchmark.split)
    pairs = split.take(select_pairs(len(split), run.record.benchmark.limit))
    tally, shares = _counted(run, len(pairs))
    nothing = Tally(np.zeros_like(tally.hits), np.zeros_like(tally.points))
    tallies: dict[tuple[str, Averaging], Tally] = {
        (subset, averaging): tally if subset == "all" else nothing for subset in SUBSETS for averaging in AVERAGINGS
    }
    weight = np.ones(len(pairs), np.int64)
    ratios = pair_ratios(tallies, weight)
    image = drawn_images(benchmark, pairs.target, pairs.source, bootstrap)
    tables = []
    for scopes in [*partitions(benchmark, pairs), *_by_flip(pairs)]:
        tables.append(score_table(scopes, tallies, weight, protocol, by_image(ratios, scopes, image), bootstrap))
        tables.append(_overlaps(scopes, shares, image, bootstrap))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _counted(run: Run, n_pairs: int) -> tuple[Tally, Float64[np.ndarray, " p"]]:
    """Return what was counted in each pair, and the intersection over union of its masks (NaN where both are empty)."""
    path = run.folder / FLOW_FILE
    if not path.is_file():
        raise InputError(f"{run.folder}: its flow is not measured yet; repeat the same eval command to complete it")
    table = read_table(path)
    if table.num_rows != n_pairs:
        raise InputError(f"{path}: counts {table.num_rows} pairs, the run has {n_pairs}; run geobench eval --fresh")
    hits = np.asarray(table["hits"].combine_chunks().flatten()).reshape(n_pairs, -1)
    common, either = (table[name].to_numpy().astype(np.float64) for name in ("intersection", "union"))
    shares = np.divide(common, either, out=np.full(n_pairs, np.nan), where=either > 0)
    return Tally(hits.astype(np.int64), table["points"].to_numpy().astype(np.int64)), shares


def _by_flip(pairs: Pairs) -> list[Scopes]:
    flips = pairs.attributes.get("flip")
    if flips is None:
        return []
    values, codes = np.unique(flips, return_inverse=True)
    return [Scopes([f"flip:{value}" for value in values], codes.astype(np.int64))]


def _overlaps(
    scopes: Scopes, shares: Float64[np.ndarray, " p"], image: Int64[np.ndarray, "p d"], bootstrap: Bootstrap | None
) -> pd.DataFrame:
    """Return one row per part: the mean overlap of masks over its pairs, and its interval."""
    rows = []
    images = by_image(mean_ratios(shares[:, None, None]), scopes, image)
    for code, (name, some) in enumerate(zip(scopes.names, images, strict=True)):
        inside = (scopes.codes == code) & ~np.isnan(shares)
        counts = {"n": inside.sum(), "n_pairs": inside.sum(), "n_points": 0, "n_images": int(n_images(some)[0])}
        value = shares[inside].mean() if inside.any() else np.nan
        low, high = image_intervals(some, bootstrap, name) if bootstrap else np.full((2, 1, 1), np.nan)
        figures = {"alpha": np.nan, "value": value, "low": low[0, 0], "high": high[0, 0]}
        rows.append({"scope": name, "subset": "all", "metric": "iou", **figures, **counts})
    return pd.DataFrame(rows)

"""Random benchmarks and predictions: small, with everything that can be odd about a pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Protocol
from geobench.instances import Instances
from geobench.skeleton import Skeleton

KEYPOINTS = 7
CARD = Card(name="random", title="r", version=1, builder="tests", threshold="bbox", licence="none", citation="none")


def random_benchmark(seed: int, n: int = 9, n_pairs: int = 14, threshold: str = "bbox") -> Benchmark:
    """Return a benchmark with empty pairs, occluded keypoints, unknown azimuths and subgroups out of order."""
    rng = np.random.default_rng(seed)
    size = rng.integers(20, 200, (n, 2))
    table = Instances.from_columns(
        id=[f"i{row}" for row in range(n)],
        image=[f"i{row}.jpg" for row in range(n)],
        size=size,
        bbox=np.concatenate([rng.uniform(0, 9, (n, 2)), rng.uniform(4, 90, (n, 2))], axis=1),
        category=rng.choice(["cat", "dog"], n).tolist(),
        keypoints=rng.random((n, KEYPOINTS, 2)) * size[:, None],
        visibility=rng.choice([0, 0, 1, 2, 2], (n, KEYPOINTS)) * (rng.random((n, 1)) > 0.15),
        azimuth=np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 8, n) * 45.0),
    )
    cat = Skeleton(tuple("abcdefg"), {"x": (0, 3), "y": (1, 2, 6)})
    dog = Skeleton(tuple("abcdefg"), {"x": (2, 5)})
    rows = rng.integers(0, n, (2, n_pairs)).astype(np.int32)
    pairs = Pairs(rows[0], rows[1], rng.choice(["cat", "dog"], n_pairs))
    return Benchmark("random", CARD, {"cat": cat, "dog": dog}, table, {"test": pairs}, threshold, Path())


def random_predictions(benchmark: Benchmark, protocol: Protocol, seed: int) -> Predictions:
    rng = np.random.default_rng(seed)
    asked = queries(benchmark, benchmark.split("test"), protocol)
    points = asked.truth + rng.normal(0, rng.choice([0, 0.5, 5, 40], (len(asked), 1)), (len(asked), 2))
    points[rng.random(len(asked)) < 0.05] = np.nan
    return Predictions.of(asked, points)


def frame_of(protocol: Protocol, w: int, h: int) -> tuple[float, float, float, float]:
    """Return scale x, scale y, offset x, offset y: written again from the description."""
    kind, side = protocol.frame.kind, protocol.frame.side
    if kind == "original":
        return 1.0, 1.0, 0.0, 0.0
    if kind == "squash":
        return side / w, side / h, 0.0, 0.0
    s = side / max(w, h)
    if kind == "longest-side":
        return s, s, 0.0, 0.0
    return s, s, (side - round(side * w / max(w, h))) // 2, (side - round(side * h / max(w, h))) // 2

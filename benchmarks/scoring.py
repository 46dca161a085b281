"""How long intervals take: predictions of SPair-71k's size, scored with and without 10,000 bootstrap resamples.

    .venv/bin/python benchmarks/scoring.py [--protocol default]

12,234 pairs of 18 categories, about 88,000 keypoints, 1,800 images, eight viewing directions: synthetic, seeded. The
reference, in the same run, is ``scipy.stats.bootstrap`` (BCa, vectorised, in batches) on one figure, all pairs per
point; it is checked to give the same interval, and counted for all figures in proportion to their images.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Protocol, find_protocol
from geobench.evaluation.ratios import answer_images
from geobench.evaluation.scores import correct_keypoints, score
from geobench.instances import Instances
from geobench.seeding import seed_for
from geobench.skeleton import Skeleton

PAIRS, CATEGORIES, IMAGES, KEYPOINTS = 12_234, 18, 100, 30  # images of each category
RESAMPLES = 10_000


def synthetic() -> Benchmark:
    """Return a benchmark of the size of SPair-71k's test split: about 7.2 mutually visible keypoints of 30."""
    rng, n = np.random.default_rng(0), CATEGORIES * IMAGES
    size = rng.integers(300, 600, (n, 2))
    labels = np.repeat([f"category {number:02d}" for number in range(CATEGORIES)], IMAGES)
    table = Instances.from_columns(
        id=[f"{row:06d}" for row in range(n)],
        image=[f"{row:06d}.jpg" for row in range(n)],
        size=size,
        bbox=np.concatenate([np.zeros((n, 2)), size * rng.uniform(0.3, 1, (n, 2))], axis=1),
        category=labels.tolist(),
        keypoints=rng.random((n, KEYPOINTS, 2)) * size[:, None],
        visibility=np.where(rng.random((n, KEYPOINTS)) < 0.49, 2, 0),
        azimuth=rng.integers(0, 8, n) * 45.0,
    )
    names = tuple(f"k{number}" for number in range(KEYPOINTS))
    skeleton = Skeleton(names, {f"group {start}": (start, start + 1) for start in range(0, 20, 2)})
    category = np.sort(rng.integers(0, CATEGORIES, PAIRS))
    source, target = (category * IMAGES + rng.integers(0, IMAGES, (2, PAIRS))).astype(np.int32)
    pairs = Pairs(source, target, np.array([f"category {number:02d}" for number in category]))
    card = Card(name="synthetic", title="s", version=1, builder="b", threshold="bbox", licence="-", citation="-")
    return Benchmark("synthetic", card, {"*": skeleton}, table, {"test": pairs}, "bbox", Path())


def timed(what: str, work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Print the least wall and CPU seconds of a few repeats; return the CPU seconds and the last result."""
    wall, cpu, result = [], [], None
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {min(wall):.2f} s wall, {min(cpu):.2f} s CPU; peak memory so far {peak:.0f} MiB")
    return min(cpu), result


def one_of_scipy(benchmark: Benchmark, points: np.ndarray, protocol: Protocol) -> tuple[float, tuple[float, float]]:
    """Return the CPU seconds of SciPy for one figure, and its interval."""
    asked = queries(benchmark, benchmark.split("test"), protocol)
    marks = correct_keypoints(benchmark, protocol, asked, points)[:, -1]
    image = answer_images(benchmark, asked)[asked.pair]
    _, code = np.unique(image, return_inverse=True)
    hits, whole = np.bincount(code, weights=marks), np.bincount(code).astype(float)

    def ratio(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        return hits[rows].sum(axis=axis) / whole[rows].sum(axis=axis)

    settings: dict[str, Any] = {"n_resamples": RESAMPLES, "method": "BCa", "vectorized": True, "batch": 500}
    generator = np.random.default_rng(seed_for(0, "all"))
    used = time.process_time()
    found = stats.bootstrap((np.arange(len(hits)),), ratio, random_state=generator, **settings).confidence_interval
    return time.process_time() - used, (float(found.low), float(found.high))


def figures_in_whole_splits(scores: pd.DataFrame) -> float:
    """Return how many figures over all images the table amounts to: each in proportion to its images."""
    return float(scores.n_images.sum() / scores.n_images.max())


def main() -> None:
    """Time all and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", default="default")
    protocol = find_protocol(parser.parse_args().protocol)
    benchmark = synthetic()
    pairs = benchmark.split("test")
    asked = queries(benchmark, pairs, protocol)
    points = (asked.truth + np.random.default_rng(1).normal(0, 40, (len(asked), 2))).astype(np.float32)
    predictions = Predictions.of(asked, points)
    print(f"{len(pairs):,} pairs, {len(asked):,} keypoints, {len(benchmark.instances):,} images")

    def scored(bootstrap: Bootstrap | None) -> pd.DataFrame:
        return score(benchmark, pairs, predictions, protocol, bootstrap=bootstrap)

    timed("scores", lambda: scored(None))
    seconds, scores = timed(f"scores, {RESAMPLES:,} resamples", lambda: scored(Bootstrap(resamples=RESAMPLES)))
    both = Bootstrap(resamples=RESAMPLES, drawn="both-images")
    timed(f"the same, target and source images drawn, {RESAMPLES:,} resamples", lambda: scored(both), repeats=1)
    print(f"{len(scores):,} rows, {scores.low.notna().sum():,} with an interval")
    slow, ends = one_of_scipy(benchmark, points, protocol)
    row = scores[(scores.scope == "all") & (scores.subset == "all") & (scores.metric == "per_point")].iloc[-1]
    np.testing.assert_allclose((row.low, row.high), ends, atol=1e-12)
    whole = slow * figures_in_whole_splits(scores)
    print(f"SciPy:  {slow:.2f} s CPU for one figure, the same interval")
    print(f"ratio:  {whole / seconds:.0f} times less CPU than SciPy would take for all ({whole:.0f} s)")


if __name__ == "__main__":
    main()

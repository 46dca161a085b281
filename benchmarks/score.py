"""How long scoring takes: 300,000 pairs of about 12 keypoints, all scopes, subsets and thresholds.

    .venv/bin/python benchmarks/score.py [--pairs 300000] [--protocol default]

The reference, in the same run, is a plain loop over pairs that makes the same counts (per point and per image, all
and geometry-aware, per category), timed on every hundredth pair and checked to give the same figures.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Protocol, find_protocol
from geobench.evaluation.scores import score
from geobench.instances import Instances
from geobench.skeleton import Skeleton

LOOPED = 100  # the loop takes every hundredth pair


def synthetic(n_pairs: int, n_images: int = 10_000, n_labels: int = 54) -> Benchmark:
    """Return a benchmark of AP-10K's size and shape: 17 keypoints, 54 species, about 12 mutually visible."""
    rng = np.random.default_rng(0)
    size = rng.integers(300, 1200, (n_images, 2))
    labels = np.array([f"species {number:02d}" for number in range(n_labels)])
    table = Instances.from_columns(
        id=[f"{row:012d}" for row in range(n_images)],
        image=[f"{row:012d}.jpg" for row in range(n_images)],
        size=size,
        bbox=np.concatenate([np.zeros((n_images, 2)), size * rng.uniform(0.3, 1, (n_images, 2))], axis=1),
        category=labels[rng.integers(0, n_labels, n_images)].tolist(),
        keypoints=rng.random((n_images, 17, 2)) * size[:, None],
        visibility=rng.choice([0, 1, 2], (n_images, 17), p=[0.16, 0.1, 0.74]),
    )
    skeleton = Skeleton(
        tuple(f"k{number}" for number in range(17)),
        {"shoulder": (5, 8), "elbow": (6, 9, 12, 15), "paw": (7, 10, 13, 16), "hip": (11, 14)},
    )
    source, target = rng.integers(0, n_images, (2, n_pairs)).astype(np.int32)
    pairs = Pairs(source, target, np.sort(labels[rng.integers(0, n_labels, n_pairs)]))
    card = Card(name="synthetic", title="s", version=1, builder="b", threshold="bbox", licence="-", citation="-")
    return Benchmark("synthetic", card, {"*": skeleton}, table, {"test": pairs}, "bbox", Path())


def loop(benchmark: Benchmark, pairs: Pairs, points: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return per-point and per-image PCK, all and geometry-aware [2, 2, alphas], one pair after the other."""
    table, groups = benchmark.instances, list(benchmark.skeletons["*"].groups.values())
    categories: dict[str, list[np.ndarray]] = {}
    hits, counts, shares, row = np.zeros((2, len(protocol.alphas))), np.zeros(2), [[], []], 0
    for source, target, label in zip(pairs.source, pairs.target, pairs.category, strict=True):
        mutual = np.flatnonzero(table.visible[source] & table.visible[target])
        rival = {k for group in groups if table.visible[target][list(group)].sum() > 1 for k in group}
        predicted = points[row : row + len(mutual)]
        row += len(mutual)
        error = np.linalg.norm(predicted.astype(np.float64) - table.keypoints[target][mutual], axis=1)
        marks = error[:, None] <= np.array(protocol.alphas) * max(table.bbox[target][2:])
        tagged = np.isin(mutual, list(rival))
        for subset, kept in enumerate((marks, marks[tagged])):
            hits[subset] += kept.sum(axis=0)
            counts[subset] += len(kept)
            if len(kept):
                shares[subset].append(kept.mean(axis=0))
                categories.setdefault(f"{label}/{subset}", []).append(kept.mean(axis=0))
    for rows in categories.values():
        np.mean(rows, axis=0)
    return np.stack([hits / counts[:, None], np.array([np.mean(rows, axis=0) for rows in shares])])


def time_score(benchmark: Benchmark, protocol: Protocol) -> float:
    """Print and return the seconds per pair of this code, best of three."""
    pairs = benchmark.split("test")
    asked = queries(benchmark, pairs, protocol)
    noise = np.random.default_rng(1).normal(0, 60, (len(asked), 2))
    predictions = Predictions.of(asked, asked.truth + noise)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        scores = score(benchmark, pairs, predictions, protocol)
        seconds.append(time.perf_counter() - start)
    print(f"{len(pairs):,} pairs, {len(asked):,} keypoints, {len(protocol.alphas)} thresholds, {len(scores)} rows")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"score:  {min(seconds):.2f} s ({', '.join(f'{s:.2f}' for s in seconds)}), peak memory {peak:.0f} MiB")
    return min(seconds) / len(pairs)


def time_loop(benchmark: Benchmark) -> float:
    """Print and return the seconds per pair of the loop, and check that both give the same figures."""
    protocol = find_protocol("default")
    few = benchmark.split("test").take(np.arange(0, len(benchmark.split("test")), LOOPED))
    asked = queries(benchmark, few, protocol)
    points = (asked.truth + np.random.default_rng(2).normal(0, 60, (len(asked), 2))).astype(np.float32)
    start = time.perf_counter()
    slow = loop(benchmark, few, points, protocol)
    seconds = time.perf_counter() - start
    fast = score(benchmark, few, Predictions.of(asked, points), protocol)
    for metric, rows in zip(("per_point", "per_image"), slow, strict=True):
        for subset, value in zip(("all", "geometry_aware"), rows, strict=True):
            ours = fast[(fast.scope == "all") & (fast.metric == metric) & (fast.subset == subset)].value
            np.testing.assert_allclose(ours, value, atol=1e-12)
    print(f"loop:   {seconds:.2f} s for {len(few):,} pairs, same figures (default protocol)")
    return seconds / len(few)


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--protocol", default="default")
    arguments = parser.parse_args()
    benchmark = synthetic(arguments.pairs)
    fast = time_score(benchmark, find_protocol(arguments.protocol))
    print(f"ratio:  {time_loop(benchmark) / fast:.0f} times faster per pair than the loop")


if __name__ == "__main__":
    main()

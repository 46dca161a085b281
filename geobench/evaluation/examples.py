"""A few pairs of the embedded benchmark, for trying a method."""

from __future__ import annotations

import numpy as np

from geobench.embedded import embedded_benchmark
from geobench.evaluation.predictions import queries
from geobench.evaluation.protocol import find_protocol
from geobench.picture import Picture

ExamplePair = tuple[Picture, Picture, np.ndarray, np.ndarray]


def example_pairs(count: int, split: str = "test/cross-family") -> list[ExamplePair]:
    """Return ``count`` pairs, evenly spread: source, target, query points [n, 2], true target points [n, 2]."""
    benchmark = embedded_benchmark()
    pairs = benchmark.split(split)
    pairs = pairs.take(np.unique(np.linspace(0, len(pairs) - 1, count).round().astype(int)))
    asked = queries(benchmark, pairs, find_protocol("default"))
    examples = []
    for number, (source, target) in enumerate(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)):
        rows = asked.pair == number
        examples.append((benchmark.picture(source), benchmark.picture(target), asked.points[rows], asked.truth[rows]))
    return examples

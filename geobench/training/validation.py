"""PCK of a fixed subset of pairs while training, matched as the recipe matches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import torch

from geobench.benchmark import Benchmark
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.pck import per_image, tally
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.row_lists import RowLists, rows_of_groups
from geobench.evaluation.scores import correct_keypoints
from geobench.evaluation.walk import Walk
from geobench.features.feature_map import FeatureMap
from geobench.features.footprint import described_bytes
from geobench.methods.base import LoadedMethod
from geobench.methods.parts import Matcher
from geobench.methods.post_processing import descriptors
from geobench.training.post_processor import PostProcessor

ALPHA = 0.1
_KEPT = 64
"""Descriptors kept of the network as it is, when pairs share images."""


class Validation:
    """Scores a network on the same pairs each time; never aligns, whatever the recipe does.

    Args:
        features: what describes images, without mirror images.
        matcher: of the recipe.
        benchmark: where the pairs are.
        split: their split.
        count: how many, spread evenly.
        seed: of the descriptions.
        memory: bytes that descriptions may take.

    Raises:
        UsageError: there is no such split.
    """

    def __init__(
        self,
        features: LoadedMethod,
        matcher: Matcher,
        benchmark: Benchmark,
        split: str,
        count: int,
        seed: int,
        memory: int,
    ) -> None:
        pairs = benchmark.split(split)
        self.protocol = find_protocol("default").model_copy(update={"alphas": (ALPHA,)})
        self.benchmark, self.split, self.matcher, self.memory = benchmark, split, matcher, memory
        self.asked = queries(benchmark, pairs.take(select_pairs(len(pairs), count)), self.protocol)
        self.descriptions = Descriptions(features, benchmark, seed)

    def __call__(self, network: PostProcessor) -> float:
        """Return PCK@0.1 per image (0 to 1) under the default protocol."""
        was_training = network.training
        network.eval()
        with torch.no_grad():
            answers = self._answers(network)
        network.train(was_training)
        marks = correct_keypoints(self.benchmark, self.protocol, self.asked, answers)
        count = len(self.asked.query_row)
        found, _ = per_image(
            tally(marks, self.asked.pair, count), np.zeros(count, np.int64), 1, np.ones(count, np.int64)
        )
        return float(found[0, 0])

    def _answers(self, network: PostProcessor) -> np.ndarray:
        @lru_cache(maxsize=_KEPT)
        def described(row: int) -> FeatureMap:
            return descriptors(network, self.descriptions.of(row).plain)

        points = np.empty((len(self.asked), 2), np.float32)
        starts = np.searchsorted(self.asked.pair, np.arange(len(self.asked.query_row) + 1))
        count = len(self.asked.query_row)
        groups = rows_of_groups(self.asked, RowLists(np.arange(count + 1), np.arange(count)))
        for pair in self._walk(groups):
            rows = slice(starts[pair], starts[pair + 1])
            ends = described(int(self.asked.query_row[pair])), described(int(self.asked.answer_row[pair]))
            points[rows] = self.matcher(*ends, torch.from_numpy(self.asked.points[rows])).cpu().numpy()
        return points

    def _walk(self, groups: RowLists) -> Iterable[int]:
        """Yield each pair's number; descriptions stay for the next time where they all fit."""
        rows = np.unique(groups.rows)
        size = described_bytes([self.descriptions.of(int(rows[0]))])
        if len(rows) * size <= self.memory:
            return range(len(groups))
        return Walk(self.descriptions, groups, max(self.memory, 3 * size))


def validation_split(benchmark: Benchmark, named: str) -> str:
    """Return the split to validate on: the one named, else the first ``val`` split with pairs, else none (empty).

    Raises:
        UsageError: the named split does not exist.
    """
    if named:
        benchmark.split(named)
        return named
    names: Sequence[str] = [
        name for name, pairs in benchmark.splits.items() if name.split("/")[0] == "val" and len(pairs)
    ]
    return names[0] if names else ""

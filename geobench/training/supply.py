"""Supplies the steps of an epoch with described pairs, within a memory budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import UsageError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.eviction import once, scheduled
from geobench.evaluation.memory import size_option, size_text
from geobench.features.footprint import described_bytes
from geobench.methods.base import LoadedMethod
from geobench.training.features import Described
from geobench.training.order import Steps, rows_of_steps
from geobench.training.pairs import PairMaker
from geobench.training.views import ShownPair

SHARE_TEXT = "three quarters"


class Supply:
    """Describes the images of training pairs when they are needed, and holds them as long as memory allows.

    Args:
        features: what describes images.
        benchmark: where they are.
        pairs: the pairs to train on.
        maker: makes training pairs of descriptions.
        seed: with an image's key it seeds what an extractor draws.
    """

    def __init__(self, features: LoadedMethod, benchmark: Benchmark, pairs: Pairs, maker: PairMaker, seed: int) -> None:
        self.descriptions = Descriptions(features, benchmark, seed)
        self.pairs, self.maker = pairs, maker
        self.first: Described = self.descriptions.of(int(pairs.source[0]))

    def capacity(self, allowed: int, batch: int) -> int:
        """Return how many descriptions can be held.

        Args:
            allowed: bytes that they may take.
            batch: pairs of a step, whose images are needed together.

        Raises:
            UsageError: the memory allowed is too small for one step.
        """
        size = described_bytes([self.first])
        least = 2 * batch
        if allowed < least * size:
            raise UsageError(
                f"--memory: {least} descriptions of {size_text(size)} each are needed at the same time and may take "
                f"{size_text(allowed)}, {SHARE_TEXT} of what is allowed; allow {size_option(least * size * 4 // 3)} or "
                "more, or fewer pairs per step"
            )
        return allowed // size

    def batches(self, steps: Steps, capacity: int) -> Iterator[list[ShownPair]]:
        """Yield the described pairs of each step, in order.

        Args:
            steps: the pair numbers of each; a step may be empty.
            capacity: how many descriptions can be held.
        """
        rows, held = rows_of_steps(self.pairs, steps), np.array(sorted(self.descriptions.held), np.int64)
        batch = self.descriptions.method.batch
        fits = len(np.union1d(self.pairs.source, self.pairs.target)) <= capacity
        schedule = once(rows, batch, held) if fits else scheduled(rows, capacity, batch, held)
        for number, step in enumerate(steps):
            if not fits:  # else everything stays for the next epoch
                self.descriptions.forget(schedule.forgotten[number].tolist())
            self.descriptions.describe(schedule.described[number].tolist())
            yield [self.pair(pair) for pair in step.tolist()]

    def pair(self, number: int) -> ShownPair:
        """Return one described pair."""
        source, target = int(self.pairs.source[number]), int(self.pairs.target[number])
        return self.maker(source, target, (self.descriptions.of(source), self.descriptions.of(target)))

"""Descriptions of images: each made when first needed, shared by every pair and split, forgotten after the last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from geobench.benchmark import Benchmark
from geobench.methods.base import LoadedMethod
from geobench.seeding import seed_everything, seed_for


class Descriptions:
    """Describes each image once.

    Args:
        method: who describes.
        benchmark: where the images are.
        seed: the generators are seeded with it and the image's key before each description.
        uses: how often each instance will be asked for, [instances].

    Attributes:
        n_described: how many descriptions were made.
        seconds: how long that took.
    """

    def __init__(self, method: LoadedMethod, benchmark: Benchmark, seed: int, uses: Int[np.ndarray, " n"]) -> None:
        self.method, self.benchmark, self.seed = method, benchmark, seed
        self.uses_left = uses
        self.n_described = 0
        self.seconds = 0.0
        self._known: dict[int, Any] = {}

    def of(self, row: int) -> Any:
        """Return the description of instance ``row``."""
        if row not in self._known:
            picture = self.benchmark.picture(row)
            started = time.perf_counter()
            seed_everything(seed_for(self.seed, picture.key))
            self._known[row] = self.method.describe(picture)
            self.seconds += time.perf_counter() - started
            self.n_described += 1
        return self._known[row]

    def release(self, rows: Sequence[int]) -> None:
        """Count one use of each of ``rows``, and forget those that no pair needs any more."""
        for row in rows:
            self.uses_left[row] -= 1
            if self.uses_left[row] <= 0:
                self._known.pop(row, None)

"""A job: one method, one split, one protocol; its id names everything its predictions and scores depend on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Int
from numpy import ndarray

from geobench.benchmark import Benchmark
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.protocol import Protocol
from geobench.fingerprint import digest
from geobench.methods.base import LoadedMethod
from geobench.version import __version__


@dataclass(frozen=True)
class Job:
    """What to run.

    Attributes:
        method: who answers.
        benchmark: what about.
        split: which pairs.
        protocol: which questions are asked of them, and how the answers are counted.
        limit: ask only so many pairs, spread evenly.
        seed: for methods that draw random numbers.
        device: torch device.
    """

    method: LoadedMethod
    benchmark: Benchmark
    split: str
    protocol: Protocol
    limit: int | None = None
    seed: int = 0
    device: str = "cpu"

    def pair_rows(self) -> Int[ndarray, " p"]:
        """Return the numbers of the pairs to ask."""
        return select_pairs(len(self.benchmark.split(self.split)), self.limit)

    def id(self) -> str:
        """Return twelve digits that name everything the predictions and scores depend on."""
        method = self.method
        what = {
            "geobench": __version__,
            "benchmark": self.benchmark.fingerprint,
            "split": self.split,
            "pairs": len(self.pair_rows()),
            "protocol": self.protocol.fingerprint,
            "method": [method.name, method.origin, method.recipe, method.source_sha256, method.weights],
            "seed": self.seed,
            "device": self.device,
        }
        return digest(what)[:12]

    def folder(self, root: Path) -> Path:
        """Return the folder of this run below ``root``."""
        return root / self.benchmark.name / self.split / self.method.name / self.id()

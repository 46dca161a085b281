"""Which pairs a figure is of: all, those of a category, those of a difference of viewing directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.queries import category_codes


@dataclass(frozen=True, eq=False)
class Scopes:
    """A partition of the pairs.

    Attributes:
        names: of each part, as the column ``scope`` of scores has it.
        codes: the part that each pair is in; negative for none.
    """

    names: list[str]
    codes: Int64[np.ndarray, " p"]

    @property
    def family(self) -> str:
        """What the parts are: ``all``, ``category`` or ``azimuth``; empty where there is no part."""
        return self.names[0].partition(":")[0] if self.names else ""


def partitions(benchmark: Benchmark, pairs: Pairs) -> list[Scopes]:
    """Return the pairs as a whole, by category, and by difference of viewing directions where it is known."""
    codes, labels = category_codes(pairs)
    by_category = Scopes([f"category:{label}" for label in labels], codes)
    difference = azimuth_difference(benchmark, pairs)
    steps = np.unique(difference[difference >= 0])
    by_azimuth = np.where(difference < 0, -1, np.searchsorted(steps, difference))
    return [everything(pairs), by_category, Scopes([f"azimuth:{step}" for step in steps], by_azimuth)]


def everything(pairs: Pairs) -> Scopes:
    """Return the pairs as a whole: the partition of one part, ``all``."""
    return Scopes(["all"], np.zeros(len(pairs), np.int64))


def azimuth_difference(benchmark: Benchmark, pairs: Pairs) -> Int64[np.ndarray, " p"]:
    """Return the difference of viewing directions in steps of 45 degrees, 0 to 4; -1 where one is unknown.

    Source: azimuth_id of SPair-71k, modulo 8 (utils/eval_spair.py:70 of GeoAware-SC).
    """
    azimuth = benchmark.instances.azimuth.astype(np.float64)
    known = np.isfinite(azimuth)
    step = np.rint(np.where(known, azimuth, 0) / 45).astype(np.int64)
    turn = (step[pairs.source] - step[pairs.target]) % 8
    return np.where(known[pairs.source] & known[pairs.target], np.minimum(turn, 8 - turn), -1)

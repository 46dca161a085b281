"""Which pairs of a split a run asks: all, or a few spread evenly over it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from geobench.errors import UsageError


def select_pairs(total: int, limit: int | None) -> Int[np.ndarray, " n"]:
    """Return the pair numbers to ask: all ``total``, or ``limit`` of them spread evenly.

    Raises:
        UsageError: ``limit`` is less than 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}")
    if limit is None or limit >= total:
        return np.arange(total)
    return np.unique(np.linspace(0, total - 1, limit).round().astype(int))

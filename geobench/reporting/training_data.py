"""Whether a method has seen a benchmark before: the mark in tables."""

from __future__ import annotations

from collections.abc import Iterable


def trained_on_split(trained_on: Iterable[str], benchmark: str) -> bool:
    """Return whether a method has seen the training split of a benchmark.

    Args:
        trained_on: ``benchmark:split``, as recipes and published rows write it; what follows a blank is passed over.
        benchmark: name of the benchmark.
    """
    return any(f"{one} ".split(" ", 1)[0] == f"{benchmark}:train" for one in trained_on)

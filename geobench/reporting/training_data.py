"""Whether a method has seen a benchmark before: the mark in tables."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def trained_on_split(trained_on: Iterable[str], benchmark: str) -> bool:
    """Return whether a method has seen the training split of a benchmark.

    Args:
        trained_on: ``benchmark:split``, as recipes and published rows write it; what follows a blank is passed over.
        benchmark: name of the benchmark.
    """
    return any(f"{one} ".split(" ", 1)[0] == f"{benchmark}:train" for one in trained_on)


def unstated_note(printed: pd.DataFrame) -> list[str]:
    """Return a line on the printed figures whose source does not say what the method was trained on; none without such.

    Args:
        printed: rows of :func:`geobench.reporting.published.load_published` that a table shows.
    """
    unstated = printed[printed.trained_on == "unstated"]
    if unstated.empty:
        return []
    methods, benchmarks = (", ".join(dict.fromkeys(unstated[name])) for name in ("method", "benchmark"))
    return [f"(printed) not stated for {benchmarks}: what {methods} learned from"]

"""The options of every verb that runs a method on many pairs: what may be kept in memory, and what on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from geobench.methods.base import LoadedMethod


def memory_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--memory``, ``--store`` and ``--store-dtype``; its function takes the three by these names."""
    memory = click.option(
        "--memory",
        metavar="SIZE",
        help="What all descriptions may take, as in 8GB; half of the free memory by default. Never changes a result.",
    )
    store = click.option(
        "--store",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Keep features on disk, and read those that are there. For recipes of [[features]].",
    )
    dtype = click.option(
        "--store-dtype",
        type=click.Choice(["float16", "float32"]),
        default="float16",
        show_default=True,
        help="float16 rounds features, and runs say so; float32 does not, and takes twice the space.",
    )
    return memory(store(dtype(command)))


def memory_of(given: str | int | None) -> int | None:
    """Return the bytes that ``--memory`` allows, or None where it is not given.

    Raises:
        UsageError: it is no size.
    """
    if given is None or isinstance(given, int):
        return given
    from geobench.evaluation.memory import parse_size

    return parse_size(given)


def stored(
    methods: Sequence[LoadedMethod], folder: Path | str | None, dtype: Any = "float16", device: str = "cpu"
) -> list[LoadedMethod]:
    """Return methods with their features kept in a folder; as they are where none is given.

    Raises:
        UsageError: one is no recipe of [[features]].
    """
    if folder is None:
        return list(methods)
    from geobench.features.store import FeatureStore
    from geobench.methods.stored import with_store

    store = FeatureStore(Path(folder), dtype)
    return [with_store(method, store, device) for method in methods]

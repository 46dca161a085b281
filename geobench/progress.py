"""One progress bar for everything over two seconds; none when the output is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def tell(sentence: str) -> None:
    """Print a sentence on stderr, above the bars that are there."""
    from tqdm import tqdm

    tqdm.write(f"geobench: {sentence}", file=sys.stderr)


@contextmanager
def progress_bar(total: int, label: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances a bar of ``total`` units by so many."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit=unit, delay=2, disable=None, leave=False) as bar:

        def advance(steps: int) -> None:
            bar.update(steps)

        yield advance


@contextmanager
def progress_callback(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows (done, total), for work that knows its total only when under way."""
    from tqdm import tqdm

    with tqdm(desc=label, unit=unit, delay=2, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show

"""The datasets of the catalogue in one table: what each is, how large, under which licence."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from geobench.card import Card

WIDTH = 120
_COLUMNS = ("name", "title", "images", "instances", "pairs", "licence")
_ALIGNMENT = ("left", "left", "right", "right", "right", "left")
_TITLE_WIDTH = 24
_GAP = 2


def dataset_list(cards: Sequence[Card]) -> str:
    """Return the table of ``cards``, at most :data:`WIDTH` columns wide.

    A size is that of a complete build: the count on the card, after ``~`` where only a round figure is published, ``-``
    where the card has none. Pairs are those of all splits together.
    """
    rows = [(c.name, c.title, *(_size(c, what) for what in _COLUMNS[2:5]), c.licence) for c in cards]
    return tabulate(
        rows,
        _COLUMNS,
        tablefmt="simple",
        colalign=_ALIGNMENT,
        maxcolwidths=[None, _TITLE_WIDTH, None, None, None, _left_for_licence(rows)],
        disable_numparse=True,
    )


def _left_for_licence(rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns the others leave; tabulate makes a column two wider than its heading at least."""
    others = list(zip(_COLUMNS, *rows, strict=True))[:-1]
    taken = [max(len(heading) + 2, *map(len, cells)) for heading, *cells in others]
    taken[1] = min(taken[1], _TITLE_WIDTH)
    return WIDTH - sum(taken) - _GAP * len(taken)


def _size(card: Card, what: str) -> str:
    """Return the count of ``what``: its own, or the sum of those by split (``pairs_train``, ``pairs_test``)."""
    by_split = [count for key, count in card.expected.items() if key.startswith(f"{what}_")]
    if what in card.expected or by_split:
        return f"{card.expected.get(what, sum(by_split)):,}"
    return f"~{card.rounded[what]:,}" if what in card.rounded else "-"

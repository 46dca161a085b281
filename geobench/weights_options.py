"""The options of every verb that loads a method: where its weights come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from geobench.features.weights import Weights


def weights_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--weights`` and ``--random-weights``; its function takes ``weights`` and ``random_weights``."""
    chosen = click.option(
        "--weights",
        multiple=True,
        metavar="PART=PATH",
        help="Weights of a network of the recipe: a folder, or a file. May be repeated.",
    )
    random = click.option(
        "--random-weights",
        is_flag=False,
        flag_value="tiny",
        type=click.Choice(["tiny", "full"]),
        help="Try a recipe without weights: tiny random networks (or of full size); stays off leaderboards.",
    )
    return chosen(random(command))


def weights_of(given: Sequence[str], random: Any) -> Weights | None:
    """Return the weights that the options name, or None where they name none.

    Raises:
        UsageError: an option is malformed.
    """
    if not given and random is None:
        return None
    from geobench.features.weights import Weights, parse_chosen

    return Weights(parse_chosen(given), random)

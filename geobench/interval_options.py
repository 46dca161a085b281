"""The options of every verb that makes confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from geobench.evaluation.bootstrap import Bootstrap


drawn_option = click.option(
    "--drawn",
    type=click.Choice(["target-images", "both-images"]),
    default="target-images",
    show_default=True,
    help="Draw the images answered in, or those asked in, too: wider intervals (docs/statistics.md).",
)
"""Gives a verb ``--drawn``, what its intervals draw anew."""


def interval_options(*kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a verb ``--interval``, ``--drawn``, ``--level``, ``--resamples`` and ``--interval-seed``; it passes them on.

    Args:
        kinds: what ``--interval`` may be; the first is the default.
    """
    options = [
        click.option(
            "--interval",
            type=click.Choice(kinds),
            default=kinds[0],
            show_default=True,
            help="How intervals are made, by drawing images anew.",
        ),
        drawn_option,
        click.option("--level", type=float, default=0.95, show_default=True, help="Of the intervals."),
        click.option("--resamples", type=int, default=10_000, show_default=True, help="How many times they are drawn."),
        click.option("--interval-seed", type=int, default=0, show_default=True, help="Of the draws."),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def bootstrap_of(
    interval: str, level: float, resamples: int, interval_seed: int, drawn: str = "target-images"
) -> Bootstrap | None:
    """Return the settings that the options name, None for ``none``.

    Raises:
        UsageError: the level is not between 0 and 1, or there are too few resamples.
    """
    from geobench.evaluation.bootstrap import Bootstrap

    if interval == "none":
        return None
    method: Any = interval
    images: Any = drawn
    return Bootstrap(method, level, resamples, interval_seed, images)

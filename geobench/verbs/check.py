"""geobench check: try a method on a few embedded pairs and say in plain words what is wrong with it."""

from __future__ import annotations

import click

from geobench.weights_options import weights_of, weights_options


@click.command(epilog="Example: geobench check my_method.py:Mine")
@click.argument("method")
@click.option("--pairs", default=3, show_default=True, help="How many pairs to try.")
@click.option("--device", default="cpu", show_default=True)
@weights_options
def command(method: str, pairs: int, device: str, weights: tuple[str, ...], random_weights: str | None) -> int:
    """Run METHOD on a few embedded pairs; exit with 1 when something is wrong with it."""
    from geobench.evaluation.examples import example_pairs
    from geobench.methods.check import check_method
    from geobench.methods.loader import load_method

    report = check_method(
        load_method(method, device=device, weights=weights_of(weights, random_weights)), example_pairs(pairs)
    )
    click.echo(report.text())
    return int(not report.passed)

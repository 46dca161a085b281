"""geobench leaderboard: one table from many runs."""

from __future__ import annotations

from pathlib import Path

import click

from geobench.errors import UsageError


@click.command(epilog="Example: geobench leaderboard runs --format markdown > leaderboard.md")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
@click.option("--alpha", type=float, default=0.10, show_default=True, help="The PCK threshold.")
@click.option(
    "--metric",
    type=click.Choice(["per-image", "per-point", "accuracy"]),
    help="The protocol's headline by default; accuracy is the printed table of global pose awareness.",
)
@click.option("--protocol", help="Keep only the runs counted under this protocol.")
@click.option("--published", is_flag=True, help="Add the figures printed in papers, marked as printed.")
@click.option("--intervals", is_flag=True, help="Show the confidence interval of every figure.")
def command(
    runs: tuple[Path, ...],
    style: str,
    alpha: float,
    metric: str | None,
    protocol: str | None,
    published: bool,
    intervals: bool,
) -> None:
    """Show methods x benchmarks for all runs below the folders RUNS, standard and geometry-aware PCK.

    Runs of different benchmarks' fingerprints or of different protocols are never put in one table.
    """
    from geobench.evaluation.runs import find_runs
    from geobench.reporting.leaderboard import leaderboard_table
    from geobench.reporting.published_rows import with_published
    from geobench.reporting.tables import render

    kind = metric.replace("-", "_") if metric else None
    board = None
    if runs:
        found = [r for r in find_runs(list(runs)) if protocol in (None, r.record.protocol["name"])]
        board = leaderboard_table(found, alpha=alpha, metric=kind, intervals=intervals)
    elif not published:
        raise UsageError("name a folder of runs (geobench eval writes runs/), or ask for --published figures alone")
    if published:
        board = with_published(board, alpha=alpha, metric=kind or (board.metric if board else "per_image"))
    if board is not None:
        click.echo(render(board, style), nl=False)

"""geobench score: score predictions again, without the method or the images."""

from __future__ import annotations

from pathlib import Path

import click

from geobench.interval_options import bootstrap_of, interval_options


@click.command(
    epilog="Example: geobench score runs/quadrupeds/test/intra-species/dense-sift/0123456789ab --protocol dift"
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--benchmark", help="The benchmark it ran on, when it is no longer where it was.")
@click.option(
    "--protocol",
    help="Count in another way, or in `all` that ask the same; nothing is stored. The run's own by default.",
)
@click.option("--metric", type=click.Choice(["per-image", "per-point", "both"]), default="both", show_default=True)
@click.option(
    "--alpha", "alphas", type=float, multiple=True, help="Thresholds to print; all of the protocol by default."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "csv", "markdown", "latex"]),
    default="table",
    show_default=True,
    help="CSV has every scope and count.",
)
@interval_options("bca", "percentile", "none")
def command(
    run: Path,
    benchmark: str | None,
    protocol: str | None,
    metric: str,
    alphas: tuple[float, ...],
    style: str,
    interval: str,
    drawn: str,
    level: float,
    resamples: int,
    interval_seed: int,
) -> None:
    """Score the predictions of RUN (a run's folder, or its predictions.parquet)."""
    from geobench.api import load_benchmark
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.runs import load_run
    from geobench.evaluation.scoring import score_run
    from geobench.reporting.scores_text import scores_text

    found = load_run(run.parent if run.name == "predictions.parquet" else run)
    data = load_benchmark(benchmark) if benchmark else None
    made = bootstrap_of(interval, level, resamples, interval_seed, drawn)
    if protocol == "all":
        from geobench.evaluation.spread import spread_of_run
        from geobench.reporting.protocols_text import spread_text

        spread = spread_of_run(found, data, alphas, made)
        click.echo(spread_text(found, spread, style, metric, made), nl=False)
        return
    chosen = find_protocol(protocol) if protocol else None
    scores = score_run(found, data, chosen, made)
    click.echo(scores_text(found, scores, metric, alphas, chosen, style), nl=style == "table")

"""geobench compare: are the differences between runs more than chance?"""

from __future__ import annotations

from pathlib import Path

import click

from geobench.interval_options import bootstrap_of, interval_options


@click.command(
    epilog="Example: geobench compare runs/quadrupeds/test/cross-family/dense-sift "
    "runs/quadrupeds/test/cross-family/box-position"
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--benchmark", help="The benchmark they ran on, when it is no longer where it was.")
@click.option("--alpha", type=float, default=0.10, show_default=True, help="The PCK threshold.")
@click.option("--metric", type=click.Choice(["per-image", "per-point"]), help="The protocol's headline by default.")
@click.option(
    "--subset",
    type=click.Choice(["all", "geometry-aware"]),
    default="all",
    show_default=True,
    help="Which keypoints the table is of; the sentences are of both.",
)
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
@interval_options("bca", "percentile")
def command(
    runs: tuple[Path, ...],
    benchmark: str | None,
    alpha: float,
    metric: str | None,
    subset: str,
    style: str,
    interval: str,
    drawn: str,
    level: float,
    resamples: int,
    interval_seed: int,
) -> None:
    """Compare RUNS keypoint for keypoint, and say in a sentence which is better, or that none can be said to be.

    RUNS are two runs or more of one benchmark, split and protocol: their folders, or folders that hold them. Of two,
    the table has every category; of more, the groups that cannot be told apart. CSV has everything.
    """
    from geobench.api import load_benchmark
    from geobench.evaluation.comparison import compare_runs
    from geobench.evaluation.runs import find_runs
    from geobench.reporting.comparison_table import comparison_text

    found = [run for folder in runs for run in find_runs([folder])]
    data = load_benchmark(benchmark) if benchmark else None
    made = bootstrap_of(interval, level, resamples, interval_seed, drawn)
    assert made is not None  # "none" is no choice here
    kind = metric.replace("-", "_") if metric else None
    compared = compare_runs(found, data, made)
    click.echo(comparison_text(compared, style, alpha=alpha, metric=kind, subset=subset.replace("-", "_")), nl=False)

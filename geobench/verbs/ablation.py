"""geobench ablation: one table of several matchers, with and without pose alignment, for any recipe's features."""

from __future__ import annotations

from pathlib import Path

import click

from geobench.memory_options import memory_of, memory_options, stored


@click.command(epilog="Example: geobench ablation --recipe dense-sift --benchmark quadrupeds")
@click.option("--recipe", required=True, help="Recipe whose features are used: catalogue name or recipe.toml.")
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds.")
@click.option(
    "--family", default="inference", show_default=True, help="Which rows: name in baselines/families, or a .toml file."
)
@click.option("--split", "splits", multiple=True, help="May be repeated; every test split by default.")
@click.option("--protocol", default="default", show_default=True, help="Preset name or path of a .toml file.")
@click.option("--metric", type=click.Choice(["per-image", "per-point"]), help="The protocol's headline by default.")
@click.option("--alpha", "alphas", type=float, multiple=True, help="One table each; 0.10 by default.")
@click.option("--alignment/--no-alignment", default=True, show_default=True, help="Also every row with pose alignment.")
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@memory_options
@click.option("--runs", default="runs", show_default=True, type=click.Path(path_type=Path), help="Folder for runs.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
@click.option("--fresh", is_flag=True, help="Start over instead of completing or reusing runs.")
def command(
    recipe: str,
    benchmark: str,
    family: str,
    splits: tuple[str, ...],
    protocol: str,
    metric: str | None,
    alphas: tuple[float, ...],
    alignment: bool,
    style: str,
    seed: int,
    device: str,
    memory: str | None,
    store: Path | None,
    store_dtype: str,
    runs: Path,
    images: Path | None,
    fresh: bool,
) -> None:
    """Run every member of a family on the features of RECIPE and print one table. Each image is described once."""
    from geobench.api import load_benchmark
    from geobench.evaluation.job import Job
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.runner import predict_jobs
    from geobench.evaluation.scoring import score_run
    from geobench.methods.family import family_members, find_family
    from geobench.reporting.leaderboard import leaderboard_table
    from geobench.reporting.tables import render

    allowed = memory_of(memory)
    data, counted = load_benchmark(benchmark, images=images), find_protocol(protocol)
    names = splits or data.test_splits()
    members = family_members(recipe, find_family(family), device=device, aligned=alignment)
    members = stored(members, store, store_dtype, device)
    jobs = [Job(member, data, name, counted, seed=seed, device=device) for name in names for member in members]
    done = predict_jobs(jobs, runs, fresh=fresh, memory=allowed)
    for run in done:
        score_run(run, data)
    for alpha in alphas or (0.10,):
        board = leaderboard_table(done, alpha=alpha, metric=metric.replace("-", "_") if metric else None)
        click.echo(render(board, style), nl=False)

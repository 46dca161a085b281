"""geobench ablation: one table of several matchers, with and without pose alignment, for any recipe's features."""

from __future__ import annotations

from pathlib import Path

import click

from geobench.memory_options import memory_of, memory_options, stored


@click.command(epilog="Example: geobench ablation --benchmark quadrupeds")
@click.option(
    "--recipe",
    default="quadnet-supervised",
    show_default=True,
    help="Recipe whose features are used: catalogue name or recipe.toml.",
)
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds.")
@click.option(
    "--family",
    help="Which rows: name in baselines/families, or a .toml file; inference, or table-5 for a recipe with [training].",
)
@click.option(
    "--train-on",
    help="Benchmark to train rows on; --benchmark itself, or quadrupeds-training for quadrupeds.",
)
@click.option(
    "--trained",
    type=click.Path(path_type=Path),
    help="Folder for trained rows; trained/RECIPE-BENCHMARK by default.",
)
@click.option("--split", "splits", multiple=True, help="May be repeated; every test split by default.")
@click.option("--protocol", default="default", show_default=True, help="Preset name or path of a .toml file.")
@click.option("--metric", type=click.Choice(["per-image", "per-point"]), help="The protocol's headline by default.")
@click.option("--alpha", "alphas", type=float, multiple=True, help="0.01, 0.05 and 0.10 by default.")
@click.option("--alignment/--no-alignment", default=True, show_default=True, help="Also every row with pose alignment.")
@click.option("--intervals", is_flag=True, help="Show the confidence interval of every figure.")
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
    family: str | None,
    train_on: str | None,
    trained: Path | None,
    splits: tuple[str, ...],
    protocol: str,
    metric: str | None,
    alphas: tuple[float, ...],
    alignment: bool,
    intervals: bool,
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
    """Run every member of a family on the features of RECIPE, training those that are trained; a table per split."""
    from geobench.api import load_benchmark
    from geobench.catalog import recipe_path
    from geobench.embedded import EMBEDDED, TRAINING
    from geobench.evaluation.job import Job
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.runner import predict_jobs
    from geobench.evaluation.scoring import score_run
    from geobench.methods.family import family_members, find_family
    from geobench.progress import tell
    from geobench.reporting.ablation_table import ALPHAS, ablation_tables
    from geobench.reporting.tables import render
    from geobench.typed_toml import read_toml

    allowed, path = memory_of(memory), recipe_path(recipe)
    data, counted = load_benchmark(benchmark, images=images), find_protocol(protocol)
    names = splits or data.test_splits()
    rows = find_family(family or ("table-5" if "training" in read_toml(path) else "inference"))
    if rows.rows:
        from geobench.training.ablation import trained_members

        given = train_on or (TRAINING if benchmark == EMBEDDED else benchmark)
        shown = data if given == benchmark else load_benchmark(given)
        folder = trained or Path("trained") / f"{path.stem}-{shown.name}"
        groups = trained_members(
            path, rows, shown, folder, seed=seed, device=device, memory=allowed, aligned=alignment, tell=tell
        )
    else:
        groups = [family_members(str(path), rows, device=device, aligned=alignment)]
    done = []
    for group in groups:
        members = stored(group, store, store_dtype, device)
        jobs = [Job(member, data, name, counted, seed=seed, device=device) for name in names for member in members]
        done += predict_jobs(jobs, runs, fresh=fresh, memory=allowed)
    for run in done:
        score_run(run, data)
    headline = metric.replace("-", "_") if metric else None
    for board in ablation_tables(done, alphas or ALPHAS, headline, intervals):
        click.echo(render(board, style), nl=False)

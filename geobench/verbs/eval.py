"""geobench eval: run a method on a benchmark and score it."""

from __future__ import annotations

from pathlib import Path

import click

from geobench.memory_options import memory_of, memory_options, stored
from geobench.weights_options import weights_of, weights_options


@click.command(
    "eval", epilog="Example: geobench eval --method dense-sift --benchmark quadrupeds --split test/intra-species"
)
@click.option(
    "--method", required=True, help="Catalogue name, recipe.toml, file.py:Class, module:Class, or entry point."
)
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds.")
@click.option("--split", "splits", multiple=True, help="May be repeated; every test split by default.")
@click.option("--protocol", default="default", show_default=True, help="Preset name or path of a .toml file.")
@click.option("--metric", type=click.Choice(["per-image", "per-point", "both"]), default="both", show_default=True)
@click.option(
    "--alpha", "alphas", type=float, multiple=True, help="Thresholds to print; all of the protocol by default."
)
@click.option("--limit", type=int, help="Ask only so many pairs, spread evenly; stays off leaderboards.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@weights_options
@memory_options
@click.option("--runs", default="runs", show_default=True, type=click.Path(path_type=Path), help="Folder for runs.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
@click.option("--fresh", is_flag=True, help="Start over instead of completing or reusing a run.")
@click.option(
    "--save-similarity",
    "heat_maps",
    multiple=True,
    help="Names of keypoints, with commas or repeated: keep their heat maps in the run's folder.",
)
def command(
    method: str,
    benchmark: str,
    splits: tuple[str, ...],
    protocol: str,
    metric: str,
    alphas: tuple[float, ...],
    limit: int | None,
    seed: int,
    device: str,
    weights: tuple[str, ...],
    random_weights: str | None,
    memory: str | None,
    store: Path | None,
    store_dtype: str,
    runs: Path,
    images: Path | None,
    fresh: bool,
    heat_maps: tuple[str, ...],
) -> int:
    """Run METHOD on BENCHMARK, score it, and print the scores. An interrupted run goes on where it was."""
    from geobench.api import load_benchmark
    from geobench.evaluation.job import Job
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.runner import predict_jobs
    from geobench.evaluation.scoring import score_run
    from geobench.evaluation.similarity_maps import check_similarity, save_similarity
    from geobench.methods.loader import load_method
    from geobench.reporting.scores_text import failure_text, scores_text

    allowed, data = memory_of(memory), load_benchmark(benchmark, images=images)
    names = splits or data.test_splits()
    plain, counted = (
        load_method(method, device=device, weights=weights_of(weights, random_weights)),
        find_protocol(protocol),
    )
    (loaded,) = stored([plain], store, store_dtype, device)
    jobs = [Job(loaded, data, name, counted, limit=limit, seed=seed, device=device) for name in names]
    keypoints = [name.strip() for names_given in heat_maps for name in names_given.split(",") if name.strip()]
    if keypoints:
        check_similarity(loaded, data, keypoints)
    done = predict_jobs(jobs, runs, fresh=fresh, memory=allowed)
    for job, run in zip(jobs, done, strict=True):
        for path in save_similarity(job, run, keypoints, allowed) if keypoints else ():
            click.echo(f"heat maps in {path}")
        click.echo(scores_text(run, score_run(run, data), metric, alphas))
        click.echo(failure_text(run), err=True, nl=bool(failure_text(run)))
    return int(any(run.record.status == "failed" for run in done))

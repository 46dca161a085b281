"""geobench kap: keypoint average precision, whether a method knows what the other image does not show."""

from __future__ import annotations

from pathlib import Path

import click

from geobench.memory_options import memory_of, memory_options, stored
from geobench.weights_options import weights_of, weights_options


@click.command(epilog="Example: geobench kap --method dense-sift --benchmark quadrupeds --limit 200")
@click.option("--method", required=True, help="A recipe of [[features]], by catalogue name or path.")
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds.")
@click.option("--split", "splits", multiple=True, help="May be repeated; every test split by default.")
@click.option("--protocol", default="default", show_default=True, help="Decides direction, frame and sizes.")
@click.option("--limit", type=int, help="Ask only so many pairs, spread evenly.")
@click.option("--legacy", is_flag=True, help="Sample as the authors' code does, hidden keypoints as positives too.")
@click.option("--intervals", is_flag=True, help="Show confidence intervals; CSV always has them.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@weights_options
@memory_options
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
def command(
    method: str,
    benchmark: str,
    splits: tuple[str, ...],
    protocol: str,
    limit: int | None,
    legacy: bool,
    intervals: bool,
    seed: int,
    device: str,
    weights: tuple[str, ...],
    random_weights: str | None,
    memory: str | None,
    store: Path | None,
    store_dtype: str,
    images: Path | None,
    style: str,
) -> None:
    """Show the keypoint average precision of METHOD on BENCHMARK; nothing is kept."""
    from geobench.api import load_benchmark
    from geobench.evaluation.bootstrap import Bootstrap
    from geobench.evaluation.job import Job
    from geobench.evaluation.presence_run import presence_scores
    from geobench.evaluation.protocol import find_protocol
    from geobench.methods.loader import load_method
    from geobench.reporting.presence_table import presence_text

    data, counted = load_benchmark(benchmark, images=images), find_protocol(protocol)
    plain = load_method(method, device=device, weights=weights_of(weights, random_weights))
    (loaded,) = stored([plain], store, store_dtype, device)
    bootstrap = Bootstrap() if intervals or style == "csv" else None
    for name in splits or data.test_splits():
        job = Job(loaded, data, name, counted, limit=limit, seed=seed, device=device)
        scores = presence_scores(job, legacy=legacy, memory=memory_of(memory), bootstrap=bootstrap)
        click.echo(presence_text(job, scores, style, legacy=legacy, bootstrap=bootstrap), nl=style == "table")

"""geobench build-splits: raw dataset -> benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command("build-splits", epilog="Example: geobench build-splits ap10k --source raw/ap-10k --out benchmarks/ap10k")
@click.argument("dataset")
@click.option("--source", required=True, type=click.Path(path_type=Path), help="Folder of the raw dataset.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the benchmark to.")
@click.option("--seed", type=int, help="Seed of the pair sampling; the card's by default (AP-10K: 42).")
@click.option("--require-images", is_flag=True, help="Refuse to build when an image file is absent.")
@click.option("--no-crowd-list", is_flag=True, help="Go on without AP-10K's list of crowded images; recorded.")
@click.option("--skip-invalid", is_flag=True, help="Leave malformed records out, and record which.")
@click.option(
    "--pair-annotations",
    type=click.Path(path_type=Path),
    help="Import the authors' PairAnnotation folder instead of sampling.",
)
@click.option("--layout", type=click.Choice(["large", "small"]), help="Which of SPair-71k's lists of pairs.")
def command(
    dataset: str,
    source: Path,
    out: Path,
    seed: int | None,
    require_images: bool,
    no_crowd_list: bool,
    skip_invalid: bool,
    pair_annotations: Path | None,
    layout: Literal["large", "small"] | None,
) -> None:
    """Build the correspondence benchmark DATASET (a name of `geobench list datasets`, or a card.toml)."""
    from geobench.builders.options import BuildOptions, build_benchmark
    from geobench.catalog import find_card
    from geobench.progress import progress_callback
    from geobench.reporting.inspection import inspect_benchmark, inspection_text

    with progress_callback(f"building {dataset}", "step") as show:
        options = BuildOptions(seed, require_images, not no_crowd_list, skip_invalid, pair_annotations, layout, show)
        benchmark = build_benchmark(find_card(dataset), source, options)
        folder = benchmark.save(out)
    click.echo(inspection_text(inspect_benchmark(benchmark)))
    click.echo(f"\nwritten to {folder}")

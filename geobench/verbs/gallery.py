"""geobench gallery: see the keypoints of a benchmark's pairs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: geobench gallery quadrupeds --out gallery")
@click.argument("benchmark")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write the pictures to.")
@click.option("--split", help="One split; every test split by default.")
@click.option("--pairs", default=12, show_default=True, help="How many pairs per split, drawn at random.")
@click.option("--seed", default=0, show_default=True, help="Of the drawing.")
@click.option("--side", default=320, show_default=True, help="Pixels of the longer side of each image.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
def command(
    benchmark: str, out: Path, split: str | None, pairs: int, seed: int, side: int, images: Path | None
) -> None:
    """Draw pairs of BENCHMARK with their keypoints: geometry-aware ones yellow, the others blue."""
    from geobench.api import load_benchmark
    from geobench.reporting.gallery import save_gallery

    data = load_benchmark(benchmark, images=images)
    for path in save_gallery(data, out, split=split, pairs=pairs, seed=seed, side=side):
        click.echo(f"written to {path}")

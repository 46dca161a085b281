"""geobench draw: see the matches of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="Example: geobench draw runs/quadrupeds/test/intra-species/dense-sift/0123456789ab --out matches.png"
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="PNG file to write.")
@click.option("--pairs", default=6, show_default=True, help="How many pairs to draw, spread evenly over the run.")
@click.option("--pair", "chosen", type=int, multiple=True, help="Draw these pair numbers instead; may be repeated.")
@click.option("--alpha", default=0.10, show_default=True, help="The PCK threshold that decides right or wrong.")
@click.option("--similarity", "keypoint", help="Draw the saved heat map of this keypoint (eval --save-similarity).")
@click.option("--benchmark", help="The benchmark it ran on, when it is no longer where it was.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
def command(
    run: Path,
    out: Path,
    pairs: int,
    chosen: tuple[int, ...],
    alpha: float,
    keypoint: str | None,
    benchmark: str | None,
    images: Path | None,
) -> None:
    """Draw matches of RUN side by side: green lines are right, red ones wrong."""
    from geobench.api import load_benchmark
    from geobench.evaluation.runs import load_run
    from geobench.reporting.run_matches import save_run_matches

    found = load_run(run)
    data = load_benchmark(benchmark or found.record.benchmark.folder, images=images)
    if keypoint is not None:
        from geobench.reporting.heat_map import save_heat_maps

        written = save_heat_maps(found, data, out, keypoint, count=pairs, chosen=chosen, alpha=alpha)
        click.echo(f"written to {written}")
        return
    click.echo(f"written to {save_run_matches(found, data, out, count=pairs, chosen=chosen, alpha=alpha)}")

"""geobench train: train the post-processor of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geobench.weights_options import weights_of, weights_options


@click.command(epilog="Example: geobench train quadnet-supervised --benchmark quadrupeds --out trained/quadnet")
@click.argument("recipe")
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for weights, state and logs.")
@click.option("--split", help="Pairs to train on; the recipe's by default.")
@click.option("--validation", help="Pairs to validate on; the first val split by default.")
@click.option("--start", type=click.Path(path_type=Path), help="Begin with these weights: a file, or a trained folder.")
@click.option("--epochs", type=int, help="The recipe's by default.")
@click.option("--batch", type=int, help="Pairs per step; the recipe's by default.")
@click.option("--learning-rate", type=float, help="The recipe's by default.")
@click.option("--pairs", type=int, help="Train on only so many pairs, spread evenly.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True)
@click.option(
    "--memory", metavar="SIZE", help="What descriptions of a process may take, as in 8GB; half of the free by default."
)
@weights_options
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
@click.option("--fresh", is_flag=True, help="Begin again instead of going on.")
def command(
    recipe: str,
    benchmark: str,
    out: Path,
    start: Path | None,
    seed: int,
    device: str,
    precision: Any,
    memory: str | None,
    weights: tuple[str, ...],
    random_weights: str | None,
    images: Path | None,
    fresh: bool,
    **given: Any,
) -> int:
    """Train the post-processor of RECIPE on the pairs of a benchmark; an interrupted training goes on where it was.

    Several GPUs: accelerate launch --num_processes 4 -m geobench train RECIPE --device cuda ...
    """
    from accelerate import PartialState

    from geobench.api import load_benchmark
    from geobench.catalog import recipe_path
    from geobench.device import check_device
    from geobench.memory_options import memory_of
    from geobench.training.train import TrainingJob, train

    check_device(device)
    job = TrainingJob(
        recipe=recipe_path(recipe),
        benchmark=load_benchmark(benchmark, images=images),
        out=out,
        start=start,
        changes={name: value for name, value in given.items() if value is not None},
        seed=seed,
        device=device,
        precision=precision,
        memory=memory_of(memory),
        weights=weights_of(weights, random_weights),
        fresh=fresh,
    )
    try:
        done = train(job)
    except KeyboardInterrupt:
        click.echo(f"geobench: interrupted; the same command goes on from {out}", err=True)
        return 1
    if not PartialState().is_main_process:
        return 0
    best = "" if done.best is None else f"; best validation PCK@0.1 {100 * done.best:.1f} at step {done.best_step:,}"
    click.echo(
        f"{done.step:,} steps{best}\ntrained: {out}\nevaluate it: geobench eval --method {out} --benchmark {benchmark}"
    )
    return 0

"""Trains quadnet: ``python -m geobench.training.quadnet --out FILE.safetensors``; docs/quadnet.md has its time.

A program of the repository, no verb: users of geobench have its weights in the package.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click
import torch
from safetensors.torch import save
from torch import Tensor

from geobench.files import write_bytes
from geobench.progress import progress_callback
from geobench.training.quadnet.loop import Plan, train
from geobench.training.quadnet.views import render_views


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--pictures", default=4000, show_default=True, type=click.IntRange(1), help="Pictures to train on.")
@click.option("--species", default=400, show_default=True, type=click.IntRange(1), help="Invented species on them.")
@click.option("--steps", default=Plan.steps, show_default=True, type=click.IntRange(1), help="Batches of 16 pictures.")
@click.option("--seed", default=Plan.seed, show_default=True, type=click.IntRange(0), help="Of the optimisation.")
def command(out: Path, pictures: int, species: int, steps: int, seed: int) -> None:
    """Render invented animals, train quadnet on them with one thread, and write its weights as float16."""
    started = time.perf_counter(), time.process_time()
    with progress_callback("rendering invented animals", "picture") as show:
        views = render_views(pictures, species, progress=show)
    _say("rendered", started)
    with progress_callback("training quadnet", "step") as show:
        state = train(views, Plan(steps=steps, seed=seed), _reporter(steps, show))
    write_bytes(out, save(packed(state)))
    _say(f"trained; wrote {out}", started)


def packed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with its floating-point tensors as float16."""
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def _reporter(steps: int, show: Callable[[int, int], None]) -> Callable[[int, float, float], None]:
    """Return what tells the mean losses of every hundred steps."""
    kept: list[tuple[float, float]] = []

    def report(step: int, alike: float, stance: float) -> None:
        show(step + 1, steps)
        kept.append((alike, stance))
        if (step + 1) % 100 == 0:
            means = torch.tensor(kept[-100:]).mean(0).tolist()
            click.echo(f"step {step + 1}: contrast {means[0]:.3f}, stance {means[1]:.3f}")

    return report


def _say(what: str, started: tuple[float, float]) -> None:
    wall, processor = time.perf_counter() - started[0], time.process_time() - started[1]
    click.echo(f"{what}: {wall:.0f} s since the start, {processor:.0f} s of processor time")


if __name__ == "__main__":
    command()

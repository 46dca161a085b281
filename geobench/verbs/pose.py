"""geobench pose: do features know which way an animal faces?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from geobench.evaluation.pose_run import PoseRun


@click.command(epilog="Example: geobench pose --method dense-sift --benchmark quadrupeds --limit 40 --published")
@click.option("--method", "methods", required=True, multiple=True, help="As for eval; may be repeated.")
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds; must know azimuth.")
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    help="Folder of images <set>_<view>.*, views back, front, left, right; chosen from the benchmark by default.",
)
@click.option(
    "--left-shows",
    type=click.Choice(["left-side", "right-side"]),
    default="left-side",
    show_default=True,
    help="Which side of the animal the folder's images called left show; GeoAware-SC's: right-side.",
)
@click.option("--sets", type=click.IntRange(min=1), default=3, show_default=True, help="Sets to choose, if no folder.")
@click.option("--tolerance", default=22.5, show_default=True, help="A target's largest distance to a view, degrees.")
@click.option("--unseen-categories", is_flag=True, help="No targets of the categories that the templates show.")
@click.option("--limit", type=int, help="Only so many targets, spread evenly.")
@click.option("--resolution", type=click.IntRange(4, 512), default=128, show_default=True, help="Pixels per side.")
@click.option(
    "--mask",
    type=click.Choice(["dataset", "box", "sam"]),
    default="dataset",
    show_default=True,
    help="Where the targets' masks come from; dataset: the box where there is none.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
@click.option("--intervals", is_flag=True, help="Show the confidence interval of every figure; JSON always has them.")
@click.option("--published", is_flag=True, help="Add the rows printed in the paper, marked as printed.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write everything, target by target, as JSON.")
def command(
    methods: tuple[str, ...],
    benchmark: str,
    templates: Path | None,
    left_shows: Any,
    sets: int,
    tolerance: float,
    unseen_categories: bool,
    limit: int | None,
    resolution: int,
    mask: Any,
    seed: int,
    device: str,
    images: Path | None,
    style: str,
    as_json: bool,
    intervals: bool,
    published: bool,
    out: Path | None,
) -> None:
    """Tell each instance's view by its distance to pose templates, and print how often that is right.

    L/R: left from right, for instances seen from a side. F/B: front from back, for the others. L/R or F/B: each
    instance along its own axis. L/R/F/B: one of four. A recipe's features are used, not its matcher.
    """
    from geobench.api import load_benchmark
    from geobench.evaluation.pose_awareness import DistanceSettings
    from geobench.evaluation.pose_run import PoseTask, run_pose
    from geobench.evaluation.pose_templates import chosen_templates, folder_templates
    from geobench.methods.loader import load_method

    loaded = [load_method(name, device=device) for name in dict.fromkeys(methods)]
    data = load_benchmark(benchmark, images=images)
    chosen = folder_templates(templates, left_shows) if templates else chosen_templates(data, sets, tolerance)
    settings = DistanceSettings(resolution, mask=mask)
    task = PoseTask.of(data, chosen, tolerance, unseen_categories=unseen_categories, limit=limit, seed=seed)
    runs = [run_pose(method, task, settings) for method in loaded]
    _report(runs, style=style, as_json=as_json, intervals=intervals, published=published, out=out)


def _report(
    runs: list[PoseRun], *, style: str, as_json: bool, intervals: bool, published: bool, out: Path | None
) -> None:
    from geobench.evaluation.bootstrap import Bootstrap
    from geobench.files import write_json
    from geobench.reporting.pose_table import board_of_runs, record_of_runs
    from geobench.reporting.tables import render

    if out is not None:
        write_json(out, record_of_runs(runs, targets=True))
    if as_json:
        click.echo(json.dumps(record_of_runs(runs), indent=2, ensure_ascii=False))
    else:
        click.echo(render(board_of_runs(runs, published, Bootstrap() if intervals else None), style), nl=False)

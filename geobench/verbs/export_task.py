"""geobench export-task: a split for people who only want to predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from geobench.evaluation.task_export import Images


@click.command(
    "export-task",
    epilog="Example: geobench export-task quadrupeds --split test/cross-family --out task --with-images copy",
)
@click.argument("benchmark")
@click.option("--split", required=True, help="The split whose pairs are asked.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--with-images", type=click.Choice(["copy", "link"]), help="Put the images and masks into the folder too."
)
@click.option("--protocol", default="default", show_default=True, help="Preset name or path of a .toml file.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the images, when they moved.")
def command(
    benchmark: str, split: str, out: Path, with_images: Images | None, protocol: str, images: Path | None
) -> None:
    """Write the images list, pairs and query points of a split of BENCHMARK to a folder, without the true answers.

    Its README.md says what to write, and the command that imports it.
    """
    from geobench.api import load_benchmark
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.task_export import export_task
    from geobench.progress import progress_callback

    counted, data = find_protocol(protocol), load_benchmark(benchmark, images=images)
    with progress_callback(f"exporting {data.name}", "file") as show:
        folder = export_task(data, split, out, counted, with_images, show)
    click.echo(f"written to {folder}")

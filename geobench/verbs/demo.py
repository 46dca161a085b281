"""geobench demo: everything, offline, on a CPU."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: geobench demo --out demo")
@click.option("--out", default="demo", show_default=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--images", type=int, help="About how many images to render; the whole benchmark by default.")
def command(out: Path, images: int | None) -> None:
    """Build the embedded benchmark, run six methods on it, and show the leaderboard."""
    from geobench.demo import demonstrate
    from geobench.reporting.tables import render

    made = demonstrate(out, images=images, say=click.echo)
    click.echo(f"\n{render(made.board, 'table')}")
    width = max(len(str(path)) for path, _ in made.written)
    click.echo("\n".join(f"{path!s:<{width}}  {what}" for path, what in made.written))

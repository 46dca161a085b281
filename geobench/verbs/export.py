"""geobench export: a benchmark in the layout of other people's code."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: geobench export benchmarks/ap10k --layout geoaware-sc --out data/ap-10k")
@click.argument("benchmark")
@click.option("--layout", type=click.Choice(["geoaware-sc"]), default="geoaware-sc", show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def command(benchmark: str, layout: str, out: Path) -> None:  # noqa: ARG001
    """Write BENCHMARK in the folder layout that the GeoAware-SC code reads."""
    from geobench.api import load_benchmark
    from geobench.builders.export_geoaware import export_geoaware_sc
    from geobench.progress import progress_callback

    with progress_callback(f"exporting {benchmark}", "file") as show:
        folder = export_geoaware_sc(load_benchmark(benchmark), out, show)
    click.echo(f"written to {folder}")

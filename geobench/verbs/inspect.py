"""geobench inspect: what is in a benchmark."""

from __future__ import annotations

import json

import click


@click.command(epilog="Example: geobench inspect benchmarks/ap10k --json | jq .splits")
@click.argument("benchmark")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def command(benchmark: str, as_json: bool) -> None:
    """Show counts per split, geometry-aware shares, images per category, fingerprint and licence."""
    from geobench.api import load_benchmark
    from geobench.reporting.inspection import inspect_benchmark, inspection_text

    found = inspect_benchmark(load_benchmark(benchmark))
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else inspection_text(found))

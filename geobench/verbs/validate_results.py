"""geobench validate-results: is a repository of results sound?"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("validate-results", epilog="Example: geobench validate-results results")
@click.argument("folder", type=click.Path(path_type=Path), default="results")
@click.option("--benchmark", "benchmarks", multiple=True, help="Folder of one, to count again on; may be repeated.")
@click.option("--recount/--no-recount", default=True, show_default=True, help="Count scores again from predictions.")
def command(folder: Path, benchmarks: tuple[str, ...], recount: bool) -> None:
    """Check the repository of results FOLDER (results by default): layout, records, duplicates and scores.

    Scores are counted again from the predictions where the benchmark is at hand: quadrupeds always is, others are
    named with --benchmark. The first thing that is wrong is told in one sentence, and the exit code is 1.
    """
    from geobench.api import load_benchmark
    from geobench.results.validate import validate_results

    loaded = [load_benchmark(path) for path in benchmarks]
    found = validate_results(folder, {one.fingerprint: one for one in loaded}, recount=recount)
    click.echo(f"{folder}: sound; " + "; ".join(found.lines()))

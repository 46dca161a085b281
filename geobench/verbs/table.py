"""geobench table: the tables of the paper, from runs and printed figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geobench.errors import UsageError, nearest_names


@click.command(epilog="Example: geobench table 3 runs --benchmark quadrupeds --format latex > table3.tex")
@click.argument("which", type=click.Choice(["2", "3", "4", "5", "pose", "methods"]))
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--benchmark", "benchmarks", multiple=True, help="Show it instead of the paper's; may be repeated.")
@click.option("--metric", type=click.Choice(["per-image", "per-point"]), help="As the paper's table by default.")
@click.option("--protocol", help="Keep only the runs counted under this protocol.")
@click.option("--published", is_flag=True, help="Add the figures printed in the paper, marked, and the differences.")
@click.option("--intervals", is_flag=True, help="Show the confidence intervals of measured figures.")
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
def command(
    which: str,
    runs: tuple[Path, ...],
    benchmarks: tuple[str, ...],
    metric: str | None,
    protocol: str | None,
    published: bool,
    intervals: bool,
    style: str,
) -> None:
    """Lay out a table of the paper from all runs below the folders RUNS.

    2: categories; 3: thresholds; 4: geometry-aware subset; 5: ablation; pose: RUNS are files of `geobench pose --out`;
    methods: licence, backbone, training data and parameters. What was not measured is a dash, and below the table is
    the command that measures it.
    """
    from geobench.reporting.paper_text import render_paper

    if which == "methods":
        from geobench.reporting.method_notes import notes_table
        from geobench.reporting.plain_table import render_plain

        if runs or benchmarks or metric or protocol or published or intervals:
            raise UsageError("the table of methods takes --format alone; leave the rest out")
        click.echo(render_plain(notes_table(), style), nl=False)
        return
    if which == "pose":
        from geobench.reporting.paper_pose import pose_paper

        if benchmarks or metric or protocol:
            raise UsageError("the pose table takes files of geobench pose --out, and no benchmark, metric or protocol")
        click.echo(render_paper(pose_paper(runs, published, intervals), style), nl=False)
        return
    from geobench.evaluation.runs import find_runs
    from geobench.reporting.paper_ablation import ablation_papers
    from geobench.reporting.paper_tables import paper_tables

    below = find_runs(list(runs)) if runs else []
    found = [run for run in below if protocol in (None, run.record.protocol["name"])]
    if protocol is not None and not found:
        counted_as = sorted({str(run.record.protocol["name"]) for run in below})
        raise UsageError(f"no run is counted under protocol {protocol!r}{nearest_names(protocol, counted_as)}")
    counted = metric.replace("-", "_") if metric else None
    options: dict[str, Any] = {"metric": counted, "published": published, "intervals": intervals}
    if which == "5":
        tables = ablation_papers(found, benchmarks=benchmarks, **options)
    else:
        tables = paper_tables(which, found, benchmarks=benchmarks, **options)
    click.echo("\n".join(render_paper(table, style) for table in tables), nl=False)

"""geobench import: predictions that were made elsewhere."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "import",
    epilog="Example: geobench import answers.csv --benchmark quadrupeds --split test/cross-family --name my-method",
)
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option("--benchmark", required=True, help="Folder written by build-splits, or quadrupeds.")
@click.option("--split", required=True, help="The split whose pairs they answer.")
@click.option("--name", required=True, help="Of the method: the name of its folder, of a-z 0-9 . _ -.")
@click.option("--title", default="", help="Of the method, in tables; its name by default.")
@click.option("--setting", default="", help="Kind of supervision, in tables: unsupervised, supervised …")
@click.option("--source", default="", help="Who or what made the file: a code base and its commit, a paper, a person.")
@click.option(
    "--frame",
    default="original",
    show_default=True,
    help="What the coordinates are in: original pixels, pad:SIDE, squash:SIDE, longest-side:SIDE.",
)
@click.option("--protocol", default="default", show_default=True, help="Preset name or path of a .toml file.")
@click.option("--fingerprint", help="Of the benchmark they were made for, or its first 8 digits or more.")
@click.option("--mirror-index", is_flag=True, help="The method was told which query points are mirror partners (†).")
@click.option("--allow-nan", is_flag=True, help="NaN stands for a failure of the method and counts as wrong.")
@click.option(
    "--check-frame/--no-check-frame",
    default=True,
    show_default=True,
    help="Refuse coordinates that another frame would fit much better.",
)
@click.option("--runs", default="runs", show_default=True, type=click.Path(path_type=Path), help="Folder for runs.")
def command(
    predictions: Path,
    benchmark: str,
    split: str,
    name: str,
    title: str,
    setting: str,
    source: str,
    frame: str,
    protocol: str,
    fingerprint: str | None,
    mirror_index: bool,
    allow_nan: bool,
    check_frame: bool,
    runs: Path,
) -> int:
    """Make a run of PREDICTIONS (.csv, .parquet, .npz or .json) of any method, score it, and print the scores.

    Columns: pair (or source and target), keypoint, x and y; docs/predictions.md has the whole of it. Every pair and
    keypoint of the split must be there once.
    """
    from geobench.api import load_benchmark
    from geobench.evaluation.answer_frames import parse_frame
    from geobench.evaluation.importing import Import, import_predictions
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.scoring import score_run
    from geobench.reporting.scores_text import failure_text, scores_text

    entered, counted = parse_frame(frame), find_protocol(protocol)
    data = load_benchmark(benchmark)
    wanted = Import(
        path=predictions,
        benchmark=data,
        split=split,
        protocol=counted,
        name=name,
        title=title,
        setting=setting,
        source=source,
        frame=entered,
        fingerprint=fingerprint,
        uses_mirror_index=mirror_index,
        allow_nan=allow_nan,
        check_frame=check_frame,
    )
    run = import_predictions(wanted, runs)
    click.echo(scores_text(run, score_run(run, data)))
    click.echo(failure_text(run), err=True, nl=bool(failure_text(run)))
    return int(run.record.status == "failed")

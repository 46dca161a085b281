"""geobench errors: what kinds of error runs make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geobench.errors import UsageError
from geobench.interval_options import drawn_option

if TYPE_CHECKING:
    from geobench.evaluation.bootstrap import Drawn
    from geobench.evaluation.on_instance import Extent

_BY = ("category", "azimuth", "keypoint", "type", "visible", "difficulty")


@click.command(epilog="Example: geobench errors runs/quadrupeds/test/cross-species --by azimuth")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--by", multiple=True, type=click.Choice(_BY), help="Divide the answers too; may be repeated.")
@click.option("--alpha", type=click.FloatRange(min=0, min_open=True), default=0.10, show_default=True)
@click.option("--protocol", help="Count in another way that asks the same; the runs' own by default.")
@click.option("--benchmark", help="The benchmark they ran on, when it is no longer where it was.")
@click.option(
    "--extent",
    type=click.Choice(["mask", "box"]),
    default="mask",
    show_default=True,
    help="What is on the instance: its mask where the dataset has one, or its box.",
)
@click.option("--intervals", is_flag=True, help="Show confidence intervals; CSV always has them.")
@drawn_option
@click.option("--confusion", is_flag=True, help="Show which keypoint is taken for which, of one run.")
@click.option("--category", help="With --confusion: count the pairs of one label only.")
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
@click.pass_context
def command(
    context: click.Context,
    runs: tuple[Path, ...],
    by: tuple[str, ...],
    alpha: float,
    protocol: str | None,
    benchmark: str | None,
    extent: Extent,
    intervals: bool,
    drawn: Drawn,
    confusion: bool,
    category: str | None,
    style: str,
) -> None:
    """Show what kinds of error the runs below the folders RUNS make: swaps, near misses, background.

    Every answer is of one kind; what decides is in docs/errors.md. Runs of different protocols are not put together.
    """
    from geobench.api import load_benchmark
    from geobench.evaluation.bootstrap import Bootstrap
    from geobench.evaluation.protocol import find_protocol
    from geobench.evaluation.runs import find_runs
    from geobench.reporting.errors_text import confusion_text, errors_text

    _check_options(context, confusion=confusion)
    found = find_runs(list(runs))
    data = load_benchmark(benchmark) if benchmark else None
    counted = find_protocol(protocol) if protocol else None
    if confusion:
        text = confusion_text(found, style, benchmark=data, protocol=counted, category=category)
    else:
        bootstrap = Bootstrap(drawn=drawn) if intervals or style == "csv" else None
        text = errors_text(
            found, style, benchmark=data, protocol=counted, alpha=alpha, by=by, extent=extent, bootstrap=bootstrap
        )
    click.echo(text, nl=False)


def _check_options(context: click.Context, *, confusion: bool) -> None:
    """Refuse what would be passed over: options of the other kind of table."""
    for name in ("by", "alpha", "extent", "intervals", "drawn") if confusion else ("category",):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            if confusion:
                raise UsageError(f"--{name} does not go with --confusion; leave one of them out")
            raise UsageError(f"--{name} goes with --confusion only; leave it out")

"""geobench protocols: the ways of counting, side by side."""

from __future__ import annotations

import click


@click.command(epilog="Example: geobench protocols default geoaware-sc cats")
@click.argument("names", nargs=-1)
@click.option(
    "--format", "style", type=click.Choice(["table", "csv", "markdown", "latex"]), default="table", show_default=True
)
@click.option("--sources", is_flag=True, help="Show the files and sections that each protocol is read from.")
def command(names: tuple[str, ...], style: str, sources: bool) -> None:
    """Show every rule of the protocols NAMES (presets or .toml files; all presets by default) side by side."""
    from geobench.evaluation.protocol import find_protocol, protocol_names
    from geobench.reporting.plain_table import frame_csv, render_plain
    from geobench.reporting.protocols_text import protocols_frame, protocols_table, sources_table

    protocols = [find_protocol(name) for name in names or protocol_names()]
    if style == "csv":
        click.echo(frame_csv(protocols_frame(protocols)), nl=False)
    else:
        click.echo(render_plain((sources_table if sources else protocols_table)(protocols), style), nl=False)

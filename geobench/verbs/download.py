"""geobench download: fetch the raw files of a dataset."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: geobench download spair71k --to raw/spair71k")
@click.argument("dataset")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="Folder for the raw files.")
@click.option("--offline", is_flag=True, help="Open no connection; unpack and check archives that are there.")
def command(dataset: str, folder: Path, offline: bool) -> None:
    """Fetch DATASET from its official places: resumed where it broke off, checked, unpacked.

    Run it again after an interruption; what has arrived is kept. Licences that must be accepted by hand are named.
    """
    from geobench.builders.download import download
    from geobench.catalog import find_card
    from geobench.progress import progress_callback

    card = find_card(dataset)
    click.echo(f"{card.title}: licence {card.licence}")
    with progress_callback(f"fetching {card.name}", "B") as show:
        told = download(card, folder, offline=offline, show=show)
    click.echo("\n".join(told))

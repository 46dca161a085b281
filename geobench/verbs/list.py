"""geobench list: what there is to choose from."""

from __future__ import annotations

import click


@click.command("list", epilog="Example: geobench list methods")
@click.argument("what", type=click.Choice(["datasets", "methods", "protocols"]))
def command(what: str) -> None:
    """Show the datasets, methods or protocols of the catalogue."""
    click.echo({"datasets": _datasets, "methods": _methods, "protocols": _protocols}[what]())


def _datasets() -> str:
    from geobench.catalog import card_names, find_card
    from geobench.reporting.dataset_list import dataset_list

    return dataset_list([find_card(name) for name in card_names()])


def _table(rows: list[tuple[str, ...]]) -> str:
    from tabulate import tabulate

    return tabulate(rows[1:], rows[0], tablefmt="simple", maxcolwidths=[None, 44, None])


def _methods() -> str:
    from geobench.catalog import find_recipe_path
    from geobench.methods.loader import method_names
    from geobench.methods.recipe import Recipe
    from geobench.typed_toml import load_model

    rows: list[tuple[str, ...]] = [("name", "title", "setting")]
    for name in method_names():
        path = find_recipe_path(name)
        recipe = load_model(path, Recipe) if path else Recipe(title="(installed plug-in)")
        rows.append((name, recipe.title, recipe.setting))
    return _table(rows)


def _protocols() -> str:
    from geobench.evaluation.protocol import find_protocol, protocol_names

    presets = [find_protocol(name) for name in protocol_names()]
    rows = [(p.name, p.title, p.comparison, p.averaging) for p in presets]
    return _table([("name", "title", "comparison", "headline"), *rows])

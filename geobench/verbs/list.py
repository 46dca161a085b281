"""geobench list: what there is to choose from."""

from __future__ import annotations

import click


@click.command("list", epilog="Example: geobench list methods")
@click.argument("what", type=click.Choice(["datasets", "methods", "protocols"]))
def command(what: str) -> None:
    """Show the datasets, methods or protocols of the catalogue."""
    from tabulate import tabulate

    rows = {"datasets": _datasets, "methods": _methods, "protocols": _protocols}[what]()
    click.echo(tabulate(rows[1:], rows[0], tablefmt="simple", maxcolwidths=[None, 44, None]))


def _datasets() -> list[tuple[str, ...]]:
    from geobench.catalog import card_names, find_card

    cards = [find_card(name) for name in card_names()]
    return [("name", "title", "threshold", "licence"), *((c.name, c.title, c.threshold, c.licence) for c in cards)]


def _methods() -> list[tuple[str, ...]]:
    from geobench.catalog import find_recipe_path
    from geobench.methods.loader import method_names
    from geobench.methods.recipe import Recipe
    from geobench.typed_toml import load_model

    rows: list[tuple[str, ...]] = [("name", "title", "setting")]
    for name in method_names():
        path = find_recipe_path(name)
        recipe = load_model(path, Recipe) if path else Recipe(title="(installed plug-in)")
        rows.append((name, recipe.title, recipe.setting))
    return rows


def _protocols() -> list[tuple[str, ...]]:
    from geobench.evaluation.protocol import find_protocol, protocol_names

    presets = [find_protocol(name) for name in protocol_names()]
    return [
        ("name", "title", "comparison", "headline"),
        *((p.name, p.title, p.comparison, p.averaging) for p in presets),
    ]

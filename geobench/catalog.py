"""Finds dataset cards and method recipes by name or path, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

from geobench.card import Card, load_card
from geobench.errors import InputError, UsageError, nearest_names

_PACKAGE = Path(__file__).parent


def _data_folder(in_checkout: str, in_wheel: str) -> Path:
    for folder in (_PACKAGE / "_data" / in_wheel, _PACKAGE.parent / in_checkout):
        if folder.is_dir():
            return folder
    raise InputError(f"{_PACKAGE}: the installation lacks its {in_wheel!r} data; install geobench again")


def datasets_folder() -> Path:
    """Return the folder with one sub-folder per dataset card."""
    return _data_folder("datasets", "datasets")


def baselines_folder() -> Path:
    """Return the folder with one recipe per leaderboard row."""
    return _data_folder("baselines", "baselines")


def published_folder() -> Path:
    """Return the folder of numbers printed in papers."""
    return _data_folder("results/published", "published")


def card_names() -> list[str]:
    """Return the names of all dataset cards, sorted."""
    return sorted(path.parent.name for path in datasets_folder().glob("*/card.toml"))


def find_card(name_or_path: str | Path) -> Card:
    """Return the card of a dataset, by catalogue name or by path of a ``.toml`` file.

    Raises:
        UsageError: no dataset has this name.
        InputError: the card is malformed.
    """
    if str(name_or_path).endswith(".toml"):
        return load_card(Path(name_or_path))
    path = datasets_folder() / str(name_or_path) / "card.toml"
    if not path.is_file():
        raise UsageError(f"unknown dataset {str(name_or_path)!r}{nearest_names(str(name_or_path), card_names())}")
    return load_card(path)


def recipe_names() -> list[str]:
    """Return the names of all recipes of the catalogue, sorted."""
    return sorted(path.stem for path in baselines_folder().glob("*.toml"))


def find_recipe_path(name: str) -> Path | None:
    """Return the path of the recipe called ``name`` in the catalogue, or None when there is none."""
    path = baselines_folder() / f"{name}.toml"
    return path if path.is_file() else None


def recipe_path(name_or_path: str | Path) -> Path:
    """Return the path of a recipe: by its name in the catalogue, its file, or the folder of a training.

    Raises:
        UsageError: there is none.
    """
    given = Path(name_or_path)
    path = given if given.suffix == ".toml" else given / "recipe.toml"
    found = path if path.is_file() else find_recipe_path(str(name_or_path))
    if found is None:
        raise UsageError(f"unknown recipe {str(name_or_path)!r}{nearest_names(str(name_or_path), recipe_names())}")
    return found

"""What there is to know of a method besides its numbers: licence, backbone, training data, parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from geobench.catalog import find_recipe_path, published_folder, recipe_names
from geobench.errors import InputError, nearest_names
from geobench.reporting.plain_table import PlainTable
from geobench.typed_toml import StrictModel, read_toml, validate

FILE = "methods.toml"
ANY = "*"


class MethodNote(StrictModel):
    """One method of ``results/published/methods.toml``.

    Attributes:
        code: address of the authors' code.
        licence: of the code; ``none`` where the repository states none.
        backbone: what its features come from.
        training: which keypoints it learned from, in words.
        parameters: how many are trained (or the source's own count); None where the authors do not say.
        recipes: the catalogue's recipes that make the method here, by the benchmark they were trained on; under ``*``
            one that was trained on none.
    """

    code: Annotated[str, Field(pattern=r"^https://\S+$")]
    licence: str
    backbone: str
    training: str
    parameters: Annotated[int, Field(ge=1)] | None = None
    recipes: dict[str, str] = {}


def load_method_notes(folder: Path | None = None) -> dict[str, MethodNote]:
    """Return the notes by the name that a method has in the published tables, in the file's order.

    Args:
        folder: where ``methods.toml`` lies; the folder that comes with geobench when left out.

    Raises:
        InputError: the file is missing or malformed, or names a recipe that the catalogue lacks.
    """
    path = (folder or published_folder()) / FILE
    found = {name: validate(_table(path, name, values), MethodNote, f"{path}: {name}") for name, values in _read(path)}
    for name, note in found.items():
        for recipe in note.recipes.values():
            if find_recipe_path(recipe) is None:
                raise InputError(f"{path}: {name}: no recipe {recipe!r}{nearest_names(recipe, recipe_names())}")
    return found


def _read(path: Path) -> Iterable[tuple[str, object]]:
    return read_toml(path).items()


def _table(path: Path, name: str, values: object) -> dict[str, object]:
    if not isinstance(values, dict):
        raise InputError(f"{path}: {name}: is no table; write [{name!r}] and its keys below")
    return values


def published_names() -> dict[tuple[str, str], str]:
    """Return the name that a method has in the published tables, by title of its recipe and benchmark or ``*``."""
    names = {}
    for name, note in load_method_notes().items():
        for benchmark, recipe in note.recipes.items():
            names[str(read_toml(find_recipe_path(recipe) or Path(recipe))["title"]), benchmark] = name
    return names


def published_name(names: Mapping[tuple[str, str], str], title: str, benchmark: str) -> str | None:
    """Return the name of :func:`published_names` for a title on a benchmark; None where none was published."""
    return names.get((title, benchmark), names.get((title, ANY)))


def notes_table() -> PlainTable:
    """Return the notes as a table."""
    rows = []
    for name, note in load_method_notes().items():
        count = "" if note.parameters is None else f"{note.parameters / 1e6:g}M"
        rows.append(
            [
                name,
                ", ".join(dict.fromkeys(note.recipes.values())),
                note.licence,
                note.backbone,
                count,
                note.training,
                note.code,
            ]
        )
    header = ["method", "recipes", "licence", "backbone", "parameters", "keypoints it learned from", "code"]
    notes = ["licence none: the repository states none; parameters empty: the authors do not say"]
    return PlainTable(header, rows, "Methods of the published tables", notes, left=len(header))

"""Finds a method by catalogue name, recipe path, ``file.py:Class``, ``module:Class`` or entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from geobench.catalog import find_recipe_path, recipe_names
from geobench.device import check_device
from geobench.errors import InputError, UsageError, nearest_names
from geobench.methods.base import LoadedMethod
from geobench.methods.classes import Found, construct, find_class, hash_of_origin, slug
from geobench.methods.recipe import load_recipe
from geobench.user_code import told

if TYPE_CHECKING:
    from geobench.features.weights import Weights

ENTRY_POINT_GROUP = "geobench.methods"
TRAINED = "recipe.toml"
"""The recipe in a folder that ``geobench train`` left; such a method has the folder's name."""


def load_method(spec: str, *, device: str = "cpu", weights: Weights | None = None) -> LoadedMethod:
    """Return the method that ``spec`` names; a catalogue name wins over an entry point of the same name.

    Args:
        spec: name of a recipe in ``baselines/``, path of a recipe (``.toml``) or of a folder that ``geobench train``
            left, ``path/to/file.py:Class``,
            ``package.module:Class``, or name of an installed entry point in the group ``geobench.methods``.
        device: where it should compute, as torch writes it.
        weights: where the networks of a recipe get their weights from.

    Raises:
        UsageError: nothing has this name (the message suggests the nearest ones), or the device is not here.
        InputError: it was found and cannot be used; the message says why.
    """
    check_device(device)
    found = _load(spec, device, weights)
    if weights is not None and not found.recipe.get("features"):
        raise UsageError(f"{spec}: --weights and --random-weights are for recipes of [[features]]; leave them out")
    return found


def _load(spec: str, device: str, weights: Weights | None) -> LoadedMethod:
    if spec.endswith(".toml"):
        return _from_recipe(Path(spec), spec, device, weights)
    if (Path(spec) / TRAINED).is_file():
        return _from_recipe(Path(spec) / TRAINED, spec, device, weights)
    if ":" in spec:
        return _from_class(find_class(spec), device)
    path = find_recipe_path(spec)
    if path is not None:
        return _from_recipe(path, spec, device, weights)
    for point in entry_points(group=ENTRY_POINT_GROUP, name=spec):
        return _from_entry_point(point, device)
    if spec.endswith(".py"):
        raise UsageError(f"{spec}: name the class as well, as in {spec}:MyMethod")
    raise UsageError(f"unknown method {spec!r}{nearest_names(spec, method_names())}")


def method_names() -> list[str]:
    """Return the names of all recipes of the catalogue and of all installed plug-ins, sorted."""
    return sorted({*recipe_names(), *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def _from_recipe(path: Path, origin: str, device: str, weights: Weights | None) -> LoadedMethod:
    if not path.is_file():
        raise UsageError(f"unknown method: there is no recipe {path}; check the path")
    built = load_recipe(path, device, weights)
    return LoadedMethod(
        method=built.method,
        name=slug(path.resolve().parent.name if path.name == TRAINED else path.stem),
        title=built.recipe["title"],
        setting=built.recipe["setting"],
        origin=origin,
        recipe=built.recipe,
        source_sha256=built.sha256,
        weights=built.weights,
    )


def _from_class(found: Found, device: str) -> LoadedMethod:
    method = construct(found, {}, device)
    return LoadedMethod(
        method=method,
        name=slug(method.name),
        title=str(getattr(method, "title", method.name)),
        setting=str(getattr(method, "setting", "")),
        origin=found.origin,
        source_sha256=found.source_sha256,
    )


def _from_entry_point(point: EntryPoint, device: str) -> LoadedMethod:
    try:
        make = point.load()
    except (Exception, SystemExit) as error:
        raise InputError(f"plug-in {point.name!r} ({point.value}): cannot be imported: {told(error)}") from error
    return _from_class(Found(make, point.name, hash_of_origin(point.module)), device)

"""The parts of a recipe, found by file name: a new extractor or matcher is one new file and no edit elsewhere.

``geobench/features/<extractor>.py`` offers ``Settings`` (a StrictModel) and ``Extractor(settings, device)``, or
``Extractor(settings, device, weights)`` where it has a network;
``geobench/matching/<kind>.py`` offers ``Settings`` and ``Matcher(settings)``; a name's dashes are underscores in the
file's name. A name with a dot is a module of somebody else's that offers the same.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from geobench.errors import InputError, nearest_names
from geobench.seeding import seed_everything
from geobench.user_code import told

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from geobench.features.feature_map import FeatureMap, PooledMaps
    from geobench.features.levels import Levels
    from geobench.features.weights import Weights
    from geobench.picture import Picture

OFFERS = {"geobench.features": "Extractor", "geobench.matching": "Matcher"}
_ROLES = {"geobench.features": "extractor", "geobench.matching": "matcher"}
_KEYS = {"geobench.features": "extractor", "geobench.matching": "kind"}


@runtime_checkable
class Extractor(Protocol):
    """Image to dense feature map, or to several of different resolution.

    One that describes images together has ``batch``, how many at a time, and
    ``many(pictures, seeds) -> list``, which gives each picture the random numbers of its own seed.
    """

    def __call__(self, picture: Picture) -> FeatureMap | Levels:
        """Return the feature map of one image."""
        ...


@runtime_checkable
class Matcher(Protocol):
    """Two feature maps and query points to target points.

    With ``pools_sources = True`` the source may be a ``PooledMaps``: points of several images that share their target.
    """

    def __call__(
        self, source: FeatureMap | PooledMaps, target: FeatureMap, points: Float[Tensor, "n 2"]
    ) -> Float[Tensor, "n 2"]:
        """Return where ``points`` lie in the target image; (x, y) in pixels of the original images."""
        ...


def part_names(package: str) -> list[str]:
    """Return the names of the extractors in ``geobench.features`` or of the matchers in ``geobench.matching``.

    Their files are read, not imported: some need libraries that are slow to load or not installed.
    """
    folder = importlib.import_module(package)
    definition = f"\nclass {OFFERS[package]}"
    files = {m.name: find_spec(f"{package}.{m.name}") for m in pkgutil.iter_modules(folder.__path__)}
    return sorted(
        name.replace("_", "-")
        for name, spec in files.items()
        if spec and spec.origin and definition in Path(spec.origin).read_text(encoding="utf-8")
    )


def find_part(package: str, name: object, where: str) -> ModuleType:
    """Return the module of the extractor or matcher called ``name``.

    Args:
        package: ``geobench.features`` or ``geobench.matching``.
        name: what the recipe says.
        where: file and table of the recipe, for the message.

    Raises:
        InputError: there is none of this name (the nearest are suggested), or it cannot be imported.
    """
    role = _ROLES[package]
    if not isinstance(name, str):
        key = _KEYS[package]
        raise InputError(f"{where}: {key} is missing; add {key} = one of {', '.join(part_names(package))}")
    foreign = "." in name
    if not foreign and name not in part_names(package):
        raise InputError(f"{where}: unknown {role} {name!r}{nearest_names(name, part_names(package))}")
    module = name if foreign else f"{package}.{name.replace('-', '_')}"
    try:
        found = importlib.import_module(module)
    except Exception as error:
        raise InputError(f"{where}: {role} {name!r} cannot be imported: {told(error)}") from error
    missing = [needed for needed in ("Settings", OFFERS[package]) if not hasattr(found, needed)]
    if missing:
        raise InputError(f"{where}: {role} {name!r} has no class {missing[0]}; see docs/methods.md")
    return found


def own_settings(module: ModuleType, values: Any, except_for: set[str]) -> Any:
    """Return the part of a validated table that is the module's own ``Settings``."""
    return module.Settings.model_validate(values.model_dump(exclude=except_for))


def make_extractor(module: ModuleType, settings: Any, device: str, weights: Weights) -> Extractor:
    """Return the extractor of a module; ``weights`` are given to one that asks for them."""
    wants = "weights" in inspect.signature(module.Extractor).parameters
    extractor: Extractor = module.Extractor(settings, device, weights) if wants else module.Extractor(settings, device)
    return extractor


def extract(extractor: Extractor, pictures: Sequence[Picture], seeds: Sequence[int]) -> Sequence[FeatureMap | Levels]:
    """Return what an extractor gives for each picture, drawing random numbers from the picture's own seed.

    Args:
        extractor: one that has ``many`` is called once.
        pictures: the pictures.
        seeds: one per picture.
    """
    together = getattr(extractor, "many", None)
    if together is not None:
        found: Sequence[FeatureMap | Levels] = together(pictures, seeds)
        return found
    alone = []
    for picture, seed in zip(pictures, seeds, strict=True):
        seed_everything(seed)
        alone.append(extractor(picture))
    return alone

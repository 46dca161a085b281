"""What a user may ask of a builder, and how a builder is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from geobench.benchmark import Benchmark
from geobench.card import Card
from geobench.errors import InputError, UsageError
from geobench.typed_toml import StrictModel, validate
from geobench.user_code import import_file

RecipeT = TypeVar("RecipeT", bound=StrictModel)


def _silent(done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class BuildOptions:
    """Options of ``geobench build-splits``; a builder lists the ones it understands in ``OPTIONS``.

    Attributes:
        seed: replaces the seed of the card's split recipe.
        require_images: refuse to build when an annotated image file is absent.
        crowd_list: False to go on without AP-10K's list of crowded images.
        skip_invalid: leave malformed records out and record that, instead of stopping.
        pair_annotations: folder of the authors' own pair files to import instead of sampling pairs.
        layout: which of the published lists of pairs (SPair-71k: ``large`` or ``small``).
        progress: called with (done, total).
    """

    seed: int | None = None
    require_images: bool = False
    crowd_list: bool = True
    skip_invalid: bool = False
    pair_annotations: Path | None = None
    layout: Literal["large", "small"] | None = None
    progress: Callable[[int, int], None] = field(default=_silent, compare=False)

    def changed(self) -> set[str]:
        """Return the names of the options that differ from their defaults."""
        return {f.name for f in fields(self) if f.compare and getattr(self, f.name) != f.default}


def split_recipe(card: Card, options: BuildOptions, model: type[RecipeT]) -> RecipeT:
    """Return the table ``[splits]`` of a card, with the seed of the options where they have one.

    Raises:
        InputError: the table does not fit the model.
    """
    recipe = validate(card.splits, model, f"card {card.name}: [splits]")
    return recipe if options.seed is None else recipe.model_copy(update={"seed": options.seed})


def build_benchmark(card: Card, source: Path, options: BuildOptions | None = None) -> Benchmark:
    """Return the benchmark that the card's builder makes of the raw dataset in ``source``.

    Raises:
        UsageError: an option is given that this builder does not have.
        InputError: the raw data or the card's builder is missing or malformed.
    """
    options = options or BuildOptions()
    builder = _builder(card)
    unknown = sorted(options.changed() - builder.OPTIONS)
    if unknown:
        flags = ", ".join("--" + name.replace("_", "-") for name in unknown)
        raise UsageError(f"the builder of {card.name} has no option {flags}; leave it out")
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; --source is the folder that holds the raw {card.title} files")
    benchmark = builder.build(source, card, options)
    if not isinstance(benchmark, Benchmark):
        raise InputError(
            f"card {card.name}: builder {card.builder!r} returned {benchmark!r:.40}, not a Benchmark; mend it"
        )
    return benchmark


def _builder(card: Card) -> Any:
    """Return the module of the card's builder: one that can be imported, or a file beside the card."""
    module = _builder_file(card) if card.builder.endswith(".py") else _builder_module(card)
    for name, what in (("OPTIONS", "the set of options it understands"), ("build", "build(source, card, options)")):
        if not hasattr(module, name):
            raise InputError(f"card {card.name}: builder {card.builder!r} has no {name}, {what}; add it")
    return module


def _builder_module(card: Card) -> ModuleType:
    try:
        return import_module(card.builder)
    except ImportError as error:
        raise InputError(f"card {card.name}: builder {card.builder!r} cannot be imported ({error})") from error


def _builder_file(card: Card) -> ModuleType:
    if Path(card.builder).name != card.builder:
        raise InputError(
            f"card {card.name}: builder {card.builder!r} must be a file beside the card; give its name only"
        )
    if card.folder is None:
        raise InputError(
            f"card {card.name}: builder {card.builder!r} is a file beside the card; name the card by its path"
        )
    path = card.folder / card.builder
    if not path.is_file():
        raise InputError(f"{path}: no such file, but card {card.name} names it as its builder; put it beside the card")
    return import_file(path)

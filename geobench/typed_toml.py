"""Cards and recipes are TOML validated by a typed model; an unknown key names the nearest valid one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from geobench.errors import InputError, nearest_names

ModelT = TypeVar("ModelT", bound=BaseModel)


class StrictModel(BaseModel):
    """A frozen model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the TOML document at ``path``.

    Raises:
        InputError: the file is missing, not UTF-8, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not a readable TOML file: {error}") from error


def load_model(path: Path, model: type[ModelT]) -> ModelT:
    """Return the ``model`` stored as TOML at ``path``.

    Raises:
        InputError: the document does not fit the model; the message names file, key and remedy.
    """
    return validate(read_toml(path), model, str(path))


def validate(values: Mapping[str, Any], model: type[ModelT], where: str) -> ModelT:
    """Return ``values`` as a ``model``; ``where`` names their origin in the error message.

    Raises:
        InputError: the values do not fit the model; the message names ``where``, the key and the remedy.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelt key also makes the right one missing: the misspelling is what to say.
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise InputError(f"{where}: {_sentence(problems[0], model)}") from error


def _sentence(problem: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}{nearest_names(str(problem['loc'][-1]), _fields_at(model, problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"required key {key!r} is missing; add it"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]} (found {problem['input']!r})"


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are valid at ``location`` inside ``model``."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            nested = _models_in(model.model_fields[part].annotation)
            if not nested:
                return []
            model = nested[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]

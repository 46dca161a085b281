"""Turns ``file.py:Class`` and ``module:Class`` into a method, and says in one sentence why it cannot."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from geobench.errors import InputError, UsageError, nearest_names
from geobench.files import sha256_of
from geobench.methods.base import Method
from geobench.user_code import add_to_path, import_file, told


@dataclass(frozen=True)
class Found:
    """Something that makes a method when called, and where it was found.

    Attributes:
        make: a class, or a function that returns a method.
        origin: what to show the user.
        source_sha256: SHA-256 of the defining file, or None.
    """

    make: Callable[..., Any]
    origin: str
    source_sha256: str | None


def find_class(spec: str, folder: Path | None = None) -> Found:
    """Return what ``path/to/file.py:Class`` or ``package.module:Class`` names.

    Args:
        spec: the two parts, joined by the last colon; Class may be any callable that returns a method.
        folder: what a relative path of a file is relative to; the working folder by default.

    Raises:
        UsageError: there is no such file, module or class.
        InputError: the file or module raises on import.
    """
    where, _, name = spec.rpartition(":")
    in_file = where.endswith(".py")
    module = _module_of_file((folder or Path()) / where) if in_file else _import_module(where, spec)
    if not hasattr(module, name):
        public = [n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__]
        raise UsageError(f"{where} has no class {name!r}{nearest_names(name, public)}")
    return Found(getattr(module, name), spec, hash_of_origin(module.__name__))


def construct(found: Found, options: Mapping[str, Any], device: str) -> Method:
    """Return the method that ``found`` makes; ``device`` is passed on when its constructor has that argument.

    Raises:
        InputError: the constructor lacks an option, needs another one or raises, or what it makes is not a method.
    """
    if not callable(found.make):
        raise InputError(f"{found.origin}: names {found.make!r}, which is not a class; name a class")
    arguments = _arguments(found, options, device)
    try:
        made = found.make(**arguments)
    except Exception as error:
        raise InputError(f"{found.origin}: its constructor failed: {told(error)}") from error
    return _checked(made, found.origin)


def slug(name: str) -> str:
    """Return ``name`` as the name of a folder, made of ``a-z 0-9 . _ -``."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.") or "method"


def _arguments(found: Found, options: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return the keyword arguments for the constructor, checked against its signature."""
    try:
        parameters = inspect.signature(found.make).parameters
    except (TypeError, ValueError):
        return dict(options)
    named = {n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = [key for key in options if key not in named]
    if unknown and not takes_any:
        raise InputError(f"{found.origin}: has no option {unknown[0]!r}{nearest_names(unknown[0], named)}")
    given = {"device": device} | dict(options) if "device" in named else dict(options)
    missing = [n for n in parameters if n in named - given.keys() and parameters[n].default is inspect.Parameter.empty]
    if missing:
        raise InputError(
            f"{found.origin}: its constructor needs {', '.join(missing)}; give every argument a default, "
            "or write a recipe with [options]"
        )
    return given


def _checked(made: Any, origin: str) -> Method:
    """Return ``made`` if it is a method, and say what is missing if not."""
    name = getattr(made, "name", None)
    if not isinstance(name, str) or not name:
        raise InputError(f'{origin}: has no name; add name = "…" to the class')
    wants = {"knows_truth": "truth", "uses_mirror_index": "partner"}
    match_takes = ("source", "target", "points", *(what for flag, what in wants.items() if getattr(made, flag, False)))
    for verb, takes in (("describe", ("picture",)), ("match", match_takes)):
        call = f"{verb}({', '.join(takes)})"
        function = getattr(made, verb, None)
        if not callable(function):
            raise InputError(f"{origin}: has no method {call}; add it")
        try:
            inspect.signature(function).bind(*takes)
        except TypeError as error:
            raise InputError(f"{origin}: {verb} cannot be called as {call} ({error}); change its arguments") from error
    return cast(Method, made)


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"unknown method: there is no file {path}; check the path")
    return import_file(path)


def _import_module(name: str, spec: str) -> ModuleType:
    add_to_path(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise UsageError(
                f"unknown method {spec!r}: there is no module {error.name!r}; install it, or run from its folder"
            ) from error
        raise InputError(f"{spec}: cannot be imported: {told(error)}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{spec}: cannot be imported: {told(error)}") from error


def hash_of_origin(module: str) -> str | None:
    """Return the SHA-256 of the file that an imported module came from, or None when it has none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return sha256_of(Path(file)) if file and Path(file).is_file() else None


def source_file(method: object) -> Path | None:
    """Return the file that defines the class of ``method``, or None when it has none."""
    file = getattr(sys.modules.get(type(method).__module__), "__file__", None)
    return Path(file).resolve() if file else None

"""Imports a Python file that a user names: a method, or the builder beside a card."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from geobench.errors import InputError
from geobench.files import sha256_of


def import_file(path: Path) -> ModuleType:
    """Return the file at ``path`` as a module; the same content is imported once.

    Raises:
        InputError: the file raises on import; the message names its line.
    """
    path = path.resolve()
    add_to_path(path.parent)
    name = f"geobench_user_{path.stem}_{sha256_of(path)[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"{path}: cannot be imported: {told(error, path)}") from error
    return module


def add_to_path(folder: Path) -> None:
    """Let a user's file import its neighbours, as it could if it were run as a script."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def told(error: BaseException, path: Path | None = None) -> str:
    """Return an exception as words: line of ``path`` where it arose, kind, message."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if path and f.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{f'line {line}: ' if line else ''}{type(error).__name__}: {message}"

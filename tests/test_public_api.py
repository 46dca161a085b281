"""The public surface: documented, importable, and light."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import geobench

MODULES = [
    module.name for module in pkgutil.walk_packages(geobench.__path__, "geobench.") if "_data" not in module.name
]


def _loads(statement: str, name: str) -> bool:
    code = f"import sys; {statement}; print({name!r} in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return out.stdout.strip() == "True"


@pytest.mark.parametrize("statement", ["import geobench", "import geobench.cli", "from geobench import load_benchmark"])
def test_import_does_not_load_torch(statement: str) -> None:
    assert not _loads(statement, "torch")


def test_the_test_above_can_fail() -> None:
    assert _loads("import torch", "torch")


@pytest.mark.parametrize("name", geobench.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(geobench, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        geobench.nonsense  # noqa: B018


def _public_members(module: object) -> list[tuple[str, object]]:
    found = []
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:  # type: ignore[attr-defined]
            continue
        found.append((name, value))
        if inspect.isclass(value):
            found += [
                (f"{name}.{attribute}", member.fget if isinstance(member, property) else member)
                for attribute, member in vars(value).items()
                if not attribute.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
            ]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    bare = [
        member
        for member, value in _public_members(module)
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value)
    ]
    assert not bare, f"{name}: no docstring on {', '.join(bare)}"


def test_top_level_names_of_the_repository_do_not_shadow_packages() -> None:
    # A `datasets/__init__.py` at the top would shadow Hugging Face's package in a checkout.
    from geobench.catalog import baselines_folder, datasets_folder

    for folder in (datasets_folder(), baselines_folder()):
        assert not list(folder.rglob("*.py"))

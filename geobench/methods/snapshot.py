"""A digest of any description, to see whether it was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from geobench.methods.base import as_array


def snapshot(value: Any) -> str:
    """Return a SHA-256 over the numbers and words inside ``value``: tensors, arrays, containers and objects."""
    digest = hashlib.sha256()
    _feed(digest, value, set())
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, value: Any, seen: set[int]) -> None:
    digest.update(type(value).__name__.encode())
    if value is None or isinstance(value, bool | int | float | str | bytes):
        digest.update(repr(value).encode())
    elif id(value) not in seen:  # an object may contain itself
        seen.add(id(value))
        if isinstance(value, np.ndarray) or hasattr(value, "detach"):
            array = np.ascontiguousarray(as_array(value))
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        else:
            for part in _parts(value):
                _feed(digest, part, seen)


def _parts(value: Any) -> list[Any]:
    if hasattr(value, "snapshot_parts"):  # an object that fills a cache says what is not cache
        return list(value.snapshot_parts())
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, Set):
        return sorted(value, key=repr)
    if is_dataclass(value):
        return [getattr(value, item.name) for item in fields(value)]
    return list(getattr(value, "__dict__", {}).values())

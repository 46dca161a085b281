"""What a description takes: the tensors and arrays it is made of, wherever they lie in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass, replace
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

_LEAVES = (str, bytes, int, float, complex, type(None), type, FunctionType, MethodType, ModuleType, nn.Module)
Place = tuple[str, int, int]
"""Device, address and size in bytes of numbers in memory."""


def described_bytes(descriptions: Sequence[Any]) -> int:
    """Return the size in bytes of the largest description: what can be reached from it and from no other.

    So a network, or a table, that descriptions share does not count. What a description computes when it is first
    needed counts once it is there.
    """
    places = [set(_places(one)) for one in descriptions]
    sharers = Counter(place for found in places for place in found)
    return max((sum(place[2] for place in found if sharers[place] == 1) for found in places), default=0)


def device_of(description: Any) -> str:
    """Return the device that most of a description's bytes lie on, as torch writes it."""
    sizes: Counter[str] = Counter({"cpu": 0})
    for device, _, size in set(_places(description)):
        sizes[device] += size
    return sizes.most_common(1)[0][0]


def owning(value: Any) -> Any:
    """Return a description that keeps no numbers of others in memory.

    A tensor cut out of a batch keeps the whole batch; here it is copied. Tensors and arrays are looked for in tuples,
    lists, dicts and dataclasses.
    """
    if isinstance(value, Tensor):
        return value.clone() if value.untyped_storage().nbytes() > value.nbytes else value
    if isinstance(value, np.ndarray):
        return value.copy() if value.base is not None else value
    parts = _named_parts(value)
    owned = {name: owning(part) for name, part in parts.items()}
    if all(owned[name] is part for name, part in parts.items()):
        return value
    if isinstance(value, dict):
        return owned
    return type(value)(owned.values()) if isinstance(value, list | tuple) else replace(value, **owned)


def _named_parts(value: Any) -> dict[Any, Any]:
    """Return what a description can be put together from again, by position, key or field; nothing for other kinds."""
    if type(value) in (list, tuple):
        return dict(enumerate(value))
    if type(value) is dict:
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in fields(value) if item.init}
    return {}


def _places(value: Any) -> Iterator[Place]:
    """Yield where the numbers inside ``value`` are; numbers met twice are yielded twice."""
    waiting, seen = [value], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _LEAVES):
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            yield str(one.device), one.data_ptr(), one.nbytes
        elif isinstance(one, np.ndarray) and not one.dtype.hasobject:
            yield "cpu", one.__array_interface__["data"][0], one.nbytes
        else:
            waiting.extend(_parts(one))


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, Sequence | Set):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.ravel().tolist()
    slots = [getattr(value, name, None) for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*slots, *getattr(value, "__dict__", {}).values()]

"""Checks of annotation records: each looks at a whole column at once and lists the bad records only on failure.

A check takes records (JSON objects) and yields complaints ``(row, sentence)``, none when all is well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

import numpy as np

Record = dict[str, Any]
Complaint = tuple[int, str]
Complaints = Iterator[Complaint]

_ABSENT = object()
_LARGEST_INTEGER = 2**53  # beyond it JSON readers disagree about integers (RFC 8259, section 6)


def shown(value: Any) -> str:
    """Return a JSON value as it stands in a file, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the string {shown(value)}"
    return {"list": "a list", "dict": "an object"}.get(type(value).__name__, shown(value))


def _values(records: Sequence[Record], field: str) -> list[Any]:
    return [record.get(field, _ABSENT) for record in records]


def _wrong_kind(field: str, value: Any, expected: str, meaning: str = "") -> str:
    if value is _ABSENT:
        return f"required field '{field}'{meaning} is missing"
    return f"{field} is {_kind(value)}, expected {expected}"


def bad_integers(records: Sequence[Record], field: str, least: int = 0, most: int = _LARGEST_INTEGER) -> Complaints:
    """Complain where ``field`` is not an integer from ``least`` to ``most``."""
    values = _values(records, field)
    if set(map(type, values)) <= {int} and (not values or least <= min(values) <= max(values) <= most):
        return
    for row, value in enumerate(values):
        if type(value) is not int:
            yield row, _wrong_kind(field, value, "an integer")
        elif value < least:
            yield row, f"{field} is {value}, expected at least {least}"
        elif value > most:
            yield row, f"{field} is {shown(value)}, expected at most {most}"


def bad_texts(records: Sequence[Record], field: str, meaning: str = "") -> Complaints:
    """Complain where ``field`` is not a non-empty string; ``meaning`` explains the field."""
    for row, value in enumerate(_values(records, field)):
        if type(value) is not str:
            yield row, _wrong_kind(field, value, "a string", meaning)
        elif not value.strip():
            yield row, f"{field}{meaning} is empty"


def bad_names(records: Sequence[Record], field: str) -> Complaints:
    """Complain where ``field`` could not name a folder without leaving its parent."""
    for row, value in enumerate(_values(records, field)):
        if "/" in value or "\\" in value:
            outside = " and would leave the output folder" if ".." in value else ""
            yield row, f"{field} {shown(value)} contains a path separator{outside}"
        elif value in {".", ".."} or any(ord(letter) < 32 for letter in value):
            yield row, f"{field} {shown(value)} is not a usable folder name"


def bad_paths(records: Sequence[Record], field: str, required: bool = True) -> Complaints:
    """Complain where ``field`` is not a relative path that stays inside its folder."""
    for row, value in enumerate(_values(records, field)):
        if not required and (value is _ABSENT or value is None or value == ""):
            continue
        if type(value) is not str:
            yield row, _wrong_kind(field, value, "a string")
        elif not value or "\\" in value or value.startswith("/") or ".." in PurePosixPath(value).parts:
            yield row, f"{field} {shown(value)} is not a path inside the dataset's folder"


def unknown_ids(records: Sequence[Record], field: str, known: Collection[int], trouble: str) -> Complaints:
    """Complain where ``field`` is not among the ``known`` ids; ``trouble`` says what that means."""
    for row, value in enumerate(_values(records, field)):
        if value not in known:
            yield row, f"{field} {value} {trouble}"


def bad_optional_numbers(records: Sequence[Record], field: str) -> Complaints:
    """Complain where ``field`` is there but is not a finite number."""
    for row, value in enumerate(_values(records, field)):
        if value is not _ABSENT and value is not None and not (_is_number(value) and np.isfinite(value)):
            yield row, f"{field} is {_kind(value)}, expected a finite number"


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) <= _LARGEST_INTEGER)


def _all_numbers(lists: Sequence[Any], length: int) -> bool:
    if any(type(one) is not list or len(one) != length for one in lists):
        return False
    numbers = list(chain.from_iterable(lists))
    kinds = set(map(type, numbers))
    if kinds <= {int}:
        return -_LARGEST_INTEGER <= min(numbers, default=0) <= max(numbers, default=0) <= _LARGEST_INTEGER
    return kinds <= {int, float} and all(map(_is_number, numbers))


def bad_number_lists(records: Sequence[Record], field: str, names: Sequence[str], unit: str) -> Complaints:
    """Complain where ``field`` is not a list of numbers, one for each of ``names``; ``unit`` explains how many."""
    lists = _values(records, field)
    if _all_numbers(lists, len(names)):
        return
    for row, one in enumerate(lists):
        if type(one) is not list:
            yield row, _wrong_kind(field, one, f"a list of {len(names)} numbers {unit}")
        elif len(one) != len(names):
            yield row, f"{field} has {len(one)} numbers, expected {len(names)} {unit}"
        else:
            wrong = [i for i, value in enumerate(one) if not _is_number(value)]
            if wrong:
                yield row, f"{names[wrong[0]]} {_kind(one[wrong[0]])}, expected a number"

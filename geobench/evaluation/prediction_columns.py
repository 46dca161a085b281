"""Columns of numbers and texts out of Arrow columns of whatever kind; the first cell that does not fit is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from geobench.errors import InputError

_SHOWN = 40  # characters of a cell or of another library's message that are repeated


def numbers(column: pa.ChunkedArray, name: str, path: Path) -> Float64[np.ndarray, " r"]:
    """Return a column as numbers; empty cells are NaN.

    Raises:
        InputError: a cell is not a number.
    """
    found = _cast(_blank_to_null(column), pa.float64(), name, "a number", path)
    return np.asarray(found.to_numpy(), np.float64)


def whole_numbers(column: pa.ChunkedArray, name: str, path: Path) -> Int64[np.ndarray, " r"]:
    """Return a column as whole numbers; 3.0 and 3e0 are 3, as pandas and NumPy write it.

    Raises:
        InputError: a cell is empty or not a whole number.
    """
    filled = _filled(column, name, path)
    whole = _whole(filled)
    found = _cast(filled, pa.int64(), name, "a whole number", path) if whole is None else whole
    return np.asarray(found.to_numpy(), np.int64)


def texts(column: pa.ChunkedArray, name: str, path: Path, or_numbers: bool = False) -> np.ndarray:
    """Return a column as texts, whole numbers written without a decimal point.

    Args:
        column: of texts or whole numbers.
        name: of the column, for messages.
        path: of the file, for messages.
        or_numbers: return int64 where every cell is a whole number.

    Raises:
        InputError: a cell is empty, or neither a text nor a whole number.
    """
    filled = _filled(column, name, path)
    if not _is_text(filled.type):
        whole = whole_numbers(filled, name, path)
        return whole if or_numbers else whole.astype(str).astype(object)
    numbered = _whole(filled) if or_numbers else None
    if numbered is not None:
        return np.asarray(numbered.to_numpy(), np.int64)
    return np.array(_cast(filled, pa.string(), name, "a text", path).to_pylist(), dtype=object)


def plain(error: BaseException) -> str:
    """Return the first line of another library's message, short, or its kind where it says nothing."""
    message = (str(error).splitlines() or [""])[0].strip().rstrip(".")
    readable = "".join(letter if letter.isprintable() else "?" for letter in message)
    return readable[: 3 * _SHOWN] or type(error).__name__


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _blank_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column without dictionary; texts are trimmed, and blank ones are null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not _is_text(column.type):
        return column
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _filled(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    column = _blank_to_null(column)
    if column.null_count:
        row = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise InputError(f"{path}: row {row}: {name} is empty; fill it, or remove the row")
    return column


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column of texts as whole numbers, or None where it holds something else."""
    if not _is_text(column.type):
        return None
    for steps in ((pa.int64(),), (pa.float64(), pa.int64())):
        try:
            found = column
            for kind in steps:
                found = found.cast(kind)
            return found
        except pa.ArrowException:
            continue
    return None


def _cast(column: pa.ChunkedArray, kind: pa.DataType, name: str, expected: str, path: Path) -> pa.ChunkedArray:
    exact = kind != pa.float64()  # coordinates may lose digits, numbers of pairs may not
    if pa.types.is_boolean(column.type):  # Arrow would make 0 and 1 of them
        raise InputError(f"{path}: {name} holds truth values, expected {expected} in each row; correct it")
    try:
        return column.cast(kind, safe=exact)
    except pa.ArrowException as error:
        row = _first_unfit(column, kind, exact)
        cell = str(column[row].as_py())[:_SHOWN]
        raise InputError(f"{path}: row {row}: {name} is {cell!r}, expected {expected}; correct it") from error


def _first_unfit(column: pa.ChunkedArray, kind: pa.DataType, exact: bool) -> int:
    """Return the first row whose cell cannot be converted, by halving: a whole that fails has a half that fails."""
    low, length = 0, len(column)
    while length > 1:
        half = length // 2
        try:
            column.slice(low, half).cast(kind, safe=exact)
        except pa.ArrowException:
            length = half
        else:
            low, length = low + half, length - half
    return low

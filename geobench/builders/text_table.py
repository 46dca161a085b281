"""Reads text files of one record a line, fields separated by spaces (CUB-200-2011's ``<image_id> <x> <y> …``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Float64, Int64

from geobench.builders.record_checks import Complaint, shown
from geobench.errors import InputError

_LARGEST = 2**24  # float32 cannot tell neighbouring pixels apart beyond it
_INTEGER = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]*)?(e[-+]?[0-9]{1,2})?")


@dataclass(frozen=True, eq=False)
class TextTable:
    """The records of one file, R rows.

    Attributes:
        path: of the file.
        line: line number of each row, from 1.
        cells: the fields of each row, as text.
        fields: their names.
    """

    path: Path
    line: Int64[np.ndarray, " r"]
    cells: list[list[str]]
    fields: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.cells)

    def first(self, count: int) -> TextTable:
        """Return the first ``count`` rows."""
        return TextTable(self.path, self.line[:count], self.cells[:count], self.fields)

    def texts(self, field: str) -> list[str]:
        """Return a field as text."""
        column = self.fields.index(field)
        return [cells[column] for cells in self.cells]

    def integers(self, field: str) -> Int64[np.ndarray, " r"]:
        """Return a field as integers; they have at most nine digits and no sign.

        Raises:
            InputError: a value is something else.
        """
        texts = self.texts(field)
        self._refuse_unlike(texts, field, _INTEGER, "an integer")
        return np.asarray(texts, dtype=str).astype(np.int64)

    def numbers(self, field: str) -> Float64[np.ndarray, " r"]:
        """Return a field as finite numbers, in pixels.

        Raises:
            InputError: a value is not a number, not finite, or too large for a position in an image.
        """
        texts = self.texts(field)
        self._refuse_unlike(texts, field, _NUMBER, "a finite number")
        values = np.asarray(texts, dtype=str).astype(np.float64)
        self.refuse(np.abs(values) > _LARGEST, lambda row: f"{field} is {texts[row]}, too large for an image")
        return values

    def _refuse_unlike(self, texts: list[str], field: str, pattern: re.Pattern[str], kind: str) -> None:
        wrong = ((row, text) for row, text in enumerate(texts) if not pattern.fullmatch(text))
        self.refuse_first((row, f"{field} is {shown(text)}, expected {kind}") for row, text in wrong)

    def refuse(self, bad: np.ndarray, fault: Callable[[int], str]) -> None:
        """Raise an :class:`InputError` that names the first row of the mask ``bad``, if there is one."""
        self.refuse_first((row, fault(row)) for row in np.flatnonzero(bad).tolist())

    def refuse_first(self, complaints: Iterable[Complaint]) -> None:
        """Raise an :class:`InputError` of the first complaint (row, sentence), if there is one."""
        for row, text in complaints:
            raise InputError(f"{self.path}: line {self.line[row]}: {text}; correct or remove the line")

    def refuse_repeated(self, keys: Iterable[object], what: Callable[[int], str]) -> None:
        """Raise an :class:`InputError` when one of ``keys``, one a row, comes twice; ``what`` describes a row."""
        self.refuse_first(self._repetitions(keys, what))

    def _repetitions(self, keys: Iterable[object], what: Callable[[int], str]) -> Iterator[Complaint]:
        first: dict[object, int] = {}
        for row, key in enumerate(keys):
            if first.setdefault(key, row) != row:
                yield row, f"{what(row)} is already in line {self.line[first[key]]}"


def read_text_table(path: Path, fields: tuple[str, ...], free_text: bool = False) -> TextTable:
    """Return the records of the file at ``path``; empty lines are passed over, CRLF is fine.

    Args:
        path: a UTF-8 text file.
        fields: the names of the fields of each line.
        free_text: the last field may have spaces in it.

    Raises:
        InputError: the file is missing, empty, not UTF-8, or cut off, or a line has another number of fields.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; fetch it again") from error
    except OSError as error:
        _refuse_unreadable(path, error)
    lines = text.split("\n")
    split = [line.split(None, len(fields) - 1 if free_text else -1) for line in lines]
    kept = [number for number, cells in enumerate(split) if cells]
    if not kept:
        raise InputError(f"{path}: the file is empty; fetch it again")
    cells = [split[number] for number in kept]
    table = TextTable(path, np.asarray(kept, dtype=np.int64) + 1, cells, fields)
    wrong = ((row, len(one)) for row, one in enumerate(cells) if len(one) != len(fields))
    expected = f"expected {len(fields)} ({', '.join(fields)})"
    if lines[-1].strip():
        # Without it, a number that lost its last digits would pass for a smaller one.
        raise InputError(f"{path}: the last line has no line end, as if cut off; fetch the file again, or end the line")
    table.refuse_first((row, f"has {count} field{'s' if count > 1 else ''}, {expected}") for row, count in wrong)
    return table


def _refuse_unreadable(path: Path, error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise InputError(f"{path}: no such file; fetch it, or name the folder that holds it") from error
    raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the file") from error

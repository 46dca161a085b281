"""Reads a CSV file as text, strictly."""

from __future__ import annotations

import csv
from pathlib import Path

from geobench.errors import InputError


def read_csv_rows(path: Path, what: str) -> list[tuple[int, list[str]]]:
    """Return the lines of a CSV file that are not empty, each with its number from 1, all with as many fields.

    Args:
        path: of the file; a byte order mark is passed over.
        what: what it should be, for the sentence that says that it is not.

    Raises:
        InputError: the file is missing, empty, not UTF-8 or not CSV, or a line has another number of fields than the
            first.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a readable {what} (not UTF-8 at byte {error.start}); fetch it again") from error
    except OSError as error:
        raise InputError(f"{path}: not a readable {what} ({error.strerror}); check the file") from error
    if "\0" in text:
        raise InputError(f"{path}: not a readable {what} (there is a zero byte); fetch it again")
    try:
        rows = [(number, row) for number, row in enumerate(csv.reader(text.splitlines(), strict=True), 1) if row]
    except csv.Error as error:
        raise InputError(f"{path}: not a readable {what} ({error}); fetch it again") from error
    if not rows:
        raise InputError(f"{path}: not a readable {what} (it is empty); fetch it again")
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            fields = f"{len(row)} fields, expected {len(rows[0][1])}"
            raise InputError(f"{path}: line {number}: has {fields} ({', '.join(rows[0][1])[:60]}); correct the line")
    return rows

"""Reads AP-10K's list of crowded images: one 12-digit image id a line (source: GeoAware-SC, data/)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from geobench.builders.notices import Notices
from geobench.errors import InputError

_URL = "https://github.com/Junyi42/GeoAware-SC/blob/master/data"
_TWELVE_DIGITS = re.compile(r"[0-9]{12}")


def find_crowd_list(source: Path, name: str) -> Path:
    """Return the crowd list called ``name`` in ``source``, its ``data/`` or ``annotations/``, or beside ``source``.

    The last is where it lies in the repository of GeoAware-SC, whose ``data/ap-10k`` is then the source.

    Raises:
        InputError: there is none; the message says where it comes from.
    """
    places = [folder / name for folder in (source, source / "data", source / "annotations", source.resolve().parent)]
    for path in places:
        if path.is_file():
            return path
    raise InputError(
        f"{places[0]}: no such file (nor in data/ or annotations/, nor beside the folder); it is data/{name} of the "
        f"GeoAware-SC repository ({_URL}/{name}); put it there, or pass --no-crowd-list to go on without "
        "it and record that"
    )


def read_crowd_list(path: Path, image_ids: np.ndarray, notices: Notices) -> np.ndarray:
    """Return the image ids of the list at ``path``, int64, sorted.

    Lines that are not exactly 12 digits never match, as in the authors' code; they are told with their number.

    Args:
        path: the list; empty lines and CRLF are fine.
        image_ids: the ids in the annotation files.
        notices: told which lines match nothing.

    Raises:
        InputError: the file cannot be read or is not UTF-8.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error}); fetch it again") from error
    ids: list[int] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, start=1):
        if _TWELVE_DIGITS.fullmatch(line):
            ids.append(int(line))
            numbers.append(number)
        elif line:
            notices.say(f"{path}: line {number}: {line[:40]!r} is not a 12-digit image id, so it matches no image")
    listed = np.asarray(ids, np.int64)
    _tell_unknown(path, listed, np.asarray(numbers), ~np.isin(listed, image_ids), notices)
    return np.unique(listed)


def _tell_unknown(path: Path, ids: np.ndarray, numbers: np.ndarray, unknown: np.ndarray, notices: Notices) -> None:
    rows = np.flatnonzero(unknown)
    if len(rows):
        more = f" (and {len(rows) - 1} more like it)" if len(rows) > 1 else ""
        where = f"{path}: line {numbers[rows[0]]}: image {ids[rows[0]]:012d}"
        notices.say(f"{where} is not in the annotation files{more}")

"""Reads a CSV file as columns of texts, and says of a file that is no such CSV what it is instead."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from geobench.errors import InputError
from geobench.evaluation.prediction_columns import plain

_NUMBER = re.compile(r"-?[0-9.]+(e[-+]?[0-9]+)?", re.IGNORECASE)
_HEAD = 1 << 16  # bytes that a first line has at most


def read_csv_texts(path: Path) -> pa.Table:
    """Return the table in a CSV file, every column as texts; blanks around the names of columns are dropped.

    Raises:
        InputError: the file is empty, not UTF-8, not separated by commas, or has no line of names; or rows are of
            different lengths.
    """
    as_text = pyarrow.csv.ConvertOptions(strings_can_be_null=False, check_utf8=True)
    try:
        _check_head(path)
        with pyarrow.csv.open_csv(path) as stream:  # only for the names, so that every column is read as text
            names = [str(name) for name in stream.schema.names]
        as_text.column_types = dict.fromkeys(names, pa.string())
        table = pyarrow.csv.read_csv(path, convert_options=as_text)
    except (pa.ArrowException, OSError, ValueError) as error:
        remedy = "save it as UTF-8" if "UTF8" in str(error) else "write it again"
        raise InputError(f"{path}: not a readable CSV file ({plain(error)}); {remedy}") from error
    return table.rename_columns([str(name).strip() for name in table.column_names])


def _check_head(path: Path) -> None:
    """Refuse a first line that is not one of names separated by commas, where it is plain what it is instead."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.strip():
        raise InputError(f"{path}: the file is empty; write one row per keypoint, below a line of names")
    if b"\0" in head.splitlines()[0]:
        raise InputError(f"{path}: is not text in UTF-8; save it as UTF-8")
    line = head.decode("utf-8-sig", "replace").splitlines()[0]
    cells = [cell.strip(' "') for cell in re.split("[;\t|]", line)]
    if {"x", "y"} <= set(cells) and len(cells) > 1 and "," not in line:
        found = "tabs" if "\t" in line else "semicolons" if ";" in line else "bars"
        raise InputError(f"{path}: is separated by {found}; separate cells by commas, and decimals by points")
    if all(_NUMBER.fullmatch(cell.strip(' "')) for cell in line.split(",")):
        raise InputError(f"{path}: its first line holds numbers; put the names of the columns there: pair,keypoint,x,y")

"""scores.parquet: a table of scores, and how its intervals were made."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa

from geobench.errors import InputError
from geobench.files import read_table, write_table

ATTRIBUTE = "intervals"
KEY = ("scope", "subset", "metric", "alpha")
FIGURES = ("value", "low", "high", "n", "n_pairs", "n_points", "n_images")
_METADATA = b"geobench.intervals"  # in the metadata of the file


def write_scores(path: Path, scores: pd.DataFrame) -> None:
    """Write scores whole; what ``scores.attrs["intervals"]`` says of the intervals goes into the file's metadata."""
    table = pa.Table.from_pandas(pd.DataFrame(scores, copy=False), preserve_index=False)
    made = json.dumps(scores.attrs.get(ATTRIBUTE), sort_keys=True).encode()
    write_table(path, table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA: made}))


def read_scores(path: Path) -> pd.DataFrame:
    """Return the scores in a file, in long form.

    ``attrs["intervals"]`` is a dictionary of the settings of the intervals (:class:`bootstrap.Bootstrap`); None where
    there are none, as in files of geobench before it made intervals.

    Raises:
        InputError: the file is missing, is not Parquet, lacks a column or has one of another kind, or its note on the
            intervals is damaged.
    """
    table = read_table(path)
    _check_columns(path, table)
    frame = table.to_pandas()
    try:
        frame.attrs[ATTRIBUTE] = json.loads((table.schema.metadata or {}).get(_METADATA, b"null"))
    except ValueError as error:
        raise InputError(f"{path}: metadata {_METADATA.decode()!r} is not JSON; run geobench score again") from error
    return frame


def _check_columns(path: Path, table: pa.Table) -> None:
    remedy = f"run: geobench score {path.parent}"
    for name in (*KEY, *FIGURES):
        if name not in table.column_names:
            raise InputError(f"{path}: column {name!r} is missing; {remedy}")
        kind, words = table.schema.field(name).type, name in KEY[:3]
        if words and not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise InputError(f"{path}: column {name!r} holds no texts; {remedy}")
        if not words and not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise InputError(f"{path}: column {name!r} holds no numbers; {remedy}")

"""Numbers printed in papers: read from the CSV files of ``results/published`` and checked cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from geobench.errors import InputError, nearest_names

SETTINGS = ("unsupervised", "unsupervised-mirror-index", "supervised")
SUBSETS = ("all", "geometry_aware")
METRICS = ("per_point", "per_image", "accuracy", "cycle_2", "cycle_3", "unstated")
THRESHOLDS = ("bbox", "image", "padded-keypoints")


class _Column(NamedTuple):
    wrong: Callable[[pd.DataFrame], np.ndarray]  # frame of text -> bool [rows]: which cells break the rule
    rule: str
    known: tuple[str, ...] = ()


def load_published(folder: Path | None = None) -> pd.DataFrame:
    """Return the numbers printed in papers, one row per printed cell, in order of file name and line.

    Columns (the same as in the files, see ``results/published/README.md``): ``method``, ``setting``,
    ``benchmark``, ``split``, ``scope``, ``subset``, ``metric``, ``source`` and ``note`` are text;
    ``trained_on`` (``benchmark:split``, several apart by blanks), ``frame`` and ``threshold`` are text;
    ``alpha`` is float64, a fraction of the reference size, NaN where the metric is ``accuracy``;
    ``value`` is float64, in percent (0 to 100); ``fine_tuned_backbone`` and ``mirror_index`` are bool.
    The numbers are copied from the papers, not measured by this code.

    Args:
        folder: where the ``*.csv`` files lie; the folder that comes with geobench when left out.

    Raises:
        InputError: the folder holds no CSV file, or a file is malformed; the message names the file, the
            row (the header being row 1) and the column.
    """
    if folder is None:
        from geobench.catalog import published_folder

        folder = published_folder()
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError(f"{folder}: no CSV file with published numbers; add one or name another folder")
    return pd.concat([_load_file(path) for path in paths], ignore_index=True)


def _load_file(path: Path) -> pd.DataFrame:
    text = _read_text(path)
    for name, column in _COLUMNS.items():
        _check_column(path, text, name, column)
    return text.assign(
        alpha=pd.to_numeric(text["alpha"]).astype("float64"),
        value=pd.to_numeric(text["value"]).astype("float64"),
        fine_tuned_backbone=text["fine_tuned_backbone"] == "true",
        mirror_index=text["mirror_index"] == "true",
    )


def _read_text(path: Path) -> pd.DataFrame:
    """Return all cells as text; the index holds row numbers, the header being row 1."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, strict=True))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except csv.Error as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); mend its quotes") from error
    _check_header(path, lines[0] if lines else [])
    _check_widths(path, lines)
    return pd.DataFrame(lines[1:], columns=list(_COLUMNS), index=range(2, len(lines) + 1), dtype="str")


def _check_header(path: Path, header: list[str]) -> None:
    for place, (wanted, found) in enumerate(zip_longest(_COLUMNS, header), 1):
        if wanted != found:
            raise InputError(
                f"{path}: row 1, column {place}: expected {_quoted(wanted)}, found {_quoted(found)}; "
                f"the columns are exactly {','.join(_COLUMNS)}"
            )


def _quoted(name: str | None) -> str:
    return "nothing" if name is None else repr(name)


def _check_widths(path: Path, lines: list[list[str]]) -> None:
    names = list(_COLUMNS)
    for row, cells in enumerate(lines, 1):
        if len(cells) != len(names):
            place = repr(names[len(cells)]) if len(cells) < len(names) else str(len(names) + 1)
            state = "missing" if len(cells) < len(names) else "one too many"
            raise InputError(
                f"{path}: row {row}, column {place}: {state}; the row has {len(cells)} cells, needs {len(names)}"
            )


def _check_column(path: Path, text: pd.DataFrame, name: str, column: _Column) -> None:
    wrong = np.flatnonzero(column.wrong(text))
    if not wrong.size:
        return
    row, cell = text.index[wrong[0]], str(text[name].iloc[wrong[0]])
    hint = nearest_names(cell, column.known)
    raise InputError(f"{path}: row {row}, column {name!r}: {cell!r} is not {column.rule}{hint}")


def _one_of(name: str, known: tuple[str, ...], what: str) -> _Column:
    return _Column(lambda text: ~text[name].isin(known).to_numpy(), what, known)


def _matching(name: str, pattern: str, what: str) -> _Column:
    return _Column(lambda text: ~text[name].str.fullmatch(pattern).to_numpy(dtype=bool), what)


def _outside_percent(text: pd.DataFrame) -> np.ndarray:
    value = pd.to_numeric(text["value"], errors="coerce")
    return ~value.between(0, 100).to_numpy()


def _alpha_wrong(text: pd.DataFrame) -> np.ndarray:
    alpha = pd.to_numeric(text["alpha"], errors="coerce")
    has_threshold = (text["metric"] != "accuracy").to_numpy()
    good = alpha.between(0, 1, inclusive="right").to_numpy()
    return np.where(has_threshold, ~good, (text["alpha"] != "").to_numpy())


def _threshold_wrong(text: pd.DataFrame) -> np.ndarray:
    has_threshold = (text["metric"] != "accuracy").to_numpy()
    return np.where(has_threshold, ~text["threshold"].isin(THRESHOLDS).to_numpy(), (text["threshold"] != "").to_numpy())


_TEXT = r"\S(.*\S)?"
_SEEN = r"([a-z0-9-]+:[a-z0-9/-]+( [a-z0-9-]+:[a-z0-9/-]+)*)?|unstated"
_FRAME = r"original|unstated|(pad|squash|longest-side)-[1-9][0-9]*"
_SCOPE = r"all|[a-z_]+:\S(.*\S)?"

# A benchmark or a category nobody has seen here yet is welcome; a setting, subset or metric is not, since
# a table could not say which of its columns the number may stand in.
_COLUMNS = {
    "method": _matching("method", _TEXT, "a name (no blank at either end)"),
    "setting": _one_of("setting", SETTINGS, "a known setting"),
    "benchmark": _matching("benchmark", _TEXT, "a name (no blank at either end)"),
    "split": _matching("split", _TEXT, "a name (no blank at either end)"),
    "scope": _matching("scope", _SCOPE, "'all' or 'kind:name', such as 'category:cat'"),
    "subset": _one_of("subset", SUBSETS, "a known subset"),
    "metric": _one_of("metric", METRICS, "a known metric"),
    "alpha": _Column(_alpha_wrong, "a number above 0 and up to 1 (empty where the metric is 'accuracy')"),
    "value": _Column(_outside_percent, "a percentage from 0 to 100"),
    "fine_tuned_backbone": _one_of("fine_tuned_backbone", ("true", "false"), "true or false"),
    "mirror_index": _one_of("mirror_index", ("true", "false"), "true or false"),
    "trained_on": _matching("trained_on", _SEEN, "benchmark:split (several apart by one blank), 'unstated' or empty"),
    "frame": _matching("frame", _FRAME, "a frame, such as 'pad-840', 'original' or 'unstated'"),
    "threshold": _Column(
        _threshold_wrong, f"one of {', '.join(THRESHOLDS)} (empty where the metric is 'accuracy')", THRESHOLDS
    ),
    "source": _matching("source", _TEXT, "a citation (no blank at either end)"),
    "note": _matching("note", rf"({_TEXT})?", "text without a blank at either end"),
}
COLUMNS = tuple(_COLUMNS)
"""Column names of every file in ``results/published``, in order."""

"""Reading files of published numbers: what is accepted, and what is refused with file, row and column."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import InputError
from geobench.reporting.published import COLUMNS, METRICS, SETTINGS, SUBSETS, load_published

GOOD = {
    "method": "DIFT",
    "setting": "unsupervised",
    "benchmark": "spair71k",
    "split": "test",
    "scope": "category:cat",
    "subset": "all",
    "metric": "per_point",
    "alpha": "0.10",
    "value": "77.7",
    "fine_tuned_backbone": "false",
    "mirror_index": "false",
    "trained_on": "",
    "frame": "pad-840",
    "threshold": "bbox",
    "source": "Some paper, Table 2",
    "note": "",
}


def write(folder: Path, rows: list[list[str]], name: str = "some.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return path


def test_a_good_file_loads_typed(tmp_path: Path) -> None:
    write(tmp_path, [list(COLUMNS), list(GOOD.values())])
    frame = load_published(tmp_path)
    assert frame.loc[0, ["alpha", "value"]].tolist() == [0.10, 77.7]
    assert frame[["fine_tuned_backbone", "mirror_index"]].dtypes.tolist() == [bool, bool]
    assert frame.loc[0, "note"] == ""


def test_files_are_read_in_order_of_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        write(tmp_path, [list(COLUMNS), list({**GOOD, "method": name}.values())], name)
    assert load_published(tmp_path)["method"].tolist() == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("method", ""),
        ("method", "DIFT "),
        ("setting", "Supervised"),
        ("benchmark", ""),
        ("split", ""),
        ("scope", "cat"),
        ("subset", "geo"),
        ("metric", "per_img"),
        ("metric", "accuracy"),
        ("alpha", ""),
        ("alpha", "0"),
        ("alpha", "10"),
        ("alpha", "nan"),
        ("value", ""),
        ("value", "-"),
        ("value", "nan"),
        ("value", "inf"),
        ("value", "-0.1"),
        ("value", "100.1"),
        ("value", "77,7"),
        ("fine_tuned_backbone", "True"),
        ("mirror_index", ""),
        ("trained_on", "spair71k"),
        ("trained_on", "a:train,b:train"),
        ("frame", ""),
        ("frame", "pad"),
        ("frame", "original-840"),
        ("threshold", ""),
        ("threshold", "box"),
        ("source", ""),
        ("note", "two\nlines"),
    ],
)
def test_a_bad_cell_names_file_row_and_column(tmp_path: Path, column: str, cell: str) -> None:
    bad = list({**GOOD, column: cell}.values())
    path = write(tmp_path, [list(COLUMNS), list(GOOD.values()), bad])
    blamed = "alpha" if (column, cell) == ("metric", "accuracy") else column  # an accuracy has no threshold
    with pytest.raises(InputError) as caught:
        load_published(tmp_path)
    assert str(caught.value).startswith(f"{path}: row 3, column '{blamed}': ")


def test_a_misspelt_setting_gets_a_suggestion(tmp_path: Path) -> None:
    write(tmp_path, [list(COLUMNS), list({**GOOD, "setting": "unsupervized"}.values())])
    with pytest.raises(InputError, match="did you mean unsupervised"):
        load_published(tmp_path)


def _drop_last(cells: list[str]) -> list[str]:
    return cells[:-1]


def _add_one(cells: list[str]) -> list[str]:
    return [*cells, "more"]


@pytest.mark.parametrize(("change", "column"), [(_drop_last, "'note'"), (_add_one, "17")])
def test_a_row_of_wrong_width(tmp_path: Path, change: Callable[[list[str]], list[str]], column: str) -> None:
    path = write(tmp_path, [list(COLUMNS), list(GOOD.values()), change(list(GOOD.values()))])
    with pytest.raises(InputError) as caught:
        load_published(tmp_path)
    assert str(caught.value).startswith(f"{path}: row 3, column {column}: ")


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ([], 1),
        (list(COLUMNS[:-1]), 16),
        ([*COLUMNS, "year"], 17),
        (["method", "benchmark", "setting", *COLUMNS[3:]], 2),
    ],
)
def test_a_wrong_header(tmp_path: Path, header: list[str], place: int) -> None:
    path = write(tmp_path, [header] if header else [])
    with pytest.raises(InputError) as caught:
        load_published(tmp_path)
    assert str(caught.value).startswith(f"{path}: row 1, column {place}: expected ")


def test_text_that_is_not_utf8_or_not_csv(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(",".join(COLUMNS).encode() + b"\n\xff\n")
    with pytest.raises(InputError, match=r"some\.csv: not UTF-8 at byte"):
        load_published(tmp_path)
    path.write_text(",".join(COLUMNS) + '\n"open', encoding="utf-8")
    with pytest.raises(InputError, match=r"some\.csv: not a readable CSV file"):
        load_published(tmp_path)


def test_a_folder_without_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CSV file"):
        load_published(tmp_path)
    with pytest.raises(InputError, match="no CSV file"):
        load_published(tmp_path / "absent")


@given(
    setting=st.sampled_from(SETTINGS),
    subset=st.sampled_from(SUBSETS),
    metric=st.sampled_from(METRICS),
    alpha=st.floats(0, 1, exclude_min=True),
    value=st.floats(0, 100),
    mirror=st.booleans(),
)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    setting: str,
    subset: str,
    metric: str,
    alpha: float,
    value: float,
    mirror: bool,
) -> None:
    folder = tmp_path_factory.mktemp("published")
    cells = {
        **GOOD,
        "setting": setting,
        "subset": subset,
        "metric": metric,
        "alpha": "" if metric == "accuracy" else repr(alpha),
        "threshold": "" if metric == "accuracy" else "bbox",
        "value": repr(value),
        "mirror_index": str(mirror).lower(),
    }
    write(folder, [list(COLUMNS), list(cells.values())])
    row = load_published(folder).iloc[0]
    assert (row["setting"], row["subset"], row["metric"], row["mirror_index"]) == (setting, subset, metric, mirror)
    assert row["value"] == pytest.approx(value)
    assert pd.isna(row["alpha"]) if metric == "accuracy" else row["alpha"] == pytest.approx(alpha)

"""Damaged, odd and hostile files of predictions: an error in one sentence, never anything else."""

from __future__ import annotations

import io
import json
import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_benchmarks import random_benchmark

from geobench.errors import GeobenchError, InputError, UsageError
from geobench.evaluation.importing import Import, import_predictions
from geobench.evaluation.prediction_file import read_answer_rows
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries

DEFAULT = find_protocol("default")
BENCHMARK = random_benchmark(0)
SUFFIXES = (".csv", ".parquet", ".npz", ".json")


def whole(suffix: str) -> bytes:
    """Return a file that answers every question of the benchmark."""
    asked = queries(BENCHMARK, BENCHMARK.split("test"), DEFAULT)
    table = pd.DataFrame(
        {"pair": asked.pair, "keypoint": asked.keypoint, "x": asked.truth[:, 0] + 1, "y": asked.truth[:, 1]}
    )
    stream = io.BytesIO()
    if suffix == ".csv":
        return table.to_csv(index=False).encode()
    if suffix == ".json":
        return table.to_json(orient="records").encode()
    if suffix == ".parquet":
        table.to_parquet(stream)
    else:
        np.savez_compressed(stream, **{name: table[name].to_numpy() for name in table.columns})
    return stream.getvalue()


WHOLE = {suffix: whole(suffix) for suffix in SUFFIXES}


def bring(folder: Path, content: bytes, suffix: str) -> str | None:
    """Import a file; return the sentence that refuses it, None where it is taken."""
    path = folder / f"answers{suffix}"
    path.write_bytes(content)
    given = Import(path, BENCHMARK, "test", DEFAULT, "fuzz", check_frame=False)
    try:
        import_predictions(given, folder / "runs")
    except GeobenchError as error:
        said = str(error)
    else:
        return None
    assert "\n" not in said
    assert said.startswith(str(path))
    return said


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_whole_file_is_taken(tmp_path: Path, suffix: str) -> None:
    assert bring(tmp_path, WHOLE[suffix], suffix) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_mutated_files_are_taken_or_refused_in_a_sentence(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        end = min(at + data.draw(st.integers(0, 40)), len(content))
        content[at:end] = data.draw(st.binary(max_size=8) | st.sampled_from([b",", b"\n", b'"', b"\x00", b"nan", b"{"]))
    bring(tmp_path, bytes(content), suffix)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    column=st.sampled_from(["pair", "keypoint", "x", "y"]),
    row=st.integers(0, 5),
    cell=st.one_of(st.text(max_size=5), st.floats(), st.integers(), st.none(), st.lists(st.integers(), max_size=1)),
)
def test_any_json_value_in_a_cell(tmp_path: Path, column: str, row: int, cell: object) -> None:
    records = json.loads(WHOLE[".json"])
    records[row][column] = cell
    bring(tmp_path, json.dumps(records).encode(), ".json")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.sampled_from(["pair", "source", "target", "keypoint", "nth", "x", "y", "points", "count", "fingerprint"]),
        unique=True,
    ),
    kind=st.sampled_from(["<i8", "<f4", "<f2", "U3", "S3", "?", ">i4", "<c8", "<M8[s]", "<u8"]),
    shape=st.sampled_from([(), (0,), (3,), (3, 2), (3, 2, 2), (3, 4, 3), (2, 2, 2, 2)]),
)
def test_any_arrays_in_an_archive(tmp_path: Path, names: list[str], kind: str, shape: tuple[int, ...]) -> None:
    stream = io.BytesIO()
    np.savez(stream, **{name: np.zeros(shape, kind) for name in names})
    bring(tmp_path, stream.getvalue(), ".npz")


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".csv", b"", "the file is empty; write one row per keypoint, below a line of names"),
        (".csv", b"\n \n", "the file is empty"),
        (".csv", b"pair,keypoint,x,y\n", "holds no predictions; write one row per keypoint"),
        (".csv", b"pair,keypoint,x,y\n0,1,2\n", "not a readable CSV file (CSV parse error"),
        (".csv", b"pair,keypoint,x,x\n0,1,2,3\n", "column 'x' is there twice"),
        (".csv", b"pair;keypoint;x;y\n0;1;2;3\n", "is separated by semicolons; separate cells by commas"),
        (".csv", b"pair;keypoint;x;y\n0;1;2,5;3,5\n", "is separated by semicolons; separate cells by commas"),
        (".csv", b"pair\tkeypoint\tx\ty\n0\t1\t2\t3\n", "is separated by tabs"),
        (".csv", b"0,1,2.5,-3e1\n", "its first line holds numbers; put the names of the columns there"),
        (".csv", "pair,keypoint,x,y\n0,1,2,3\n".encode("utf-16"), "is not text in UTF-8; save it as UTF-8"),
        (".csv", b"pair,keypont,x,y\n0,1,2,3\n", "column 'keypoint' is missing; did you mean keypont?"),
        (".csv", b"source,keypoint,x,y\n0,1,2,3\n", "column 'target' is missing"),
        (".csv", b"pair,keypoint,x,y\n0,1,\xff,3\n", "invalid UTF8 data); save it as UTF-8"),
        (".csv", b"pair,keypoint,x,y\n\x1b[31m\x07\n", "got 1: ?[31m?)"),
        (".parquet", b"PAR1", "not a readable Parquet file"),
        (".npz", b"PK", "not a readable NPZ file"),
        (".json", b"{}", "expected a JSON list at the top level"),
        (".json", b"[1, 2]", "row 0: expected an object of numbers and texts"),
        (".json", b"[]", "column 'pair' is missing"),
    ],
    ids=str,
)
def test_damage_is_named(tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
    found = bring(tmp_path, content, suffix)
    assert found is not None
    assert message in found


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"points": np.zeros((3, 4, 3)), "pair": np.arange(3)}, "points has the shape (3, 4, 3), expected"),
        ({"points": np.zeros((3, 4, 2)), "pair": np.arange(2)}, "pair has the shape (2,), expected (3,)"),
        ({"points": np.zeros((3, 4, 2)), "pair": np.arange(3), "count": np.array([1, 2, 5])}, "count must be whole"),
        ({"pair": np.arange(3), "keypoint": np.arange(2)}, "arrays must be columns of one length, found pair (3,)"),
        ({"pair": np.arange(3)}, "column 'keypoint' is missing"),
        ({"pair": np.array([None])}, "holds pickled objects"),
        ({"pair": np.arange(9), "points": np.zeros((2, 9))}, "points has the shape (2, 9), expected (pairs, keypoints"),
        (
            {name: np.ones(2, bool) for name in ("pair", "keypoint", "x", "y")},
            "x holds truth values, expected a number",
        ),
        ({name: np.array(1) for name in ("pair", "keypoint", "x", "y")}, "arrays must be columns of one length"),
    ],
    ids=["shape", "pairs", "count", "lengths", "absent", "objects", "turned", "truth values", "scalars"],
)
def test_archives_of_the_wrong_shape_are_named(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    found = bring(tmp_path, stream.getvalue(), ".npz")
    assert found is not None
    assert message in found


class Unpickled:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pkl", ".pth", ".pt", ".npz", ".parquet", ".csv", ".json"])
def test_nothing_is_ever_unpickled(tmp_path: Path, suffix: str) -> None:
    trace = tmp_path / "trace"
    content = pickle.dumps(Unpickled(trace))
    with pytest.raises(GeobenchError):
        read_answer_rows(_written(tmp_path / f"result{suffix}", content))
    assert not trace.exists()
    pickle.loads(content)  # the trap works
    assert trace.exists()


def test_a_pickle_is_sent_to_the_page_that_exports_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"never loads; docs/predictions\.md has lines to export it"):
        read_answer_rows(tmp_path / "result.pkl")
    with pytest.raises(UsageError, match=r"unknown format '\.txt'; known: \.csv, \.parquet, \.npz, \.json"):
        read_answer_rows(tmp_path / "result.txt")
    with pytest.raises(InputError, match="no such file"):
        read_answer_rows(tmp_path / "answers.csv")
    with pytest.raises(InputError, match="is a folder; name the file of predictions in it"):
        read_answer_rows(tmp_path)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_columns_of_many_kinds_are_read(tmp_path: Path) -> None:
    """What pandas and Arrow make of columns: categories, large texts, floats that are whole, blanks."""
    table = pa.table(
        {
            "pair": pa.array([0.0, 1.0]),
            "keypoint": pa.array(["nose", "2"]).dictionary_encode(),
            "x": pa.array(["1.5 ", ""], pa.large_string()),
            "y": pa.array([1, 2], pa.int8()),
            "note": pa.array([[1], [2]]),
        }
    )
    pq.write_table(table, tmp_path / "answers.parquet")
    rows = read_answer_rows(tmp_path / "answers.parquet")
    assert rows.pair is not None
    assert rows.pair.tolist() == [0, 1]
    assert rows.keypoint.tolist() == ["nose", "2"]
    np.testing.assert_array_equal(rows.points, [[1.5, 1], [np.nan, 2]])


def test_whole_numbers_may_be_written_as_numpy_and_pandas_write_them(tmp_path: Path) -> None:
    """A column of pandas that once had NaN is of floats, and numpy.savetxt writes nothing else."""
    text = "pair, keypoint ,x,y\n0.0,2.000e+00,1,2\n1e0,3,1,2\n"
    rows = read_answer_rows(_written(tmp_path / "answers.csv", text.encode()))
    assert rows.pair is not None
    assert rows.pair.tolist() == [0, 1]
    assert rows.keypoint.tolist() == [2, 3]
    for cell in ("0.5", "1e30", "nan", "inf", "-"):
        with pytest.raises(InputError, match=f"row 0: pair is '{cell}', expected a whole number"):
            read_answer_rows(_written(tmp_path / "answers.csv", f"pair,keypoint,x,y\n{cell},1,2,3\n".encode()))


def test_twenty_thousand_columns_are_refused_as_fast_as_four(tmp_path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(20_000))
    path = _written(tmp_path / "answers.csv", f"{names}\n{names}\n".encode())
    began = time.perf_counter()
    with pytest.raises(InputError, match="column 'pair' is missing"):
        read_answer_rows(path)
    assert time.perf_counter() - began < 5

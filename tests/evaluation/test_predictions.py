from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from geobench.benchmark import Benchmark
from geobench.errors import InputError
from geobench.evaluation.predictions import Predictions, Queries, answers, queries
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.scores import score

DEFAULT = find_protocol("default")


@pytest.fixture
def asked(tiny: Benchmark) -> Queries:
    return queries(tiny, tiny.split("test"), DEFAULT)


@pytest.fixture
def oracle(asked: Queries) -> Predictions:
    return Predictions.of(asked, asked.truth)


def without(predictions: Predictions, rows: list[int]) -> Predictions:
    columns = (predictions.pair, predictions.keypoint, predictions.x, predictions.y)
    return Predictions(*(np.delete(column, rows) for column in columns))


def test_there_and_back(oracle: Predictions) -> None:
    back = Predictions.from_table(oracle.to_table(), "here")
    for name in ("pair", "keypoint", "x", "y"):
        np.testing.assert_array_equal(getattr(back, name), getattr(oracle, name))
        assert getattr(back, name).dtype == getattr(oracle, name).dtype


def test_wider_columns_are_narrowed_and_empty_points_are_failures(oracle: Predictions) -> None:
    x = oracle.x.astype(float).tolist()
    table = pa.table(
        {"pair": oracle.pair.astype(np.int64), "keypoint": oracle.keypoint, "y": oracle.y, "x": [None, *x[1:]]}
    )
    back = Predictions.from_table(table, "here")
    assert np.isnan(back.x[0])
    assert back.x.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("x", None, "column 'x' is missing"),
        ("pair", [None, 1], "column 'pair' has 1 empty cells"),
        ("pair", [0.5, 1], "column 'pair' is not int32"),
        ("keypoint", [0, 70000], "column 'keypoint' is not int16"),
        ("y", ["a", "b"], "column 'y' is not float"),
    ],
)
def test_a_malformed_table_is_explained(name: str, column: list | None, message: str) -> None:
    columns: dict = {"pair": [0, 1], "keypoint": [0, 1], "x": [0.0, 1.0], "y": [0.0, 1.0]}
    columns[name] = column
    table = pa.table({key: values for key, values in columns.items() if values is not None})
    with pytest.raises(InputError, match=f"p.parquet: {message}"):
        Predictions.from_table(table, "p.parquet")


def test_a_missing_answer_names_pair_and_keypoint(tiny: Benchmark, asked: Queries, oracle: Predictions) -> None:
    pairs, row = tiny.split("test"), 5
    first, second = (tiny.instances.id[rows[asked.pair[row]]] for rows in (pairs.source, pairs.target))
    name = tiny.skeleton("cat").names[asked.keypoint[row]]
    message = (
        rf"pair {asked.pair[row]} \({first} -> {second}\), keypoint {asked.keypoint[row]} \({name}\) has no pred.*2 m"
    )
    with pytest.raises(InputError, match=message):
        score(tiny, pairs, without(oracle, [row, 9]), DEFAULT, "test")


def test_a_foreign_answer_names_pair_and_keypoint(tiny: Benchmark, asked: Queries, oracle: Predictions) -> None:
    columns = (np.append(oracle.pair, np.int32(7777)), np.append(oracle.keypoint, np.int16(2)))
    more = Predictions(*columns, np.append(oracle.x, np.float32(0)), np.append(oracle.y, np.float32(0)))
    with pytest.raises(InputError, match=r"split test: pair 7777 .*keypoint 2 is predicted but not asked for"):
        score(tiny, tiny.split("test"), more, DEFAULT, "test")


def test_an_invisible_keypoint_is_foreign(tiny: Benchmark, asked: Queries, oracle: Predictions) -> None:
    mutual = tiny.split("test").mutual(tiny)
    pair, keypoint = (int(v) for v in np.argwhere(~mutual)[0])
    columns = (np.append(oracle.pair, np.int32(pair)), np.append(oracle.keypoint, np.int16(keypoint)))
    more = Predictions(*columns, np.append(oracle.x, np.float32(0)), np.append(oracle.y, np.float32(0)))
    with pytest.raises(InputError, match=rf"pair {pair} \(.*keypoint {keypoint} \(.*not asked for"):
        answers(more, asked, tiny, tiny.split("test"))


def test_a_repeated_answer_is_refused(tiny: Benchmark, asked: Queries, oracle: Predictions) -> None:
    columns = (oracle.pair, oracle.keypoint, oracle.x, oracle.y)
    twice = Predictions(*(np.append(column, column[3]) for column in columns))
    with pytest.raises(InputError, match=rf"pair {asked.pair[3]} .* more than once"):
        answers(twice, asked, tiny, tiny.split("test"))


def test_order_does_not_matter(tiny: Benchmark, asked: Queries, oracle: Predictions) -> None:
    order = np.random.default_rng(0).permutation(len(oracle))
    columns = (oracle.pair, oracle.keypoint, oracle.x, oracle.y)
    shuffled = Predictions(*(column[order] for column in columns))
    np.testing.assert_array_equal(answers(shuffled, asked, tiny, tiny.split("test")), asked.truth)


def test_a_failed_pair_is_wrong_and_is_counted(tiny: Benchmark, asked: Queries, oracle: Predictions) -> None:
    failed = replace(oracle, x=np.where(oracle.pair == 0, np.float32(np.nan), oracle.x))
    scores = score(tiny, tiny.split("test"), failed, DEFAULT).set_index(["scope", "subset", "metric", "alpha"])
    row = scores.loc[("all", "all", "per_point", 0.15)]
    assert row.n == len(asked)
    assert row.value == 1 - (asked.pair == 0).mean()
    assert scores.loc[("all", "all", "per_image", 0.15)].n == len(np.unique(asked.pair))

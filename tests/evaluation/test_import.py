"""Files of predictions become runs: what is accepted, what is refused, and that nothing half written is left."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from geoaware_cases import Case

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.answer_frames import parse_frame
from geobench.evaluation.importing import Import, import_predictions
from geobench.evaluation.protocol import Protocol, find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.runs import load_run
from geobench.evaluation.scores import score
from geobench.evaluation.scoring import INTERVALS, score_run

DEFAULT = find_protocol("default")


def answers(benchmark: Benchmark, protocol: Protocol = DEFAULT, noise: float = 4.0) -> pd.DataFrame:
    """Return a row for every question: the truth and some noise, with every column that names it."""
    asked = queries(benchmark, benchmark.split("test"), protocol)
    points = asked.truth + np.random.default_rng(0).normal(0, noise, asked.truth.shape)
    ids, names = benchmark.instances.id, np.array(benchmark.skeleton("cat").names)
    ends = {"source": ids[asked.query_row[asked.pair]], "target": ids[asked.answer_row[asked.pair]]}
    numbers = {"pair": asked.pair, **ends, "keypoint": asked.keypoint, "name": names[asked.keypoint]}
    return pd.DataFrame({**numbers, "x": points[:, 0], "y": points[:, 1]})


def write(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".json":
        table.to_json(path, orient="records")
    else:
        columns = {name: table[name].to_numpy() for name in table.columns}
        np.savez(
            path, **{name: column.astype(str) if column.dtype == object else column for name, column in columns.items()}
        )
    return path


def wanted(path: Path, benchmark: Benchmark, **more: Any) -> Import:
    return Import(path=path, benchmark=benchmark, split="test", name="theirs", **({"protocol": DEFAULT} | more))


def refusal(table: pd.DataFrame, benchmark: Benchmark, folder: Path, **more: Any) -> str:
    """Return the sentence that refuses a table; nothing may be written."""
    path = write(table, folder / "answers.csv")
    with pytest.raises(InputError) as caught:
        import_predictions(wanted(path, benchmark, **more), folder / "runs")
    assert not (folder / "runs").exists()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json", ".npz"])
@pytest.mark.parametrize(
    "columns",
    [["pair", "keypoint"], ["source", "target", "keypoint"], ["pair", "source", "target", "name"], ["pair", "nth"]],
    ids="-".join,
)
def test_every_format_and_naming_gives_the_same_run(
    tiny: Benchmark, tmp_path: Path, suffix: str, columns: list[str]
) -> None:
    table = answers(tiny)
    table["nth"] = table.groupby("pair").cumcount()
    given = table[[*columns, "x", "y"]].sample(frac=1, random_state=1).rename(columns={"name": "keypoint"})
    run = import_predictions(wanted(write(given, tmp_path / f"answers{suffix}"), tiny), tmp_path / "runs")
    found = load_run(run.folder).predictions()
    assert (found.pair == table.pair).all()
    assert (found.keypoint == table.keypoint).all()
    np.testing.assert_allclose(found.x, table.x.astype(np.float32), rtol=2e-7)
    np.testing.assert_allclose(found.y, table.y.astype(np.float32), rtol=2e-7)


def test_the_run_says_where_it_is_from(tiny: Benchmark, tmp_path: Path) -> None:
    path = write(answers(tiny), tmp_path / "answers.csv")
    more = {"title": "Theirs", "source": "github.com/them/theirs at 0123abc", "uses_mirror_index": True}
    run = import_predictions(wanted(path, tiny, **more), tmp_path / "runs")
    record = load_run(run.folder).record
    assert run.folder == tmp_path / "runs" / "tiny" / "test" / "theirs" / record.id
    assert record.imported is not None
    assert record.imported.file == "answers.csv"
    assert record.imported.sha256 == record.method.source_sha256
    assert record.imported.source == "github.com/them/theirs at 0123abc"
    assert record.imported.by.startswith("geobench import ")
    assert record.method.title == "Theirs"
    assert record.method.uses_mirror_index
    assert record.status == "success"
    assert record.n_pairs == len(tiny.split("test"))
    again = import_predictions(wanted(path, tiny, **more), tmp_path / "runs")
    assert again.folder == run.folder
    assert score_run(run, tiny).equals(score(tiny, tiny.split("test"), run.predictions(), DEFAULT, "test", INTERVALS))


def test_the_goldens_imported_as_a_dump_score_as_their_authors_count(tmp_path: Path) -> None:
    """GeoAware-SC's predictions as its result.pkl has them: all thirty slots, (x, y) in the padded frame."""
    from geoaware_goldens import golden

    case = Case("spair_nn_img")
    benchmark, pairs = case.benchmark, case.benchmark.split(case.split)
    numbers = np.flatnonzero(np.isin(pairs.category, list(case.golden["categories"])))[case.order]
    ids, path = benchmark.instances.id, tmp_path / "answers.npz"
    ends = [
        [f"data/SPair-71k/JPEGImages/{name}" for name in ids[rows[numbers]]] for rows in (pairs.source, pairs.target)
    ]
    np.savez(path, source=ends[0], target=ends[1], points=golden("pck_preds.npz")["spair_nn_img"])
    given = Import(path, benchmark, case.split, case.protocol, "geoaware", frame=parse_frame("pad:840"))
    run = import_predictions(given, tmp_path / "runs")
    ours = score(benchmark, pairs, run.predictions(), case.protocol, case.split)
    pd.testing.assert_frame_equal(ours, case.score(pairs, run.predictions(), case.protocol))
    overall = ours[(ours.scope == "all") & (ours.subset == "all") & (ours.metric == "per_image")]
    np.testing.assert_allclose(overall.value, case.golden["overall"], atol=1e-6)
    wrong = dataclasses.replace(given, frame=parse_frame("original"))
    with pytest.raises(InputError, match="pass --frame pad:840"):
        import_predictions(wrong, tmp_path / "runs")


def test_dumps_of_compact_lists_are_put_in_order(tiny: Benchmark, tmp_path: Path) -> None:
    """CATs and its descendants keep the visible keypoints of a pair side by side, filled up with -1."""
    protocol = find_protocol("cats").model_copy(update={"frame": DEFAULT.frame, "query_rounding": "none"})
    table = answers(tiny, protocol)
    pairs = tiny.split("test")
    points, count = np.full((len(pairs), 6, 2), -1.0), np.zeros(len(pairs), np.int64)
    for row in table.itertuples():
        points[row.pair, count[row.pair]] = row.x, row.y
        count[row.pair] += 1
    ids, path = tiny.instances.id, tmp_path / "dump.npz"
    np.savez(path, source=ids[pairs.target], target=ids[pairs.source], points=points, count=count)
    run = import_predictions(wanted(path, tiny, protocol=protocol), tmp_path / "runs")
    np.testing.assert_allclose(run.predictions().x, table.x, rtol=1e-6)
    np.savez(path, source=ids[pairs.source], target=ids[pairs.target], points=points[:, :1], count=np.minimum(count, 1))
    with pytest.raises(InputError, match="missing"):
        import_predictions(wanted(path, tiny, protocol=protocol), tmp_path / "runs")


def test_missing_pairs_and_keypoints(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny)
    n = table.pair.nunique()
    assert refusal(table[~table.pair.isin([3, 7])], tiny, tmp_path).startswith("pair 3 (")
    assert f"is missing (2 of {n} pairs); predict it" in refusal(table[~table.pair.isin([3, 7])], tiny, tmp_path)
    assert "keypoint 0 (nose) is missing; predict it (1 such keypoints in 1 pair)" in refusal(
        table.drop(index=0), tiny, tmp_path
    )


def test_what_is_there_twice(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny)
    twice = refusal(pd.concat([table, table[table.pair == 5]]), tiny, tmp_path)
    assert twice.startswith("pair 5 (")
    assert ") is there more than once; keep one row" in twice
    assert "keypoint 0 (nose) is there more than once" in refusal(pd.concat([table, table[:1]]), tiny, tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("keypoint", 4, "row 2: keypoint 4 does not exist; 'dog' has keypoints 0 to 3 (1 such rows)"),
        ("keypoint", -1, "row 2: keypoint -1 does not exist"),
        ("keypoint", 1.5, "row 2: 'dog' has no keypoint '1.5'"),
        ("keypoint", "snout", "row 2: 'dog' has no keypoint 'snout'"),
        ("keypoint", "left_pw", "did you mean left_paw"),
        ("keypoint", None, "row 2: keypoint is empty"),
        ("pair", 999, "row 2: pair 999 is not in the split, whose pairs are 0 to 23"),
        ("pair", "one", "row 2: pair is 'one', expected a whole number"),
        ("pair", 7, "row 2: pair 7 is "),
        ("source", "999", "row 2: source '999' is no image of the benchmark"),
        ("x", "left", "row 2: x is 'left', expected a number"),
        ("x", np.nan, "is NaN or empty (1 such rows); predict it, or pass --allow-nan"),
        ("y", np.inf, "inf), which is no position in an image (1 such rows); predict it, or write NaN and pass"),
        ("y", 1e30, "1e+30), which is no position in an image"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_bad_cell_is_named(tiny: Benchmark, tmp_path: Path, column: str, value: Any, message: str) -> None:
    table = answers(tiny).astype(object)
    table.loc[2, column] = value
    assert message in refusal(table, tiny, tmp_path)


def test_keypoints_from_one_are_recognised(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny)
    assert "they count from 0" in refusal(table.assign(keypoint=table.keypoint + 1), tiny, tmp_path)


def test_pairs_from_one_are_recognised(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny).drop(columns=["source", "target"])
    assert "count from 0, so subtract 1" in refusal(table.assign(pair=table.pair + 1), tiny, tmp_path)
    assert "23; correct it" in refusal(table.assign(pair=table.pair + 9), tiny, tmp_path)


def test_an_invisible_keypoint_is_not_asked(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny)
    missing = next(k for k in range(4) if k not in set(table.keypoint[table.pair == 0]))
    extra = table[:1].assign(keypoint=missing)
    message = refusal(pd.concat([table, extra]), tiny, tmp_path)
    assert f"keypoint {missing} ({tiny.skeleton('dog').names[missing]}) is not asked for in this split" in message


def test_the_wrong_way_round_is_recognised(tiny: Benchmark, tmp_path: Path) -> None:
    pairs = tiny.split("test")
    one_way = dataclasses.replace(tiny, splits={"test": pairs.take(pairs.source < pairs.target)})
    table = answers(one_way).drop(columns="pair").rename(columns={"source": "target", "target": "source"})
    assert "it has them the other way round" in refusal(table, one_way, tmp_path)


def test_pairs_that_are_there_twice_need_numbers(tiny: Benchmark, tmp_path: Path) -> None:
    doubled = dataclasses.replace(tiny, splits={"test": tiny.split("test").take(np.array([0, 0, 1]))})
    table = answers(doubled)
    assert "are several pairs of the split" in refusal(table.drop(columns="pair"), doubled, tmp_path)
    import_predictions(wanted(write(table, tmp_path / "answers.csv"), doubled), tmp_path / "runs")


def test_ids_that_lost_their_zeros_are_found(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny).drop(columns="pair").astype({"source": int, "target": int})
    run = import_predictions(wanted(write(table, tmp_path / "answers.csv"), tiny), tmp_path / "runs")
    assert len(run.predictions()) == len(table)


def test_nan_counts_as_wrong_where_it_is_allowed(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny, noise=0.0)
    table.loc[table.pair == 4, ["x", "y"]] = np.nan
    path = write(table, tmp_path / "answers.csv")
    run = import_predictions(wanted(path, tiny, allow_nan=True), tmp_path / "runs")
    assert (run.record.status, run.record.n_pairs_failed) == ("success_with_failures", 1)
    assert pd.read_parquet(run.folder / "failures.parquet").pair.tolist() == [4]
    scores = score_run(run, tiny, bootstrap=None)
    overall = scores[(scores.scope == "all") & (scores.subset == "all") & (scores.metric == "per_point")]
    assert overall.value.to_numpy() == pytest.approx(1 - (table.pair == 4).mean())


def test_another_fingerprint_is_refused(tiny: Benchmark, tmp_path: Path) -> None:
    table = answers(tiny)
    assert "made for another benchmark" in refusal(table, tiny, tmp_path, fingerprint="0123456789ab")
    assert "expected 8 to 64 digits" in refusal(table, tiny, tmp_path, fingerprint="tiny")
    path = write(table, tmp_path / "answers.csv")
    import_predictions(wanted(path, tiny, fingerprint=tiny.fingerprint[:12]), tmp_path / "runs")
    columns = {name: table[name].to_numpy() for name in ("pair", "keypoint", "x", "y")}
    np.savez(tmp_path / "answers.npz", fingerprint="0" * 64, **columns)
    with pytest.raises(InputError, match="its array fingerprint is 000000000000, but that of tiny is"):
        import_predictions(wanted(tmp_path / "answers.npz", tiny), tmp_path / "runs")


def test_a_run_of_another_benchmark_or_split_is_refused(tiny: Benchmark, tmp_path: Path) -> None:
    run = import_predictions(wanted(write(answers(tiny), tmp_path / "answers.csv"), tiny), tmp_path / "runs")
    stored = run.folder / "predictions.parquet"
    import_predictions(wanted(stored, tiny), tmp_path / "again")
    other = dataclasses.replace(tiny, recipe={"seed": 9})
    with pytest.raises(InputError, match=r"run\.json beside it is [0-9a-f]{12}, but that of tiny is"):
        import_predictions(wanted(stored, other), tmp_path / "again")
    renamed = dataclasses.replace(tiny, splits={"test": tiny.split("test"), "val": tiny.split("test")})
    moved = load_run(run.folder)
    moved.record.benchmark.fingerprint = renamed.fingerprint
    moved.save_record()
    with pytest.raises(InputError, match="says split test, not val; name that with --split"):
        import_predictions(dataclasses.replace(wanted(stored, renamed), split="val"), tmp_path / "again")


def test_flow_is_not_imported(tiny: Benchmark, tmp_path: Path) -> None:
    flow = dataclasses.replace(tiny, recipe={"truth": "flow"})
    with pytest.raises(InputError, match="flow of every pixel"):
        import_predictions(wanted(write(answers(tiny), tmp_path / "answers.csv"), flow), tmp_path / "runs")


@pytest.mark.parametrize("name", ["../x", "My Method", "", ".hidden", "a/b"])
def test_a_name_is_that_of_a_folder(tiny: Benchmark, tmp_path: Path, name: str) -> None:
    path = write(answers(tiny), tmp_path / "answers.csv")
    with pytest.raises(UsageError, match="must be made of"):
        import_predictions(dataclasses.replace(wanted(path, tiny), name=name), tmp_path / "runs")


@pytest.mark.parametrize("option", ["title", "setting", "source"])
@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "a\tb"], ids=["line", "colour", "tab"])
def test_what_is_said_of_a_method_is_one_line(tiny: Benchmark, tmp_path: Path, option: str, text: str) -> None:
    path = write(answers(tiny), tmp_path / "answers.csv")
    said = {option: text}
    with pytest.raises(UsageError, match=f"--{option}: must be one line of printable text"):
        import_predictions(dataclasses.replace(wanted(path, tiny), **said), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()

"""A repository of results: what is sound passes, and a folder edited by hand is refused with file and field."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import make_tiny_benchmark

import geobench
from geobench.benchmark import Benchmark
from geobench.catalog import published_folder
from geobench.cli import run as run_cli
from geobench.errors import InputError
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.runs import RunRecord
from geobench.evaluation.score_file import read_scores, write_scores
from geobench.evaluation.scoring import INTERVALS, score_run
from geobench.files import read_table, write_table
from geobench.results.layout import MEASURED, known_benchmarks, run_folders
from geobench.results.record_check import record_id
from geobench.results.validate import validate_results
from geobench.storage import load_benchmark_folder

RESULTS = published_folder().parent
needs_checkout = pytest.mark.skipif(not (RESULTS / MEASURED).is_dir(), reason="no results/measured beside published")
METHODS = ("random", "same-position")


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    root = tmp_path_factory.mktemp("tiny")
    return load_benchmark_folder(make_tiny_benchmark(root / "raw", n=40).save(root / "tiny"))


@pytest.fixture(scope="module")
def sound(benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "results"
    for name in METHODS:
        geobench.score(geobench.predict(name, benchmark, runs=root / MEASURED))
    told = f'[{benchmark.fingerprint}]\nname = "tiny"\ncard_version = 1\nmade_by = "tests/conftest.py"\n'
    (root / "benchmarks.toml").write_text(told, encoding="utf-8")
    return root


@pytest.fixture
def results(sound: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "results"))


def folder_of(results: Path, method: str = "random") -> Path:
    (found,) = (results / MEASURED / "tiny" / "test" / method).iterdir()
    return found


def refusal(results: Path, benchmark: Benchmark) -> str:
    with pytest.raises(InputError) as caught:
        validate_results(results, {benchmark.fingerprint: benchmark})
    return str(caught.value)


def test_sound_results_pass_and_are_counted_again(results: Path, benchmark: Benchmark) -> None:
    found = validate_results(results, {benchmark.fingerprint: benchmark})
    assert sorted(run.record.method.name for run in found.runs) == sorted(METHODS)
    assert not found.unscored
    assert [run.record.method.name for run in validate_results(results).unscored] == list(METHODS)
    assert len(validate_results(results, {benchmark.fingerprint: benchmark}, recount=False).unscored) == 2


@needs_checkout
def test_the_results_that_come_with_geobench_are_sound() -> None:
    found = validate_results(RESULTS, recount=False)
    assert found.n_published == 626
    assert {run.record.method.name for run in found.runs} >= {"dense-sift", "quadnet-nn"}


@needs_checkout
@pytest.mark.slow
def test_the_scores_that_come_with_geobench_are_those_of_their_predictions() -> None:
    assert not validate_results(RESULTS).unscored


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "run.json"
        values = json.loads(path.read_text())
        change(values)
        path.write_text(json.dumps(values))

    return edit


RECORDS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "started": (lambda v: v.update(status="started"), "status"),
    "unknown status": (lambda v: v.update(status="splendid"), "status"),
    "failures denied": (lambda v: v.update(n_pairs_failed=1), "status"),
    "never finished": (lambda v: v.update(finished_at=None), "finished_at"),
    "limited": (lambda v: v["benchmark"].update(limit=3), "benchmark.limit"),
    "a part of the split": (lambda v: v.update(n_pairs=3), "n_pairs"),
    "fewer answered": (lambda v: v.update(n_pairs_effective=2), "n_pairs_effective"),
    "more answered than asked": (lambda v: v.update(n_pairs_effective=10**6), "n_pairs_effective"),
    "random weights": (lambda v: v["method"].update(random_weights=True), "method.random_weights"),
    "another protocol": (lambda v: v["protocol"].update(comparison="<"), "protocol_fingerprint"),
    "no protocol": (lambda v: v["protocol"].update(comparison="about"), "protocol.comparison"),
    "unknown fingerprint": (lambda v: v["benchmark"].update(fingerprint="0" * 64), "benchmark.fingerprint"),
    "another benchmark": (lambda v: v["benchmark"].update(name="huge"), "benchmark.name"),
    "a finer title": (lambda v: v["method"].update(title="Finest"), "method.title"),
    "another recipe": (lambda v: v["method"]["recipe"].update(description="better"), "id"),
    "another seed": (lambda v: v.update(seed=7), "id"),
    "another id": (lambda v: v.update(id="0123456789ab"), "id"),
    "unknown key": (lambda v: v.update(score=100), "score"),
    "no method": (lambda v: v.pop("method"), "method"),
    "an empty protocol": (lambda v: v.update(protocol={}), "protocol.name"),
    "a renamed protocol": (lambda v: v["protocol"].update(name="mine"), "protocol.name"),
    "a number as text": (lambda v: v.update(n_pairs=str(v["n_pairs"])), "n_pairs"),
    "a truth value as number": (lambda v: v.update(seed=False), "seed"),
    "no schema": (lambda v: v.update(schema_version=None), "schema_version"),
    "an older schema": (lambda v: v.update(schema_version=0), "schema_version"),
    "a cost below nothing": (lambda v: v["cost"].update(wall_s=-1.0), "cost.wall_s"),
    "no cost at all": (lambda v: v["cost"].update(match_s=float("nan")), "cost.match_s"),
    "no time": (lambda v: v.update(started_at="yesterday"), "started_at"),
    "the end before the beginning": (lambda v: v.update(finished_at="2020-01-01T00:00:00+00:00"), "finished_at"),
    "a failure of nothing": (lambda v: v.update(first_failure="ValueError"), "first_failure"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_an_edited_record_is_refused_with_file_and_field(results: Path, benchmark: Benchmark, name: str) -> None:
    change, field = RECORDS[name]
    edited(change)(folder_of(results))
    told = refusal(results, benchmark)
    assert told.startswith(f"{folder_of(results) / 'run.json'}: {field}: ")
    assert "\n" not in told
    assert told.count("; ") == 1  # what is wrong; what to do


def test_a_protocol_that_is_no_preset_is_refused(benchmark: Benchmark, results: Path, tmp_path: Path) -> None:
    toml = tmp_path / "mine.toml"
    toml.write_text('name = "mine"\ntitle = "Mine"\nsource = "none"\nalphas = [0.37]\n')
    run = geobench.predict("oracle", benchmark, runs=results / MEASURED, protocol=find_protocol(toml))
    geobench.score(run)
    assert "run.json: protocol.name: 'mine' counts as no preset" in refusal(results, benchmark)


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def spoil(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(b"no such format")


def scores(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        table = read_scores(folder / "scores.parquet")
        kept, table = dict(table.attrs), change(table)
        table.attrs = kept
        write_scores(folder / "scores.parquet", table)

    return edit


def better(column: str, by: float) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        row = np.flatnonzero(table[column].between(0, 0.9, inclusive="neither") | (table[column] > 1))[0]
        table.loc[row, column] += by
        return table

    return change


def move_a_point(folder: Path) -> None:
    path = folder / "predictions.parquet"
    table = read_table(path).to_pandas()
    table.loc[:40, ["x", "y"]] = np.float32(-1000)
    write_table(path, pa.Table.from_pandas(table, preserve_index=False))


def renumber(folder: Path) -> None:
    path = folder / "predictions.parquet"
    table = read_table(path).to_pandas()
    table.loc[len(table) - 1, "pair"] = np.int32(10**6)
    write_table(path, pa.Table.from_pandas(table, preserve_index=False))


def lose_an_answer(folder: Path) -> None:
    path = folder / "predictions.parquet"
    write_table(path, read_table(path).slice(1))


def predictions(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "predictions.parquet"
        write_table(path, pa.Table.from_pandas(change(read_table(path).to_pandas()), preserve_index=False))

    return edit


def intervals(made: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "scores.parquet"
        table = read_table(path)
        kept = {**(table.schema.metadata or {}), b"geobench.intervals": json.dumps(made).encode()}
        write_table(path, table.replace_schema_metadata(kept))

    return edit


def made_with(**settings: object) -> Callable[[Path], None]:
    return intervals({**INTERVALS.record(), **settings})


def linked(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        moved = (folder / name).rename(folder.parents[5] / name)
        (folder / name).symlink_to(moved)

    return edit


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no predictions": (drop("predictions.parquet"), "predictions.parquet: is missing"),
    "no scores": (drop("scores.parquet"), "scores.parquet: is missing"),
    "damaged predictions": (spoil("predictions.parquet"), "predictions.parquet: "),
    "damaged scores": (spoil("scores.parquet"), "scores.parquet: "),
    "damaged record": (spoil("run.json"), "run.json: "),
    "a better score": (scores(better("value", 0.05)), "scores.parquet: value of scope "),
    "a better interval": (scores(better("low", 0.01)), "scores.parquet: low of scope "),
    "more pairs": (scores(better("n_pairs", 1)), "scores.parquet: n_pairs of scope "),
    "an impossible score": (scores(better("value", 1)), "scores.parquet: value of scope "),
    "a score twice": (scores(lambda t: t.iloc[[0, *range(len(t))]]), "is there twice"),
    "a score less": (scores(lambda t: t.iloc[1:]), "is missing"),
    "a column less": (scores(lambda t: t.drop(columns="n_images")), "scores.parquet: column 'n_images' is missing"),
    "words for figures": (scores(lambda t: t.assign(value="good")), "column 'value' holds no numbers"),
    "a pair too many": (renumber, "predictions.parquet: column 'pair' is outside 0 to "),
    "other predictions": (move_a_point, "scores.parquet: "),
    "an answer less": (lose_an_answer, "has no prediction"),
    "the file of the answer less": (lose_an_answer, "predictions.parquet for tiny, split test: pair "),
    "an answer twice": (predictions(lambda t: t.iloc[[0, *range(len(t))]]), "is predicted more than once"),
    "a column more": (predictions(lambda t: t.assign(score=1)), "predictions.parquet: column 'score' does not belong"),
    "no position": (predictions(lambda t: t.assign(x=t.x.where(t.index != 3, np.inf))), "row 3: x is infinite"),
    "a score's comment": (scores(lambda t: t.assign(note="best")), "scores.parquet: column 'note' does not belong"),
    "no intervals": (intervals(None), "scores.parquet: metadata 'geobench.intervals': must be resamples 10000"),
    "a list of intervals": (intervals([]), "metadata 'geobench.intervals': must be"),
    "intervals of nothing": (intervals({}), "metadata 'geobench.intervals': must be"),
    "another seed of intervals": (made_with(seed=3), "metadata 'geobench.intervals': must be"),
    "another way of intervals": (made_with(method="guess"), "metadata 'geobench.intervals': must be"),
    "resamples beyond memory": (made_with(resamples=10**12), "metadata 'geobench.intervals': must be"),
    "failures of no run": (
        lambda folder: (folder / "failures.parquet").write_bytes(b"x"),
        "failures.parquet: does not belong to a run in which no pair failed",
    ),
    "flow of a run on keypoints": (
        lambda folder: (folder / "flow.parquet").write_bytes(b"x"),
        "flow.parquet: does not belong to a run on keypoints",
    ),
    "a folder as file": (lambda folder: (folder / "flow.parquet").mkdir(), "flow.parquet: is no file"),
    "a full lock": (lambda folder: (folder / ".lock").write_text("x"), ".lock: is no empty file"),
    "linked predictions": (linked("predictions.parquet"), "predictions.parquet: is a link; put what it leads to"),
    "a stray file": (lambda folder: (folder / "notes.txt").write_text("hm"), "notes.txt: is no file of a run"),
}


@pytest.mark.parametrize("name", FILES)
def test_edited_files_are_refused(results: Path, benchmark: Benchmark, name: str) -> None:
    spoiling, expected = FILES[name]
    spoiling(folder_of(results))
    assert expected in refusal(results, benchmark)


def test_a_run_in_the_wrong_place_is_refused(results: Path, benchmark: Benchmark) -> None:
    folder = folder_of(results)
    folder.rename(folder.with_name("0123456789ab"))
    assert f"the run belongs in {folder}" in refusal(results, benchmark)


def test_stray_files_and_empty_folders_are_refused(results: Path) -> None:
    stray = results / MEASURED / "tiny" / "notes.txt"
    stray.write_text("hm")
    with pytest.raises(InputError, match=r"notes\.txt: lies outside the folder of any run"):
        list(run_folders(results))
    stray.unlink()
    empty = results / MEASURED / "tiny" / "val" / "mine"
    empty.mkdir(parents=True)
    with pytest.raises(InputError, match=r"val: holds no run\.json"):
        list(run_folders(results))


def test_the_same_method_twice_is_refused(results: Path, benchmark: Benchmark) -> None:
    folder = folder_of(results)
    values = json.loads((folder / "run.json").read_text())
    values["device"] = "cuda"  # another device has another id
    values["id"] = record_id(RunRecord.model_validate(values))
    copy = Path(shutil.copytree(folder, folder.with_name(values["id"])))
    (copy / "run.json").write_text(json.dumps(values))
    told = refusal(results, benchmark)
    assert "method.name: the same method and seed as" in told


def test_predictions_copied_from_another_method_are_refused(results: Path, benchmark: Benchmark) -> None:
    for name in ("predictions.parquet", "scores.parquet"):
        shutil.copy(folder_of(results, "random") / name, folder_of(results, "same-position") / name)
    assert "id: the same predictions as" in refusal(results, benchmark)


def test_copied_predictions_are_known_however_they_are_written(results: Path, benchmark: Benchmark) -> None:
    table = read_table(folder_of(results, "random") / "predictions.parquet")
    theirs = folder_of(results, "same-position")
    pq.write_table(table.take(np.arange(len(table))[::-1]), theirs / "predictions.parquet", compression="gzip")
    shutil.copy(folder_of(results, "random") / "scores.parquet", theirs / "scores.parquet")
    assert "id: the same predictions as" in refusal(results, benchmark)


FAILURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (Path.unlink, "failures.parquet: is missing, though 1 pairs failed"),
    "others": (lambda path: write_table(path, pa.table({"pair": [3], "reason": ["x"]})), "column 'pair' is not of the"),
    "empty": (
        lambda path: write_table(path, pa.table({"pair": [], "reason": []})),
        "column 'pair' is not of the pairs",
    ),
    "texts": (
        lambda path: write_table(path, pa.table({"pair": ["x"], "reason": ["x"]})),
        "column 'pair' is not of the",
    ),
    "columns": (lambda path: write_table(path, pa.table({"pair": [4]})), "must have the columns pair and reason"),
    "damaged": (lambda path: path.write_bytes(b"x"), "failures.parquet: not a readable Parquet file"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_those_of_the_predictions(results: Path, benchmark: Benchmark, tmp_path: Path, name: str) -> None:
    table = read_table(folder_of(results) / "predictions.parquet").to_pandas()
    table["x"] = (table["x"] + 1).mask(table["pair"] == 4)
    table.to_parquet(tmp_path / "mine.parquet")
    asked = ["--benchmark", str(benchmark.folder), "--split", "test", "--name", "mine", "--allow-nan"]
    assert run_cli(["import", str(tmp_path / "mine.parquet"), *asked, "--runs", str(results / MEASURED)]) == 0
    assert len(validate_results(results, {benchmark.fingerprint: benchmark}).runs) == 3
    change, expected = FAILURES[name]
    change(folder_of(results, "mine") / "failures.parquet")
    assert expected in refusal(results, benchmark)


def test_a_run_of_a_split_that_is_not_there_is_refused(results: Path, benchmark: Benchmark) -> None:
    folder = folder_of(results)
    values = json.loads((folder / "run.json").read_text())
    values["benchmark"]["split"] = "val"
    values["id"] = record_id(RunRecord.model_validate(values))
    moved = results / MEASURED / "tiny" / "val" / "random" / values["id"]
    moved.parent.mkdir(parents=True)
    folder.rename(moved)
    folder.parent.rmdir()
    (moved / "run.json").write_text(json.dumps(values))
    assert refusal(results, benchmark).endswith("benchmark.split: tiny has no split 'val'; send the run unedited")


def test_a_repository_is_known_by_its_list_and_its_folders(results: Path, benchmark: Benchmark) -> None:
    with pytest.raises(InputError, match=r"measured/benchmarks\.toml: is missing; name a repository of results"):
        validate_results(results / MEASURED)
    (results / "published").write_text("x")
    assert "published: is no folder" in refusal(results, benchmark)
    (results / "published").unlink()
    (results / MEASURED / "tiny" / "loop").symlink_to(results)
    assert "loop: is a link; put what it leads to in its place" in refusal(results, benchmark)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[abc]\nname = 'tiny'\n", "abc: is no fingerprint"),
        (f"['{'a' * 64}']\nname = 'tiny'\ncard_version = 1\n", "required key 'made_by' is missing"),
        (f"{'a' * 64} = 3\n", "is no table"),
        ("[", "not a readable TOML file"),
    ],
    ids=["short", "key missing", "no table", "no toml"],
)
def test_a_malformed_list_of_benchmarks_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "benchmarks.toml").write_text(text)
    with pytest.raises(InputError, match=expected):
        known_benchmarks(tmp_path)


def test_the_verb_says_what_it_checked(results: Path, benchmark: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["validate-results", str(results)]
    assert run_cli([*where, "--benchmark", str(benchmark.folder)]) == 0
    assert "2 runs, scores of 2 counted again" in capsys.readouterr().out
    assert run_cli(where) == 0
    assert "scores of 0 counted again; not counted again: those on tiny" in capsys.readouterr().out
    edited(lambda v: v.update(status="started"))(folder_of(results))
    assert run_cli(where) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "run.json: status: 'started' is no finished run" in told
    assert run_cli(["validate-results", str(results / "nowhere")]) == 1
    capsys.readouterr()
    assert run_cli([*where, "--benchmark", "quadrupedes"]) == 2
    assert capsys.readouterr().err.startswith("geobench: 'quadrupedes': no such benchmark folder; did you mean")


def test_an_imported_run_is_sound(results: Path, benchmark: Benchmark, tmp_path: Path) -> None:
    table = read_table(folder_of(results) / "predictions.parquet").to_pandas()
    table["x"] += 1
    table.to_csv(tmp_path / "mine.csv", index=False)
    asked = ["--benchmark", str(benchmark.folder), "--split", "test", "--name", "mine"]
    code = run_cli(["import", str(tmp_path / "mine.csv"), *asked, "--runs", str(results / MEASURED)])
    assert code == 0
    (folder,) = (results / MEASURED / "tiny" / "test" / "mine").iterdir()
    score_run(folder)
    found = validate_results(results, {benchmark.fingerprint: benchmark})
    assert "mine" in {run.record.method.name for run in found.runs}

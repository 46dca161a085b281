"""A task is all that a predictor needs and nothing of the truth; its answers come back as a run like any other."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geobench.benchmark import Benchmark
from geobench.cli import run
from geobench.errors import InputError
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.runs import find_runs
from geobench.evaluation.task_export import export_task
from geobench.evaluation.task_text import EXAMPLE, import_command

DEFAULT = find_protocol("default")
PAGE = Path(__file__).parents[2] / "docs" / "predictions.md"


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return a table of a task; CSV and Parquet must say the same."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    texts = dict.fromkeys(("image", "source", "target", "name", "file", "mask", "category"), str)
    written = pd.read_csv(folder / f"{name}.csv", dtype=texts, keep_default_na=False)
    pd.testing.assert_frame_equal(table, written.astype(table.dtypes.to_dict()))
    return table


@pytest.mark.parametrize("preset", ["default", "cats"])
def test_a_task_asks_what_the_protocol_asks(tiny: Benchmark, tmp_path: Path, preset: str) -> None:
    protocol = find_protocol(preset)
    folder = export_task(tiny, "test", tmp_path / "task", protocol)
    asked, ids = queries(tiny, tiny.split("test"), protocol), tiny.instances.id
    table = read(folder, "queries")
    np.testing.assert_array_equal(table[["x", "y"]], asked.points)
    assert (table.pair == asked.pair).all()
    assert (table.keypoint == asked.keypoint).all()
    assert (table.source == ids[asked.query_row[asked.pair]]).all()
    assert (table.target == ids[asked.answer_row[asked.pair]]).all()
    assert (table.name == np.array(tiny.skeleton("cat").names)[asked.keypoint]).all()
    pairs = read(folder, "pairs")
    assert pairs.points.sum() == len(table)
    assert pairs.pair.tolist() == np.unique(asked.pair).tolist()
    images = read(folder, "images")
    np.testing.assert_array_equal(images[["box_x", "box_y", "box_width", "box_height"]], tiny.instances.bbox)
    assert images.image.tolist() == ids.tolist()
    header = json.loads((folder / "task.json").read_text())
    assert (header["fingerprint"], header["split"], header["queries"]) == (tiny.fingerprint, "test", len(table))


def test_the_truth_is_in_no_column(tiny: Benchmark, tmp_path: Path) -> None:
    """With pairs in one direction only, no true answer is anywhere in the folder."""
    pairs = tiny.split("test")
    one_way = dataclasses.replace(tiny, splits={"test": pairs.take((pairs.source < 4) & (pairs.target >= 4))})
    folder = export_task(one_way, "test", tmp_path / "task", DEFAULT, "copy")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("README.md", "images", "images.csv", "images.parquet", "pairs.csv", "pairs.parquet"),
        *("queries.csv", "queries.parquet", "task.json"),
    ]
    truth = queries(one_way, one_way.split("test"), DEFAULT).truth
    numbers = [read(folder, name).select_dtypes("number").to_numpy().ravel() for name in ("images", "pairs", "queries")]
    assert not np.isin(truth.astype(np.float64), np.concatenate(numbers).astype(np.float64)).any()


@pytest.mark.parametrize("images", ["copy", "link"])
def test_images_go_along(tiny: Benchmark, tmp_path: Path, images: str) -> None:
    folder = export_task(tiny, "test", tmp_path / "task", DEFAULT, images)
    for row in read(folder, "images").itertuples():
        place = folder / row.file
        assert place.is_symlink() == (images == "link")
        assert place.read_bytes() == (tiny.image_root / row.file.removeprefix("images/")).read_bytes()
    (tiny.image_root / "images" / "002.png").unlink()
    with pytest.raises(InputError, match=r"002\.png: no such image \(1 of 8 are absent\)"):
        export_task(tiny, "test", tmp_path / "again", DEFAULT, images)
    assert not (tmp_path / "again").exists()


def test_paths_stay_in_the_folder(tiny: Benchmark, tmp_path: Path) -> None:
    outside = np.array([f"../raw/{name}" for name in tiny.instances.image])
    moved = dataclasses.replace(tiny, instances=dataclasses.replace(tiny.instances, image=outside))
    folder = export_task(moved, "test", tmp_path / "task", DEFAULT, "copy")
    for row in read(folder, "images").itertuples():
        assert (folder / row.file).resolve().is_relative_to(folder.resolve())


def test_only_an_empty_folder_is_written(tiny: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    with pytest.raises(InputError, match="exists and is not empty"):
        export_task(tiny, "test", tmp_path, DEFAULT)
    assert (tmp_path / "kept").read_text() == "x"
    with pytest.raises(InputError, match="flow of every pixel"):
        export_task(dataclasses.replace(tiny, recipe={"truth": "flow"}), "test", tmp_path / "task", DEFAULT)


def test_the_current_folder_is_not_replaced(tiny: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in (".", str(here)):
        with pytest.raises(InputError, match="is the folder you are in; name a new one in it"):
            export_task(tiny, "test", Path(name), DEFAULT)
    assert export_task(tiny, "test", Path("task"), DEFAULT).is_dir()


def commands(text: str) -> list[list[str]]:
    return [line.strip().split() for line in text.splitlines() if line.strip().startswith("geobench import")]


def test_the_round_trip_of_the_readme_scores_as_eval(
    tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example that README.md shows, run in the folder, and its command, give what ``same-position`` scores."""
    task, runs = tmp_path / "task", tmp_path / "runs"
    assert run(["export-task", str(tiny.folder), "--split", "test", "--out", str(task), "--with-images", "copy"]) == 0
    readme = (task / "README.md").read_text()
    (task / "predict.py").write_text(re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0])
    subprocess.run([sys.executable, "predict.py"], cwd=task, check=True)
    (command,) = commands(readme)
    command[command.index("answers.csv")] = str(task / "answers.csv")
    command[command.index("--benchmark") + 1] = str(tiny.folder)
    assert run([*command[1:], "--runs", str(runs)]) == 0
    evaluate = ["eval", "--method", "same-position", "--benchmark", str(tiny.folder), "--runs", str(runs)]
    assert run(evaluate) == 0
    theirs, ours = find_runs([runs])
    assert (theirs.record.method.name, ours.record.method.name) == ("my-method", "same-position")
    pd.testing.assert_frame_equal(theirs.scores(), ours.scores())
    folders = [str(theirs.folder), str(ours.folder)]
    capsys.readouterr()
    for verb in (["score", folders[0]], ["leaderboard", str(runs)], ["errors", str(runs)], ["compare", *folders]):
        assert run(verb) == 0, verb
    assert "my-method" in capsys.readouterr().out


def test_a_protocol_of_ones_own_is_named_as_a_file(tiny: Benchmark) -> None:
    own = DEFAULT.model_copy(update={"name": "mine"})
    assert import_command(tiny, "test", own).endswith(" --protocol mine.toml")
    assert import_command(tiny, "test", find_protocol("cats")).endswith(" --protocol cats")
    assert "--protocol" not in import_command(tiny, "test", DEFAULT)


def test_the_page_shows_the_example() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"```python\n{EXAMPLE}```" in page
    for name in ("--no-check-frame", "--allow-nan", "--fingerprint", "--source", "--frame", "--protocol"):
        assert name in page


def test_the_lines_for_geoaware_sc_export_a_result_that_is_imported(
    tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines of the page, run on a result.pkl as pck_train.py:151-162 makes it, with paths from their folder."""
    asked, ids = queries(tiny, tiny.split("test"), DEFAULT), tiny.instances.id
    result = []
    for pair in np.unique(asked.pair).tolist():
        points, of_pair = np.zeros((30, 2), np.float32), asked.pair == pair
        points[asked.keypoint[of_pair]] = asked.truth[of_pair]
        source, target = (f"data/tiny/images/{ids[rows[pair]]}.png" for rows in (asked.query_row, asked.answer_row))
        one = {"src_fn": source, "trg_fn": target, "src_kpts_pred": points, "resize_resolution": 840}
        result.append(one)
    (tmp_path / "result.pkl").write_bytes(pickle.dumps(result))
    lines = re.findall(r"```python\n(import pickle.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "export.py").write_text(lines)
    subprocess.run([sys.executable, "export.py"], cwd=tmp_path, check=True)
    where = ["--benchmark", str(tiny.folder), "--split", "test", "--runs", str(tmp_path / "runs")]
    assert run(["import", str(tmp_path / "answers.npz"), *where, "--name", "geoaware"]) == 0
    assert capsys.readouterr().out.count("100.00") == 16  # two subsets, two ways to average, four thresholds

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geobench.benchmark import Benchmark
from geobench.errors import InputError
from geobench.storage import load_benchmark_folder
from tests.conftest import make_tiny_benchmark


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    made = make_tiny_benchmark(tmp_path / "raw")
    loaded = load_benchmark_folder(made.save(tmp_path / "out"))
    assert loaded.fingerprint == made.fingerprint
    assert loaded.image_root == made.image_root.resolve()
    for column in ("id", "bbox", "keypoints", "visibility", "azimuth", "category"):
        np.testing.assert_array_equal(getattr(loaded.instances, column), getattr(made.instances, column))
    np.testing.assert_array_equal(loaded.split("test").source, made.split("test").source)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    made = make_tiny_benchmark(tmp_path / "raw")
    first, second = made.save(tmp_path / "a"), made.save(tmp_path / "b")
    for path in sorted(p for p in first.rglob("*") if p.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path.name


def test_pandas_reads_it_without_geobench(tiny: Benchmark) -> None:
    assert tiny.folder is not None
    instances = pd.read_parquet(tiny.folder / "instances.parquet")
    pairs = pd.read_parquet(tiny.folder / "pairs" / "test.parquet")
    assert np.stack([np.stack(row) for row in instances.keypoints]).shape == (8, 4, 2)
    tags = tiny.split("test").geometry_aware(tiny)
    assert [list(row) for row in pairs.geometry_aware] == [np.flatnonzero(row).tolist() for row in tags]


def test_moving_the_folder_keeps_the_fingerprint(tiny: Benchmark, tmp_path: Path) -> None:
    moved = shutil.move(str(tiny.folder), tmp_path / "elsewhere")
    assert load_benchmark_folder(Path(moved)).fingerprint == tiny.fingerprint


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "benchmark.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_newer_format_is_refused(tiny: Benchmark) -> None:
    assert tiny.folder is not None
    _edit(tiny.folder, format_version=99)
    with pytest.raises(InputError, match=r"benchmark\.json: written in format version 99 .* upgrade geobench"):
        load_benchmark_folder(tiny.folder)


def test_changed_content_is_noticed(tiny: Benchmark) -> None:
    assert tiny.folder is not None
    path = tiny.folder / "pairs" / "test.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "target"] = (table.loc[0, "target"] + 1) % 8
    table.to_parquet(path)
    with pytest.raises(InputError, match="was changed; build it again"):
        load_benchmark_folder(tiny.folder)


@pytest.mark.parametrize("column", ["keypoints", "visibility", "width", "bbox"])
def test_columns_of_another_kind_are_noticed(tiny: Benchmark, column: str) -> None:
    """pandas makes lists of any length of those of one, and somebody else makes texts of numbers."""
    assert tiny.folder is not None
    path = tiny.folder / "instances.parquet"
    table = pd.read_parquet(path)
    table.to_parquet(path)
    with pytest.raises(InputError, match=r"is not as geobench wrote it \(.*\); it was changed; build it again"):
        load_benchmark_folder(tiny.folder)
    table.assign(**{column: "text"}).to_parquet(path)
    with pytest.raises(InputError, match=r"is not as geobench wrote it \(.*\); it was changed; build it again"):
        load_benchmark_folder(tiny.folder)


def test_pair_of_unknown_instance_is_refused(tiny: Benchmark) -> None:
    assert tiny.folder is not None
    path = tiny.folder / "pairs" / "test.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "target"] = 99
    table.to_parquet(path)
    with pytest.raises(InputError, match="names an instance that does not exist"):
        load_benchmark_folder(tiny.folder)


@pytest.mark.parametrize("name", ["benchmark.json", "instances.parquet", "pairs/test.parquet"])
def test_missing_or_damaged_file_is_named(tiny: Benchmark, name: str) -> None:
    assert tiny.folder is not None
    (tiny.folder / name).write_bytes(b"garbage")
    with pytest.raises(InputError, match=name):
        load_benchmark_folder(tiny.folder)
    (tiny.folder / name).unlink()
    with pytest.raises(InputError, match=name):
        load_benchmark_folder(tiny.folder)


def test_a_folder_that_is_not_a_benchmark_is_never_overwritten(tiny: Benchmark, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not a benchmark"):
        tiny.save(precious)
    assert (precious / "thesis.tex").read_text() == "years of work"


def test_saving_over_a_benchmark_replaces_it(tiny: Benchmark, tmp_path: Path) -> None:
    assert tiny.folder is not None
    other = replace(tiny, recipe={"seed": 1})
    other.save(tiny.folder)
    assert load_benchmark_folder(tiny.folder).fingerprint == other.fingerprint != tiny.fingerprint
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")] == []


def test_what_a_dataset_says_of_its_pairs_is_stored_and_part_of_the_fingerprint(tmp_path: Path) -> None:
    plain = make_tiny_benchmark(tmp_path / "raw")
    name = next(iter(plain.splits))
    pairs = plain.splits[name]
    flags = (np.arange(len(pairs)) % 3).astype(np.int8)
    told = replace(plain, splits={**plain.splits, name: replace(pairs, attributes={"occlusion": flags})})
    assert told.fingerprint != plain.fingerprint
    loaded = load_benchmark_folder(told.save(tmp_path / "told"))
    np.testing.assert_array_equal(loaded.splits[name].attributes["occlusion"], flags)
    np.testing.assert_array_equal(loaded.splits[name].take(np.array([0])).attributes["occlusion"], flags[:1])

"""Features on disk: the same answers from the first use on, whoever wrote them, or one sentence on why not."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import geobench
from geobench import features
from geobench.benchmark import Benchmark
from geobench.cli import run as command
from geobench.errors import GeobenchWarning, UsageError
from geobench.evaluation import store_size
from geobench.evaluation.runs import Run
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels
from geobench.features.store import FeatureStore, StoreError
from geobench.methods import stored as stored_module
from geobench.methods.loader import load_method
from geobench.methods.stored import StoredMethod, stored_part, with_store
from geobench.posing import MIRROR
from tests.evaluation.test_descriptions import SMALL, bytes_of, crowded

BOX = Letterbox.pad((41, 30), 32)
KEY = "ab" + 62 * "0"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "small.toml").write_text(SMALL)
    return str(tmp_path / "small.toml")


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def levels() -> Levels:
    return Levels([FeatureMap(torch.randn(3, side, side), BOX) for side in (8, 4)])


def features_of(found: Any) -> list[torch.Tensor]:
    if isinstance(found, FeatureMap):
        return [found.features]
    return [one for part in (found.maps if isinstance(found, Levels) else found) for one in features_of(part)]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(
    "make", [lambda: levels().maps[0], levels, lambda: (levels(), FeatureMap(torch.randn(5, 6, 6), BOX))]
)
def test_what_is_written_is_what_is_read(tmp_path: Path, make: Any, dtype: Any) -> None:
    store, found = FeatureStore(tmp_path, dtype), make()
    assert store.read(KEY) is None
    written, read = store.write(KEY, found, {"image": "a.png"}), store.read(KEY)
    assert type(read) is type(written) is type(found)
    for before, after, again in zip(*map(features_of, (found, written, read)), strict=True):
        assert torch.equal(after, again)
        assert after.dtype == torch.float32
        assert torch.equal(before, after) == (dtype == "float32")
        torch.testing.assert_close(before, after, rtol=2**-11, atol=1e-7)
    size = {"float16": 2, "float32": 4}[dtype] * sum(one.numel() for one in features_of(found))
    assert size < store.entry_bytes < size + 1200
    if isinstance(read, FeatureMap):
        assert read.letterbox == BOX


def test_a_feature_too_large_for_half_precision_is_refused(tmp_path: Path) -> None:
    large = FeatureMap(torch.full((1, 2, 2), 70000.0), BOX)
    with pytest.raises(StoreError, match="features reach 70000, which half precision cannot hold; pass --store-dtype"):
        FeatureStore(tmp_path).write(KEY, large, {})
    assert not entries(tmp_path)
    assert torch.equal(features_of(FeatureStore(tmp_path, "float32").write(KEY, large, {}))[0], large.features)


@pytest.mark.parametrize("harm", ["truncated", "empty", "flipped", "other"])
def test_a_damaged_entry_is_told_and_as_good_as_absent(tmp_path: Path, harm: str) -> None:
    store = FeatureStore(tmp_path)
    store.write(KEY, levels(), {})
    content = bytearray(store.path(KEY).read_bytes())
    content[-5] ^= 1
    harmed = {"truncated": content[:-40], "empty": b"", "flipped": content, "other": b"PNG and what else" * 9}[harm]
    store.path(KEY).write_bytes(harmed)
    with pytest.warns(GeobenchWarning, match=r"safetensors: damaged \(.*\); the image is described again"):
        assert store.read(KEY) is None


WRITER = """
import sys, torch
from pathlib import Path
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.store import FeatureStore
store = FeatureStore(Path(sys.argv[1]))
found = FeatureMap(torch.rand(64, 20, 20, generator=torch.Generator().manual_seed(0)), Letterbox.pad((40, 30), 32))
rounded = found.features.half().float()
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    key = f"{number % 3:064d}"
    store.write(key, found, {})
    assert torch.equal(store.read(key).features, rounded)
"""


def test_two_processes_may_write_the_same_entries_at_the_same_time(tmp_path: Path) -> None:
    start = [sys.executable, "-W", "error", "-c", WRITER, str(tmp_path / "store")]
    root = Path(geobench.__file__).parents[1]
    writers = [
        subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert len(entries(tmp_path / "store")) == 3


def told(run: Run) -> tuple[int, int]:
    return run.record.cost.n_described, run.record.cost.n_read


def test_first_and_second_use_give_the_same_bytes(
    tiny: Benchmark, tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        geobench.predict(recipe, tiny, runs=tmp_path / runs, store=tmp_path / "store") for runs in ("first", "second")
    )
    assert (told(first), told(second)) == ((8, 0), (0, 8))
    assert bytes_of(first) == bytes_of(second)
    assert first.record.id == second.record.id
    sentences = capsys.readouterr().err.splitlines()
    assert "8 images × 16." in sentences[0]
    assert f"in {tmp_path / 'store'}, " in sentences[0]
    assert "8 images of them there" in sentences[1]


def test_half_precision_is_another_run_and_full_precision_is_not(tiny: Benchmark, tmp_path: Path, recipe: str) -> None:
    plain = geobench.predict(recipe, tiny, runs=tmp_path / "plain")
    half, full = (
        geobench.predict(recipe, tiny, runs=tmp_path / dtype, store=tmp_path / "store", store_dtype=dtype)
        for dtype in ("float16", "float32")
    )
    assert half.record.id != plain.record.id == full.record.id
    assert half.record.method.title == "Small, features in float16"
    assert half.record.method.recipe["store"] == {"dtype": "float16"}
    assert full.record.method == plain.record.method
    assert bytes_of(half) != bytes_of(plain) == bytes_of(full)
    points = [np.stack([run.predictions().x, run.predictions().y]) for run in (half, plain)]
    np.testing.assert_allclose(points[0], points[1], atol=0.05)  # pixels of images 40 to 60 wide
    assert len(entries(tmp_path / "store")) == 16


def test_what_memory_does_not_hold_is_read_again(tmp_path: Path, recipe: str) -> None:
    benchmark = crowded(tmp_path / "images")
    whole = geobench.predict(recipe, benchmark, runs=tmp_path / "whole", store=tmp_path / "store")
    memory = 10 * whole.record.cost.description_bytes
    with pytest.warns(GeobenchWarning, match=r"12 images will be described, or read from the store, 1\.\d times"):
        few = geobench.predict(recipe, benchmark, runs=tmp_path / "few", store=tmp_path / "other", memory=memory)
    assert few.record.cost.n_described == 12
    assert few.record.cost.n_read == few.record.cost.n_planned - 12 > 0
    assert bytes_of(few) == bytes_of(whole)


def test_a_damaged_entry_is_mended_by_the_next_run(tiny: Benchmark, tmp_path: Path, recipe: str) -> None:
    first = geobench.predict(recipe, tiny, runs=tmp_path / "first", store=tmp_path / "store")
    harmed = entries(tmp_path / "store")[2]
    intact = harmed.read_bytes()
    harmed.write_bytes(intact[:500])
    with pytest.warns(GeobenchWarning, match="damaged"):
        again = geobench.predict(recipe, tiny, runs=tmp_path / "again", store=tmp_path / "store")
    assert told(again) == (1, 7)
    assert bytes_of(again) == bytes_of(first)
    assert harmed.read_bytes() == intact


def test_poses_are_stored_too(tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "turned.toml").write_text(SMALL + "[alignment]\nresolution = 8\n")
    options = {"store": tmp_path / "store", "store_dtype": "float32"}
    turned = str(tmp_path / "turned.toml")
    plain = geobench.predict(turned, tiny, runs=tmp_path / "plain")
    first, second = (
        geobench.predict(turned, tiny, runs=tmp_path / name, **options)  # type: ignore[arg-type]
        for name in ("first", "second")
    )
    assert bytes_of(plain) == bytes_of(first) == bytes_of(second)
    assert 8 < len(entries(tmp_path / "store")) <= 16
    assert "8 images × up to 2 poses × 33." in capsys.readouterr().err


def stored(recipe: str, folder: Path) -> StoredMethod:
    part = stored_part(with_store(load_method(recipe), FeatureStore(folder)))
    assert part is not None
    return part


def test_an_entry_is_found_by_all_that_its_features_depend_on(tiny: Benchmark, tmp_path: Path, recipe: str) -> None:
    method, picture = stored(recipe, tmp_path / "store"), tiny.picture(0)
    (tmp_path / "finer.toml").write_text(SMALL.replace("bins = [4]", "bins = [6]"))
    (tmp_path / "matched.toml").write_text(SMALL.replace("window-soft-argmax", "nearest"))
    key = method.key(picture, 1)
    others = {
        method.key(picture, 2),
        method.key(picture.posed(MIRROR), 1),
        method.key(replace(picture, category="other"), 1),
        method.key(replace(picture, box=(0.0, 0.0, 3.0, 3.0)), 1),
        stored(str(tmp_path / "finer.toml"), tmp_path / "store").key(picture, 1),
    }
    assert len(others - {key}) == 5
    assert stored(str(tmp_path / "matched.toml"), tmp_path / "elsewhere").key(picture, 1) == key
    elsewhere = tmp_path / "moved.png"
    elsewhere.write_bytes(picture.path.read_bytes())
    assert method.key(replace(picture, path=elsewhere, key="other"), 1) == key
    Image.fromarray(255 - picture.pixels).save(picture.path)
    assert method.key(picture, 1) != key


def test_an_entry_depends_on_the_code_that_extractors_share(
    tiny: Benchmark, tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, key = tiny.picture(0), stored(recipe, tmp_path / "store").key(tiny.picture(0), 1)
    copied = Path(shutil.copytree(Path(features.__file__).parent, tmp_path / "features"))
    monkeypatch.setattr(features, "__file__", str(copied / "__init__.py"))
    stored_module._shared_sources.cache_clear()
    assert stored(recipe, tmp_path / "store").key(picture, 1) == key
    (copied / "letterbox.py").write_text("changed = True")
    stored_module._shared_sources.cache_clear()
    assert stored(recipe, tmp_path / "store").key(picture, 1) != key
    monkeypatch.undo()
    stored_module._shared_sources.cache_clear()
    assert stored(recipe, tmp_path / "store").key(picture, 1) == key


def test_only_what_is_missing_is_described_in_full_batches(tiny: Benchmark, tmp_path: Path, recipe: str) -> None:
    method = stored(recipe, tmp_path / "store")
    calls: list[list[str]] = []
    describe = method.method.describe_many

    def counted(pictures: Any, seeds: Any) -> Any:
        calls.append([picture.key for picture in pictures])
        return describe(pictures, seeds)

    method.method.describe_many = counted  # type: ignore[method-assign]
    pictures = [tiny.picture(row) for row in (0, 1, 2, 3)]
    method.describe_many([pictures[i] for i in (0, 1, 1, 1)], [10, 11, 11, 11])
    found = method.describe_many([pictures[i] for i in (0, 2, 1, 3)], [10, 12, 11, 13])
    assert calls == [["000", "001", "001", "001"], ["002", "003", "003", "003"]]
    assert method.n_read == 2
    for picture, one, seed in zip((pictures[i] for i in (0, 2, 1, 3)), found, (10, 12, 11, 13), strict=True):
        assert method.has(picture, seed)
        expected = describe([picture], [seed])[0].features.half().float()
        assert torch.equal(one.features, expected)


def test_what_cannot_be_stored_is_refused(tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="--store is for recipes"):
        geobench.predict("oracle", tiny, runs=tmp_path / "runs", store=tmp_path / "store")
    arguments = ["--benchmark", str(tiny.folder), "--runs", str(tmp_path / "runs"), "--store", str(tmp_path / "store")]
    assert command(["eval", "--method", "oracle", *arguments]) == 2
    assert "leave --store out" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_stops_the_run(
    tiny: Benchmark, tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    arguments = ["--benchmark", str(tiny.folder), "--runs", str(tmp_path / "runs")]
    assert command(["eval", "--method", recipe, *arguments, "--store", str(tmp_path / "file" / "store")]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"geobench: {tmp_path / 'file' / 'store'}")
    assert "cannot be written (Not a directory)" in sentence


def test_a_write_that_fails_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The limit on the size of a file stands in for a full disk: the system refuses in the middle of writing."""
    found = FeatureMap(torch.randn(64, 16, 16), BOX)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot be written \(File too large\).*or leave --store out"):
            FeatureStore(tmp_path).write(KEY, found, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not entries(tmp_path)


def test_a_store_larger_than_the_disk_is_refused_before_the_work(
    tiny: Benchmark, tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_size.free_on_disk(tmp_path / "not" / "yet" / "there") > 0
    monkeypatch.setattr(store_size, "free_on_disk", lambda folder: 40_000)  # no disk at hand is so small
    with pytest.raises(StoreError, match=r"store: \d+\.\d kB are needed and 40\.0 kB are free"):
        geobench.predict(recipe, tiny, runs=tmp_path / "runs", store=tmp_path / "store")
    assert len(entries(tmp_path / "store")) < 8


def test_ablation_takes_memory_and_store(
    tiny: Benchmark, tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ablation", "--recipe", recipe, "--benchmark", str(tiny.folder), "--no-alignment"]
    options = ["--memory", "1GB", "--store", str(tmp_path / "store"), "--runs", str(tmp_path / "runs")]
    assert command([*arguments, *options]) == 0
    assert "features in float16" in capsys.readouterr().out
    assert len(entries(tmp_path / "store")) == 8
    assert command([*arguments, "--memory", "lots"]) == 2
    assert "--memory lots: write a number and a unit" in capsys.readouterr().err

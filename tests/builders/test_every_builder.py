"""What every builder must do, tried on the miniature of every dataset in ``raw_datasets.RAW``."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geobench.benchmark import Benchmark
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.cli import run
from geobench.errors import GeobenchWarning, InputError, UsageError
from geobench.storage import load_benchmark_folder
from tests.builders.raw_datasets import RAW, RawDataset, card_of

pytestmark = pytest.mark.parametrize("name", RAW)


def build(name: str, source: Path, **options: Any) -> Benchmark:
    """Build; a warning other than the expected one is an error (see conftest.py)."""
    with warnings.catch_warnings():
        if RAW[name].expected_warnings:
            warnings.filterwarnings("ignore", f".*{RAW[name].expected_warnings}", GeobenchWarning)
        return build_benchmark(card_of(name), source, replace(RAW[name].options, **options))


@pytest.fixture
def source(name: str, tmp_path: Path) -> Path:
    return RAW[name].write(tmp_path / "raw")


def test_builds_test_pairs_of_different_images(name: str, source: Path) -> None:
    benchmark = build(name, source)
    for split in benchmark.test_splits():
        pairs, image = benchmark.split(split), benchmark.instances.image
        assert (image[pairs.source] != image[pairs.target]).all()
        assert len({*zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)}) == len(pairs)
        assert pairs.mutual(benchmark).any(axis=1).all()
    assert benchmark.name == benchmark.card.name == name


def test_some_keypoints_are_geometry_aware_and_some_are_not(name: str, source: Path) -> None:
    benchmark = build(name, source)
    tags = [benchmark.split(split).geometry_aware(benchmark) for split in benchmark.test_splits()]
    mutual = [benchmark.split(split).mutual(benchmark) for split in benchmark.test_splits()]
    geometry_aware, all_keypoints = sum(int(one.sum()) for one in tags), sum(int(one.sum()) for one in mutual)
    assert geometry_aware < all_keypoints
    assert (geometry_aware > 0) == RAW[name].has_subgroups


def test_skeletons_are_those_of_the_card(name: str, source: Path) -> None:
    benchmark = build(name, source)
    on_card = list(card_of(name).skeletons().values())
    if not on_card:
        pytest.skip("the card has no keypoint table: names come from the data")
    for category in set(benchmark.instances.category.tolist()):
        assert benchmark.skeleton(category) in on_card
    assert benchmark.instances.visibility.shape[1] <= max(len(skeleton) for skeleton in on_card)


def test_every_image_is_there_and_has_its_size(name: str, source: Path) -> None:
    benchmark = build(name, source)
    for row in range(len(benchmark.instances)):
        picture = benchmark.picture(row)
        assert picture.pixels.shape == (picture.size[1], picture.size[0], 3)


def test_is_the_same_after_saving_and_loading(name: str, source: Path, tmp_path: Path) -> None:
    benchmark = build(name, source)
    loaded = load_benchmark_folder(benchmark.save(tmp_path / "out"))
    assert loaded.fingerprint == benchmark.fingerprint
    assert {split: len(loaded.split(split)) for split in loaded.splits} == {
        split: len(benchmark.split(split)) for split in benchmark.splits
    }
    np.testing.assert_array_equal(loaded.instances.keypoints, benchmark.instances.keypoints)


def test_twice_is_the_same(name: str, source: Path) -> None:
    assert build(name, source).fingerprint == build(name, source).fingerprint


class _Backwards:
    """``os.scandir`` in the opposite of the sorted order."""

    def __init__(self, scan: Any) -> None:
        with scan:
            self._entries = iter(sorted(scan, key=lambda entry: entry.name, reverse=True))

    def __enter__(self) -> _Backwards:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)


def test_the_order_of_the_file_system_does_not_matter(
    name: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = build(name, source).fingerprint
    copy = tmp_path / "elsewhere" / "copy"
    for path in sorted((path for path in source.rglob("*") if path.is_file()), reverse=True):
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    scandir, listdir = os.scandir, os.listdir
    monkeypatch.setattr(os, "scandir", lambda *of: _Backwards(scandir(*of)))
    monkeypatch.setattr(os, "listdir", lambda *of: sorted(listdir(*of), reverse=True))
    assert build(name, copy).fingerprint == before


def test_an_absent_image_is_one_sentence_that_names_it(name: str, source: Path) -> None:
    image = RAW[name].image_files(source)[0]
    image.unlink()
    with pytest.raises(InputError, match=f"^{re.escape(str(image))}: no such image.*; fetch") as caught:
        build(name, source, require_images=True)
    assert "\n" not in str(caught.value)


def test_an_image_that_is_none_is_refused_where_its_size_is_read(name: str, source: Path) -> None:
    image = RAW[name].image_files(source)[0]
    image.write_bytes(b"no image")
    if RAW[name].reads_images:
        with pytest.raises(InputError, match=f"^{re.escape(str(image))}: not a readable image"):
            build(name, source)
    else:
        assert (build(name, source).instances.width > 0).all()


def test_a_source_that_is_not_there_or_empty_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        build(name, tmp_path / "raw")
    (tmp_path / "raw").mkdir()
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "raw"))):
        build(name, tmp_path / "raw")


def test_options_it_does_not_have_are_refused(name: str, source: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "seed": 1,
        "require_images": True,
        "crowd_list": False,
        "skip_invalid": True,
        "pair_annotations": tmp_path,
        "layout": "small",
    }
    assert set(given) == {option.name for option in fields(BuildOptions) if option.compare}
    lacking = sorted(set(given) - import_module(card_of(name).builder).OPTIONS)
    for option in lacking:
        with pytest.raises(UsageError, match=f"--{option.replace('_', '-')}"):
            build(name, source, **{option: given[option]})


def test_the_command_line_builds_and_inspects(
    name: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "benchmark"
    assert run(["build-splits", name, "--source", str(source), "--out", str(out)]) == 0
    assert run(["inspect", str(out)]) == 0
    assert capsys.readouterr().out.count(load_benchmark_folder(out).fingerprint) == 2


def test_the_command_line_leaves_nothing_of_a_broken_dataset(
    name: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = _break(RAW[name], source)
    (tmp_path / "out").mkdir()
    assert run(["build-splits", name, "--source", str(source), "--out", str(tmp_path / "out" / "benchmark")]) == 1
    assert list((tmp_path / "out").iterdir()) == []
    said = capsys.readouterr().err
    assert str(broken) in said
    assert "Traceback" not in said


def _break(raw: RawDataset, source: Path) -> Path:
    """Empty the largest annotation file and return it."""
    path = max(raw.annotation_files(source), key=lambda path: path.stat().st_size)
    path.write_bytes(b"")
    return path

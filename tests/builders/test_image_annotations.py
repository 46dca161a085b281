"""The folder that GeoAware-SC's notebook prepares, ImageAnnotation and PairAnnotation, read without AP-10K's files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from PIL import Image

from geobench.benchmark import Benchmark
from geobench.builders.export_geoaware import export_geoaware_sc
from geobench.builders.options import BuildOptions
from geobench.builders.pair_annotations import FOLDERS
from geobench.cli import run
from geobench.errors import InputError
from geobench.storage import load_benchmark_folder
from tests.builders.ap10k_cases import GOLDENS, build, pair_names, unpack, write_edge
from tests.builders.fuzzing import EXAMPLES, builds_or_refuses, damage
from tests.builders.raw_datasets import RawDataset
from tests.conftest import SHARED, needs_shared


def imported(folder: Path, **options: Any) -> tuple[Benchmark, list[str]]:
    """Build from a prepared folder, its pairs imported; it holds usable images only, so it needs no crowd list."""
    return build(folder, crowd_list=False, pair_annotations=folder / "PairAnnotation", **options)


@pytest.fixture
def made(tmp_path: Path) -> Benchmark:
    return build(write_edge(tmp_path / "raw", {}))[0]


@pytest.fixture
def prepared(made: Benchmark, tmp_path: Path) -> Path:
    return export_geoaware_sc(made, tmp_path / "ap-10k")


def first_annotation(prepared: Path) -> Path:
    return min(prepared.glob("ImageAnnotation/*/*/*.json"))


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_export_then_import_of_the_folder_alone_keeps_images_pairs_and_tags(tmp_path: Path) -> None:
    source = unpack(GOLDENS / "small" / "input", tmp_path / "raw")
    made, _ = build(source)
    folder = export_geoaware_sc(made, tmp_path / "ap-10k")
    alone, said = imported(folder)
    assert said == []
    beside, _ = build(source, pair_annotations=folder / "PairAnnotation")
    # Where the images lie, and by which files the images were chosen, is all that differs.
    assert alone.fingerprint != beside.fingerprint
    named = replace(alone, instances=replace(alone.instances, image=made.instances.image), recipe=beside.recipe)
    assert named.fingerprint == beside.fingerprint
    assert {**alone.recipe, "crowd_list": True} == {**beside.recipe, "annotations": "ImageAnnotation"}


def test_what_was_imported_is_the_same_after_another_export(prepared: Path, tmp_path: Path) -> None:
    first, _ = imported(prepared)
    again, _ = imported(export_geoaware_sc(first, tmp_path / "again"))
    assert again.fingerprint == first.fingerprint


def save_images(made: Benchmark) -> None:
    """Write the images of a benchmark, each of another colour."""
    (made.image_root / "data").mkdir()
    for row, image in enumerate(made.instances.image.tolist()):
        size = (int(made.instances.width[row]), int(made.instances.height[row]))
        Image.new("RGB", size, (row, 0, 0)).save(made.image_root / image)


def test_images_are_found_where_the_notebook_moved_them(made: Benchmark, tmp_path: Path) -> None:
    save_images(made)
    folder = export_geoaware_sc(made, tmp_path / "ap-10k")
    benchmark, _ = imported(folder, require_images=True)
    table = benchmark.instances
    assert table.image[0] == f"JPEGImages/{table.family[0]}/{table.category[0]}/{table.id[0]}.jpg"
    np.testing.assert_array_equal(benchmark.picture(3).pixels, made.picture(3).pixels)
    gone = folder / str(table.image[0])
    gone.unlink()
    with pytest.raises(InputError, match=rf"{table.image[0]}: no such image; 1 of .*--require-images"):
        imported(folder, require_images=True)


@needs_shared
def test_the_authors_prepared_folder_gives_their_pairs_without_the_annotation_files(tmp_path: Path) -> None:
    source = SHARED / "goldens" / "geoaware" / "datasets" / "data" / "ap-10k"
    for name in ("ImageAnnotation", "PairAnnotation"):
        shutil.copytree(source / name, tmp_path / name)
    benchmark, _ = imported(tmp_path)
    golden = json.loads((SHARED / "goldens" / "geoaware" / "ap10k_prepare.json").read_text())["pair_files"]
    for split, folder in FOLDERS.items():
        if folder in golden:
            assert pair_names(benchmark, split) == golden[folder]
    raw, _ = build(source, crowd_list=False)
    for column in ("id", "bbox", "keypoints", "visibility", "category", "family", "width", "height"):
        np.testing.assert_array_equal(getattr(benchmark.instances, column), getattr(raw.instances, column))


def test_pairs_are_sampled_where_none_are_imported_and_that_is_told(made: Benchmark, prepared: Path) -> None:
    sampled, said = build(prepared, crowd_list=False)
    assert [text.split(";")[0] for text in said] == [f"{prepared}/PairAnnotation: not read, pairs are sampled"]
    for split in made.splits:
        assert pair_names(sampled, split) == pair_names(made, split)


def test_the_datasets_own_files_go_before_a_prepared_folder(made: Benchmark, prepared: Path) -> None:
    shutil.copytree(prepared / "ImageAnnotation", made.image_root / "ImageAnnotation")
    assert build(made.image_root)[0].fingerprint == made.fingerprint


def test_the_crowd_list_may_lie_beside_the_folder_as_in_their_repository(prepared: Path) -> None:
    with pytest.raises(InputError, match=r"ap-10k_is_crowd\.txt: no such file .*nor beside the folder"):
        build(prepared)
    name = first_annotation(prepared).stem
    (prepared.parent / "ap-10k_is_crowd.txt").write_text(f"{name}\n")
    assert name not in build(prepared)[0].instances.id
    assert name in build(prepared, crowd_list=False)[0].instances.id


def test_any_annotation_is_in_the_fingerprint_and_in_the_provenance(prepared: Path) -> None:
    before, _ = imported(prepared)
    change(first_annotation(prepared), bbox=[1, 2, 30, 40])
    after, _ = imported(prepared)
    assert after.fingerprint != before.fingerprint
    assert list(after.provenance["source_sha256"]) == ["ImageAnnotation"]
    assert after.provenance["source_sha256"] != before.provenance["source_sha256"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "tapir"}, 'name is "tapir", but its folder is called'),
        ({"supercategory": None}, "supercategory is null, but its folder is called"),
        ({"id": 7}, r"id is 7, but the file is called 0.*\.json"),
        ({"id": "x"}, 'id is "x", but the file is called'),
        ({"id": -1}, "id is -1, but the file is called"),
        ({"bbox": [0, 0, -1, 5]}, "annotation .*: bbox width is -1, which is negative"),
        ({"keypoints": [1, 2]}, r"keypoints has 2 numbers, expected 51 \(17 keypoints x 3\)"),
        ({"keypoints": [float("nan")] * 51}, "x = NaN, which is not finite"),
        ({"num_keypoints": None}, "num_keypoints is null"),
        ({"width": 0}, "width is 0, expected at least 1"),
        ({"height": "a"}, 'height is the string "a", expected an integer'),
    ],
)
def test_a_malformed_annotation_is_one_sentence(prepared: Path, fields: dict[str, Any], sentence: str) -> None:
    path = first_annotation(prepared)
    change(path, **fields)
    with pytest.raises(InputError, match=rf"^{path}: .*{sentence}") as caught:
        imported(prepared)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_an_image_in_two_species_and_an_empty_folder_are_refused(prepared: Path) -> None:
    path = first_annotation(prepared)
    other = max(prepared.glob("ImageAnnotation/*/*"))
    shutil.copy(path, other / path.name)
    change(other / path.name, name=other.name, supercategory=other.parent.name)
    with pytest.raises(InputError, match=r"is used twice|is also in .* with another content"):
        imported(prepared)
    (other / path.name).unlink()
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=rf"^{path}: not valid JSON at line"):
        imported(prepared)
    shutil.rmtree(prepared / "ImageAnnotation")
    (prepared / "ImageAnnotation").mkdir()
    with pytest.raises(InputError, match=r"ImageAnnotation: holds no <family>/<species>/<image id>\.json"):
        imported(prepared)


def test_skip_invalid_leaves_an_image_out_and_its_pairs_are_then_refused(prepared: Path) -> None:
    path = first_annotation(prepared)
    change(path, bbox=[0, 0, 0, 0])
    benchmark, said = build(prepared, crowd_list=False, skip_invalid=True)
    assert path.stem not in benchmark.instances.id
    assert benchmark.recipe["skipped"] == [[path.name, *benchmark.recipe["skipped"][0][1:]]]
    assert f"{prepared}/ImageAnnotation: 1 invalid annotations are left out" in said[0]
    with pytest.raises(InputError, match=rf"image {path.stem} is not among the usable images"):
        imported(prepared, skip_invalid=True)


def test_the_command_line_imports_and_leaves_nothing_of_a_broken_folder(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "benchmark"
    words = ["build-splits", "ap10k", "--no-crowd-list", "--source", str(prepared), "--out", str(out)]
    words += ["--pair-annotations", str(prepared / "PairAnnotation")]
    assert run(words) == 0
    assert load_benchmark_folder(out).recipe["pairs"] == "imported"
    shutil.rmtree(out)
    first_annotation(prepared).write_bytes(b"\xff")
    capsys.readouterr()
    assert run(words) == 1
    assert f"{first_annotation(prepared)}: not UTF-8 at byte 0" in capsys.readouterr().err
    assert list(out.parent.iterdir()) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder to damage, written once: with images, and every fifth pair of each split."""
    folder = tmp_path_factory.mktemp("prepared")
    made = build(write_edge(folder / "raw", {}))[0]
    save_images(made)
    few = {name: pairs.take(np.arange(0, len(pairs), 5)) for name, pairs in made.splits.items()}
    return export_geoaware_sc(replace(made, splits=few), folder / "ap-10k")


def released(source: Path) -> RawDataset:
    """Return what the harness needs to know of the folder at ``source``."""
    options = BuildOptions(crowd_list=False, pair_annotations=source / "PairAnnotation")
    write: Callable[[Path], Path] = lambda folder: folder  # noqa: E731
    patterns = ("ImageAnnotation/*/*/*.json", "PairAnnotation/*/*.json")
    return RawDataset(write, patterns, "JPEGImages/*/*/*.jpg", reads_images=False, options=options)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_prepared_folder_builds_or_is_refused_in_one_sentence(
    written: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    source = Path(shutil.copytree(written, folder / "raw"))
    (folder / "out").mkdir()
    raw = released(source)
    note(f"{damage(lambda least, most: data.draw(st.integers(least, most)), raw, source)}")
    builds_or_refuses("ap10k", raw, source, folder / "out" / "benchmark")
    shutil.rmtree(folder)

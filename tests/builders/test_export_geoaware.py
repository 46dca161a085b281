from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geobench.benchmark import Benchmark
from geobench.builders.export_geoaware import export_geoaware_sc
from geobench.builders.pair_annotations import FOLDERS
from geobench.errors import InputError
from tests.builders.ap10k_cases import EDGE, GOLDENS, TRAIN, build, pair_names, unpack, write_edge


@pytest.fixture
def base(tmp_path: Path) -> Benchmark:
    return build(write_edge(tmp_path / "base", {}))[0]


def in_file_order(benchmark: Benchmark, split: str) -> list[str]:
    return sorted(pair_names(benchmark, split))


@pytest.mark.parametrize("name", ["small", "caps"])
def test_export_then_import_keeps_every_pair(tmp_path: Path, name: str) -> None:
    source = unpack(GOLDENS / name / "input", tmp_path / "raw")
    made, _ = build(source)
    folder = export_geoaware_sc(made, tmp_path / "ap-10k")
    imported, said = build(source, pair_annotations=folder / "PairAnnotation")
    assert said == []
    assert list(imported.splits) == list(made.splits)
    for split in FOLDERS:
        assert pair_names(imported, split) == in_file_order(made, split)
        order = np.argsort(pair_names(made, split), kind="stable")
        tags = made.split(split).geometry_aware(made)[order]
        np.testing.assert_array_equal(imported.split(split).geometry_aware(imported), tags)
    assert imported.recipe["pairs"] == "imported"
    assert "seed" not in imported.recipe
    again, _ = build(source, pair_annotations=export_geoaware_sc(imported, tmp_path / "again") / "PairAnnotation")
    assert again.fingerprint == imported.fingerprint != made.fingerprint


def test_the_layout_is_the_one_their_loader_reads(base: Benchmark, tmp_path: Path) -> None:
    (base.image_root / "data").mkdir()
    for image in base.instances.image[:3]:
        (base.image_root / image).write_bytes(b"pixels")
    folder = export_geoaware_sc(base, tmp_path / "ap-10k")
    assert sorted(path.name for path in (folder / "PairAnnotation").iterdir()) == sorted(FOLDERS.values())
    assert len(list((folder / "ImageAnnotation").glob("*/*/*.json"))) == len(base.instances)
    pair = json.loads(next((folder / "PairAnnotation" / "test").glob("*:cat.json")).read_text())
    assert set(pair) == {"src_json_path", "trg_json_path"}
    # Their code turns annotation paths into image paths so.
    annotation = folder / pair["src_json_path"].removeprefix("data/ap-10k/")
    record = json.loads(annotation.read_text())
    assert {"bbox", "width", "height", "keypoints", "id", "name", "supercategory"} <= set(record)
    assert len(record["keypoints"]) == 51
    links = list((folder / "JPEGImages").glob("*/*/*.jpg"))
    assert len(links) == 3
    assert all(link.read_bytes() == b"pixels" for link in links)


def test_annotations_keep_every_number(base: Benchmark, tmp_path: Path) -> None:
    table = base.instances
    exact = replace(base, instances=replace(table, keypoints=table.keypoints + np.float32(0.1)))
    folder = export_geoaware_sc(exact, tmp_path / "ap-10k")
    for row in range(len(table)):
        place = f"{table.family[row]}/{table.category[row]}/{table.id[row]}.json"
        record = json.loads((folder / "ImageAnnotation" / place).read_text())
        triples = np.asarray(record["keypoints"], np.float32).reshape(17, 3)
        np.testing.assert_array_equal(triples[:, :2], exact.instances.keypoints[row])
        np.testing.assert_array_equal(triples[:, 2], table.visibility[row])
        np.testing.assert_array_equal(np.asarray(record["bbox"], np.float32), table.bbox[row])


def test_lists_name_the_images_of_each_split(base: Benchmark, tmp_path: Path) -> None:
    folder = export_geoaware_sc(base, tmp_path / "ap-10k")
    lines = (folder / "ImageAnnotation" / "Felidae" / "cat" / "test_filtered.txt").read_text().splitlines()
    cats = sorted(base.instances.id[base.instances.category == "cat"].tolist())
    assert lines == [f"data/ap-10k/ImageAnnotation/Felidae/cat/{name}.json" for name in cats]
    assert (folder / "ImageAnnotation" / "Felidae" / "cat" / "train_filtered.txt").read_text() == ""


def test_export_reports_progress_and_refuses_a_full_folder(base: Benchmark, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    folder = export_geoaware_sc(base, tmp_path / "ap-10k", lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] == len(base.instances) + sum(map(len, base.splits.values()))
    with pytest.raises(InputError, match="exists and is not empty"):
        export_geoaware_sc(base, folder)


def test_export_refuses_what_the_layout_cannot_hold(base: Benchmark, tiny: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no split"):
        export_geoaware_sc(tiny, tmp_path / "out")
    named = replace(base.instances, id=np.char.add("x", base.instances.id))
    with pytest.raises(InputError, match="is not the 12 digits"):
        export_geoaware_sc(replace(base, instances=named), tmp_path / "out")
    colon = replace(base.instances, category=np.full(len(base.instances), "sea:lion"))
    with pytest.raises(InputError, match="'sea:lion' cannot name a folder"):
        export_geoaware_sc(replace(base, instances=colon), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def pair_file(folder: Path) -> Path:
    return min((folder / "PairAnnotation" / "test").iterdir())


def test_an_absent_sub_folder_is_told(base: Benchmark, tmp_path: Path) -> None:
    folder = export_geoaware_sc(base, tmp_path / "ap-10k") / "PairAnnotation"
    (folder / "val_cross_family").rmdir()
    imported, said = build(base.image_root, pair_annotations=folder)
    assert said == [f"{folder}: no sub-folder val_cross_family; these splits have no pairs"]
    assert len(imported.split("val/cross-family")) == 0


def test_a_folder_without_any_is_refused(base: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has none of the sub-folders trn, val"):
        build(base.image_root, pair_annotations=tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{}", "src_json_path must be the path of an image annotation"),
        ('{"src_json_path": "a/000000000001.json"}', "but the file name says image"),
        ("", "the file is empty"),
    ],
)
def test_a_malformed_pair_file_is_named(base: Benchmark, tmp_path: Path, content: str, sentence: str) -> None:
    folder = export_geoaware_sc(base, tmp_path / "ap-10k")
    path = pair_file(folder)
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        build(base.image_root, pair_annotations=folder / "PairAnnotation")
    assert str(caught.value).startswith(f"{path}: ")
    assert sentence in str(caught.value)


def test_a_stray_file_is_named(base: Benchmark, tmp_path: Path) -> None:
    folder = export_geoaware_sc(base, tmp_path / "ap-10k")
    (folder / "PairAnnotation" / "test" / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt: the name is not <source id>-<target id>:<label>\.json"):
        build(base.image_root, pair_annotations=folder / "PairAnnotation")


def test_an_id_that_does_not_resolve_says_why(base: Benchmark, tmp_path: Path) -> None:
    folder = export_geoaware_sc(base, tmp_path / "ap-10k") / "PairAnnotation"
    crowded = write_edge(tmp_path / "crowded", {"ap-10k_is_crowd.txt": f"{base.instances.id[0]}\n"})
    with pytest.raises(InputError, match=r"is not among the usable images \(crowd\); pass --no-crowd-list"):
        build(crowded, pair_annotations=folder)
    lacking = json.loads(EDGE["base"][TRAIN])
    gone = lacking["annotations"].pop(0)
    with pytest.raises(InputError, match=rf"image {gone['image_id']:012d} is not .*no such image"):
        build(write_edge(tmp_path / "lacking", {TRAIN: json.dumps(lacking)}), pair_annotations=folder)


def test_a_label_that_contradicts_the_annotations_is_refused(base: Benchmark, tmp_path: Path) -> None:
    folder = export_geoaware_sc(base, tmp_path / "ap-10k") / "PairAnnotation"
    path = pair_file(tmp_path / "ap-10k")
    path.rename(path.with_name(path.name.split(":")[0] + ":tapir.json"))
    with pytest.raises(InputError, match="has the label 'tapir', but the annotations say"):
        build(base.image_root, pair_annotations=folder)

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from geobench.benchmark import Benchmark
from geobench.builders.ap10k import OPTIONS, SPLITS
from geobench.builders.ap10k_files import find_annotation_files
from geobench.builders.ap10k_selection import select_images
from geobench.builders.coco import read_coco
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.builders.pair_annotations import FOLDERS
from geobench.builders.sampling import SplitRecipe
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning, InputError, UsageError
from tests.builders.ap10k_cases import (
    EDGE,
    GOLDENS,
    TEST,
    TRAIN,
    VAL,
    build,
    golden_rows,
    pair_names,
    unpack,
    write_edge,
)
from tests.conftest import SHARED, needs_shared

SETS = ("small", "caps")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Benchmark]:
    folder = tmp_path_factory.mktemp("ap10k")
    return {name: build(unpack(GOLDENS / name / "input", folder / name))[0] for name in SETS}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", SETS)
def test_pairs_and_tags_are_the_authors(built: dict[str, Benchmark], name: str, split: str) -> None:
    benchmark = built[name]
    pairs, table = benchmark.split(split), benchmark.instances
    golden = golden_rows(GOLDENS / name / "golden" / f"pairs_{FOLDERS[split]}.csv.gz")
    expected = [f"{int(g['src_image_id']):012d}-{int(g['trg_image_id']):012d}:{g['label']}.json" for g in golden]
    assert pair_names(benchmark, split) == expected
    assert table.record[pairs.source].tolist() == [g["src_annotation_id"] for g in golden]
    assert table.record[pairs.target].tolist() == [g["trg_annotation_id"] for g in golden]
    assert pairs.mutual(benchmark).sum(axis=1).tolist() == [int(g["n_mutual"]) for g in golden]
    tags = [set(np.flatnonzero(row).tolist()) for row in pairs.geometry_aware(benchmark)]
    assert tags == [set(map(int, g["geo_ids"].split())) for g in golden]


@pytest.mark.parametrize("name", SETS)
def test_images_are_kept_left_out_and_split_as_the_authors_do(tmp_path: Path, name: str) -> None:
    source = unpack(GOLDENS / name / "input", tmp_path / name)
    card = find_card("ap10k")
    assert card.keypoints is not None
    coco = read_coco(find_annotation_files(source), card.keypoints.names, Notices(source))
    crowd = np.loadtxt(source / "ap-10k_is_crowd.txt", dtype=np.int64)
    selection = select_images(coco, crowd, 3)
    words = {"crowd": "crowd", "fewer than 3 keypoints": "low_kpts"}
    golden = golden_rows(GOLDENS / name / "golden" / "images.csv.gz")
    left_out = {int(g["image_id"]): g["excluded_because"] for g in golden if g["excluded_because"]}
    assert {image: words[why] for image, why in selection.reason.items()} == left_out
    kept = {int(g["kept_annotation_id"]) for g in golden if not g["excluded_because"]}
    assert set(coco.id[selection.rows].tolist()) == kept
    lists = json.loads(gzip.decompress((GOLDENS / name / "golden" / "splits.json.gz").read_bytes()))
    recipe = SplitRecipe.model_validate(card.splits)
    ids = coco.image_id[selection.rows]
    ours = {(one.family, one.name): one for one in selection.species}
    assert set(ours) == {(family, species) for family in lists for species in lists[family]}
    for (family, species), one in ours.items():
        for part in ("train", "val", "test"):
            assert ids[one.part(part, recipe)].tolist() == lists[family][species][part], (species, part)


def test_excluded_records_are_counted(built: dict[str, Benchmark]) -> None:
    excluded = built["small"].provenance["excluded"]
    assert excluded == {"crowd": 55, "fewer than 3 keypoints": 14, "further annotations of an image": 467 - 356}
    assert len(built["small"].instances) == 287
    counts = {"images": 356, "annotations": 467, "families": 6, "species": 14, "crowd_list": 55}
    assert built["small"].provenance["counts"] == counts
    assert set(find_card("ap10k").expected) <= set(counts)


@needs_shared
def test_full_size_pairs_are_the_authors(tmp_path: Path) -> None:
    benchmark, _ = build(unpack(SHARED / "goldens" / "ap10k" / "full" / "input", tmp_path / "full"))
    golden = json.loads((GOLDENS / "full.json").read_text())
    for split, folder in FOLDERS.items():
        names = pair_names(benchmark, split)
        assert len(names) == golden["written"][folder]
        assert hashlib.sha256("\n".join(names).encode()).hexdigest() == golden["ordered_pairs_sha256"][folder], split


@needs_shared
def test_the_two_real_records_of_ap10k_give_the_authors_one_pair(tmp_path: Path) -> None:
    real = json.loads((SHARED / "data" / "mmpose-samples" / "ap10k" / "test_ap10k.json").read_text())
    empty = json.dumps({**real, "images": [], "annotations": []})
    files = {TRAIN: empty, VAL: empty, TEST: json.dumps(real)}
    benchmark, _ = build(write_edge(tmp_path / "real", files))
    pairs = [name for split in SPLITS for name in pair_names(benchmark, split)]
    assert pairs == ["000000000004-000000037516:all.json"]


@needs_shared
def test_the_authors_pair_folder_is_imported_in_their_order() -> None:
    source = SHARED / "goldens" / "geoaware" / "datasets" / "data" / "ap-10k"
    benchmark, said = build(source, crowd_list=False, pair_annotations=source / "PairAnnotation")
    golden = json.loads((SHARED / "goldens" / "geoaware" / "ap10k_prepare.json").read_text())["pair_files"]
    for split, folder in FOLDERS.items():
        if folder in golden:
            assert pair_names(benchmark, split) == golden[folder]
    assert len(golden) == 3
    assert "no sub-folder val_cross_species, val_cross_family" in said[0]


def test_splits_come_in_the_documented_order(built: dict[str, Benchmark]) -> None:
    assert tuple(built["small"].splits) == SPLITS
    assert set(FOLDERS) == set(SPLITS)


def test_instances_are_sorted_and_named_by_image(built: dict[str, Benchmark]) -> None:
    table = built["small"].instances
    keys = list(zip(table.family.tolist(), table.category.tolist(), table.id.tolist(), strict=True))
    assert keys == sorted(keys)
    assert all(len(name) == 12 for name in table.id)
    assert table.image[0] == f"data/{table.id[0]}.jpg"


def test_recipe_and_provenance_say_how_it_was_made(built: dict[str, Benchmark]) -> None:
    recipe, provenance = built["small"].recipe, built["small"].provenance
    assert recipe["seed"] == 42
    assert recipe["crowd_list"] is True
    assert recipe["test"]["cross_species_pairs_per_family"] == 900
    assert set(provenance["source_sha256"]) == {
        "ap-10k_is_crowd.txt",
        *(f"ap10k-{s}-split1.json" for s in ("train", "val", "test")),
    }


def test_another_seed_draws_other_pairs_and_is_in_the_fingerprint(tmp_path: Path) -> None:
    source = unpack(GOLDENS / "caps" / "input", tmp_path / "caps")
    first, second = build(source)[0], build(source, seed=43)[0]
    assert second.recipe["seed"] == 43
    assert pair_names(first, "train") != pair_names(second, "train")
    assert first.fingerprint != second.fingerprint


def test_files_may_lie_at_the_top(tmp_path: Path) -> None:
    below = unpack(GOLDENS / "small" / "input", tmp_path / "below")
    top = tmp_path / "top"
    top.mkdir()
    for path in [*(below / "annotations").iterdir(), below / "ap-10k_is_crowd.txt"]:
        (top / path.name).write_bytes(path.read_bytes())
    assert build(top)[0].fingerprint == build(below)[0].fingerprint


@pytest.mark.parametrize("place", [".", "data", "annotations"])
def test_crowd_list_is_found(tmp_path: Path, place: str) -> None:
    source = unpack(GOLDENS / "small" / "input", tmp_path / "small")
    (source / "data").mkdir()
    (source / "ap-10k_is_crowd.txt").rename(source / place / "ap-10k_is_crowd.txt")
    assert build(source)[0].provenance["excluded"]["crowd"] == 55


def test_without_crowd_list_one_must_say_so(tmp_path: Path) -> None:
    source = unpack(GOLDENS / "small" / "input", tmp_path / "small")
    with_list = build(source)[0]
    (source / "ap-10k_is_crowd.txt").unlink()
    with pytest.raises(InputError, match=r"ap-10k_is_crowd.txt: no such file .*GeoAware-SC.*--no-crowd-list"):
        build(source)
    without = build(source, crowd_list=False)[0]
    assert without.recipe["crowd_list"] is False
    assert len(without.instances) > len(with_list.instances)
    assert without.fingerprint != with_list.fingerprint


def test_absent_images_are_counted_in_one_warning(tmp_path: Path) -> None:
    source = write_edge(tmp_path / "base", {})
    (source / "data").mkdir()
    card = find_card("ap10k")
    (source / "data" / "000000001752.jpg").touch()
    with pytest.warns(GeobenchWarning, match="17 of 18 annotated images are absent") as caught:
        benchmark = build_benchmark(card, source)
    assert len(caught) == 1
    assert any("17 of 18" in text for text in benchmark.provenance["warnings"])
    with pytest.raises(InputError, match=r"data/[0-9]{12}\.jpg: no such image; 17 of 18 .*--require-images"):
        build(source, require_images=True)
    for image in benchmark.instances.image:
        (source / image).touch()
    complete = build_benchmark(card, source, BuildOptions(require_images=True))  # a warning would be an error here
    assert complete.fingerprint == benchmark.fingerprint


def test_mask_and_azimuth_are_taken_where_present(tmp_path: Path) -> None:
    content = json.loads(EDGE["base"][TEST])
    content["annotations"][0] |= {"mask": "masks/a.png", "azimuth": 123.5}
    benchmark, _ = build(write_edge(tmp_path / "base", {TEST: json.dumps(content)}))
    table = benchmark.instances
    row = table.record.tolist().index(str(content["annotations"][0]["id"]))
    assert (table.mask[row], table.azimuth[row]) == ("masks/a.png", 123.5)
    assert (table.mask != "").sum() == 1
    assert np.isnan(table.azimuth).sum() == len(table) - 1


def test_the_first_annotation_in_file_order_is_used(tmp_path: Path) -> None:
    content = json.loads(EDGE["base"][TEST])
    first = content["annotations"][0]
    content["annotations"].append({**first, "id": 1, "bbox": [1, 2, 3, 4]})
    benchmark, _ = build(write_edge(tmp_path / "base", {TEST: json.dumps(content)}))
    assert str(first["id"]) in benchmark.instances.record
    assert "1" not in benchmark.instances.record
    assert benchmark.provenance["excluded"]["further annotations of an image"] == 1


@pytest.mark.parametrize(("files", "used"), [((TRAIN, TEST, VAL), TRAIN), ((TEST, VAL), TEST)])
def test_files_are_read_in_the_order_train_test_val(tmp_path: Path, files: tuple[str, ...], used: str) -> None:
    contents = {name: json.loads(EDGE["base"][name]) for name in (TRAIN, TEST, VAL)}
    image = {"id": 7, "file_name": "000000000007.jpg", "width": 640, "height": 480}
    annotation = contents[TRAIN]["annotations"][0]
    for number, name in enumerate(files):
        contents[name]["images"].append(image)
        contents[name]["annotations"].insert(0, {**annotation, "id": 10_000 + number, "image_id": 7})
    source = write_edge(tmp_path / "base", {name: json.dumps(content) for name, content in contents.items()})
    benchmark, said = build(source)
    row = benchmark.instances.id.tolist().index("000000000007")
    assert benchmark.instances.record[row] == str(10_000 + files.index(used))
    assert "image id 7 is also listed in" in said[0]


def test_no_usable_image_is_an_error(tmp_path: Path) -> None:
    ids = [image["id"] for text in list(EDGE["base"].values()) if text for image in json.loads(text)["images"]]
    crowd = "".join(f"{number:012d}\n" for number in ids)
    with pytest.raises(InputError, match="no usable image"):
        build(write_edge(tmp_path / "base", {"ap-10k_is_crowd.txt": crowd}))


def test_options_are_those_of_the_builder() -> None:
    assert {"seed", "require_images", "crowd_list", "skip_invalid", "pair_annotations"} == OPTIONS


def test_seed_with_imported_pairs_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--seed has no effect on imported pairs"):
        build(write_edge(tmp_path / "base", {}), seed=1, pair_annotations=tmp_path)


def test_a_misspelt_split_recipe_names_the_key() -> None:
    card = find_card("ap10k")
    wrong = card.model_copy(update={"splits": {**card.splits, "sed": 1}})
    with pytest.raises(InputError, match=r"card ap10k: \[splits\]: unknown key 'sed'; did you mean seed"):
        build_benchmark(wrong, GOLDENS)

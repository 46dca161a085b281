from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.builders.animal_pose_file import read_annotations
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.card import Card
from geobench.errors import GeobenchWarning, InputError, UsageError
from geobench.storage import load_benchmark_folder
from tests.builders.raw_animal_pose import CARD, NAMES, SIZE, animal_pose_content, write_animal_pose
from tests.conftest import SHARED

REAL = SHARED / "data" / "animal-pose"


def card_with(**splits: Any) -> Card:
    """Return the card with changed keys of ``[splits]``, as a user's copy of the file would have."""
    return Card.model_validate({**CARD.model_dump(), "splits": {**CARD.splits, **splits}})


EVERYTHING_IN_TEST = {
    "test": {"share": 1.0, "pairs_per_category": 2000},
    "val": {"share": 0.0, "pairs_per_category": 0},
}


@pytest.fixture
def raw(tmp_path):
    return write_animal_pose(tmp_path / "raw")


def test_boxes_flags_and_ids_are_read_right(raw):
    content, table = animal_pose_content(), build_benchmark(CARD, raw).instances
    assert len(table) == len(content["annotations"]) == 16
    for row, annotation in enumerate(content["annotations"]):
        x1, y1, x2, y2 = annotation["bbox"]
        assert table.bbox[row].tolist() == [x1, y1, x2 - x1, y2 - y1]
        given_points = np.array(annotation["keypoints"])
        flagged = given_points[:, 2] == 1
        np.testing.assert_array_equal(table.visibility[row], np.where(flagged, 2, 0))
        np.testing.assert_array_equal(table.keypoints[row], given_points[:, :2] * flagged[:, None])
        name = content["images"][str(annotation["image_id"])]
        assert table.id[row] == f"{name}#{row}"
        assert (table.image[row], table.record[row]) == (name, str(row))
    assert (table.width == SIZE[0]).all()
    assert (table.height == SIZE[1]).all()


def test_no_pair_joins_an_image_with_itself_or_two_animals(raw):
    benchmark = build_benchmark(card_with(**EVERYTHING_IN_TEST), raw)
    pairs, table = benchmark.split("test"), benchmark.instances
    assert len(pairs) > 20
    assert (table.image[pairs.source] != table.image[pairs.target]).all()
    assert (table.category[pairs.source] == table.category[pairs.target]).all()
    assert (pairs.category == table.category[pairs.source]).all()
    assert pairs.mutual(benchmark).sum(axis=1).min() >= 3
    assert len({frozenset(pair) for pair in zip(pairs.source, pairs.target, strict=True)}) == len(pairs)


def test_subgroups_and_mirror_follow_the_names():
    skeleton = CARD.skeletons()["*"]
    for number, name in enumerate(NAMES):
        twin = name.replace("left", "*").replace("right", "left").replace("*", "right")
        assert skeleton.mirror[number] == NAMES.index(twin)
        part = name.split("_")[-1]
        members = skeleton.groups.get(part, ())
        assert (number in members) == ("left" in name or "right" in name)


def test_saves_and_loads(raw, tmp_path):
    benchmark = build_benchmark(CARD, raw)
    assert load_benchmark_folder(benchmark.save(tmp_path / "out")).fingerprint == benchmark.fingerprint


def test_absent_images_are_one_warning_and_unknown_sizes(tmp_path):
    complete = build_benchmark(CARD, write_animal_pose(tmp_path / "complete"))
    raw = write_animal_pose(tmp_path / "raw", present=3)
    with pytest.warns(GeobenchWarning, match="9 of 12 annotated images are absent") as said:
        benchmark = build_benchmark(CARD, raw)
    assert len(said) == 1
    known = np.isin(benchmark.instances.image, [f"photo_{n:03d}.jpg" for n in range(3)])
    assert (benchmark.instances.width == np.where(known, SIZE[0], 0)).all()
    for name in benchmark.splits:
        np.testing.assert_array_equal(benchmark.split(name).source, complete.split(name).source)
        np.testing.assert_array_equal(benchmark.split(name).target, complete.split(name).target)


def test_require_images_insists(tmp_path):
    raw = write_animal_pose(tmp_path / "raw", present=3)
    with pytest.raises(InputError, match=r"photo_003\.jpg: no such image; 9 of 12 annotated images are absent"):
        build_benchmark(CARD, raw, BuildOptions(require_images=True))


def test_leave_out_pairs_only_the_images_that_are_there(tmp_path):
    raw = write_animal_pose(tmp_path / "raw", present=8)
    card = card_with(absent_images="leave-out", **EVERYTHING_IN_TEST)
    with pytest.warns(GeobenchWarning, match="4 of 12 .*their 5 instances are left out"):
        benchmark = build_benchmark(card, raw)
    table, pairs = benchmark.instances, benchmark.split("test")
    assert len(table) == 11
    assert len(pairs)
    assert all((benchmark.image_root / str(name)).is_file() for name in table.image)
    assert benchmark.picture(int(pairs.source[0])).pixels.shape == (SIZE[1], SIZE[0], 3)


def test_leave_out_without_any_image_is_an_error(tmp_path):
    raw = write_animal_pose(tmp_path / "raw", present=0)
    with pytest.raises(InputError, match="none of the 12 annotated images is there"):
        build_benchmark(card_with(absent_images="leave-out"), raw)


def test_images_are_found_in_the_only_folder_there_is(tmp_path):
    one = build_benchmark(CARD, write_animal_pose(tmp_path / "one", folder="subset"))
    assert one.image_root.name == "subset"
    assert one.fingerprint == build_benchmark(CARD, write_animal_pose(tmp_path / "two")).fingerprint


def test_an_unreadable_image_is_an_error(raw):
    (raw / "images" / "photo_004.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"photo_004\.jpg: not a readable image"):
        build_benchmark(CARD, raw)


def test_a_keypoint_outside_its_image_is_told_and_kept(tmp_path):
    content = animal_pose_content()
    content["annotations"][2]["keypoints"][5] = [-3, 7, 1]
    raw = write_animal_pose(tmp_path / "raw", content)
    with pytest.warns(GeobenchWarning, match=r"annotation 2 \(image .*left_front_elbow at \(-3, 7\) is outside"):
        benchmark = build_benchmark(CARD, raw)
    assert benchmark.instances.keypoints[2, 5].tolist() == [-3, 7]


def test_the_seed_decides_the_pairs(raw):
    one, again, other = (build_benchmark(CARD, raw, BuildOptions(seed=seed)).fingerprint for seed in (1, 1, 2))
    assert one == again != other


def test_options_it_does_not_have_are_refused(raw):
    with pytest.raises(UsageError, match="--skip-invalid"):
        build_benchmark(CARD, raw, BuildOptions(skip_invalid=True))


def test_a_wrong_recipe_names_the_key(raw):
    with pytest.raises(InputError, match=r"\[splits\]: unknown key 'absent_image'; did you mean absent_images"):
        build_benchmark(card_with(absent_image="keep"), raw)
    with pytest.raises(InputError, match="add up to more than 1"):
        build_benchmark(card_with(val={"share": 0.9, "pairs_per_category": 1}), raw)


def _set(*path):
    *keys, value = path

    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def _drop(*path):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


FIRST = ("annotations", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop("images"), "'images' must be an object"),
        (_set("images", [{"id": 1, "file_name": "a.jpg"}]), "'images' must be an object"),
        (_set("images", "x", "a.jpg"), 'the key "x" is not an image id'),
        (_set("images", "1", "../a.jpg"), r"file name of id 1 .*is not a path inside"),
        (_set("images", "1", 7), r"file name of id 1 is 7, expected a string"),
        (_drop("annotations"), "'annotations' must be a list"),
        (_set("annotations", []), "'annotations' must be a list of objects, at least one"),
        (_set("annotations", 0, "x"), "'annotations' must be a list"),
        (_drop("categories"), "'categories' must be a list"),
        (_drop("categories", 0, "name"), "category 0: required field 'name' is missing"),
        (_set("categories", 0, "id", "1"), 'category 0: id is the string "1"'),
        (_set("categories", 0, "keypoints", NAMES[::-1]), "category dog: keypoints must be the names of the card"),
        (_drop(*FIRST, "image_id"), "annotation 0: required field 'image_id' is missing"),
        (_set(*FIRST, "image_id", 99), "annotation 0: image_id 99:? is not an id of 'images'"),
        (_set(*FIRST, "category_id", 9), "annotation 0: category_id 9:? is not an id of 'categories'"),
        (_set(*FIRST, "category_id", 1.5), "annotation 0: category_id is 1.5, expected an integer"),
        (_set(*FIRST, "bbox", [1, 2, 3]), r"annotation 0: bbox has 3 numbers, expected 4 \(x1, y1, x2, y2\)"),
        (_set(*FIRST, "bbox", [9, 2, 3, 8]), "annotation 0: bbox .* is not x1, y1, x2, y2 with x2 > x1"),
        (_set(*FIRST, "bbox", [1, 2, float("nan"), 8]), "annotation 0: bbox .* is not x1, y1, x2, y2"),
        (_set(*FIRST, "bbox", [1, 2, None, 8]), "annotation 0: bbox x2 is null, expected a number"),
        (_drop(*FIRST, "keypoints"), "annotation 0: keypoints must be a list of 20 keypoints"),
        (_set(*FIRST, "keypoints", [[1, 2, 1]] * 19), "annotation 0: keypoints must be a list of 20"),
        (_set(*FIRST, "keypoints", 3, [1, 2]), "annotation 0: keypoints: not every keypoint is a list x, y, flag"),
        (_set(*FIRST, "keypoints", 3, ["a", 2, 1]), 'annotation 0: keypoints: left_ear has x = the string "a"'),
        (_set(*FIRST, "keypoints", 3, [float("nan"), 2, 1]), r"annotation 0: keypoints: left_ear is \[NaN, 2, 1\]"),
        (_set(*FIRST, "keypoints", 3, [1, 2, 2]), r"left_ear is \[1, 2, 2\], expected .* a flag of 0 or 1"),
        (_set(*FIRST, "keypoints", 3, [1e30, 2, 1]), "annotation 0: keypoints: left_ear"),
    ],
)
def test_malformed_input_is_one_sentence(tmp_path, change, message):
    content = animal_pose_content()
    change(content)
    source = tmp_path
    (source / "keypoints.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        build_benchmark(CARD, source)
    assert str(caught.value).startswith(f"{source}/keypoints.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("", "empty"), ("[]", "JSON object"), ('{"images": {', "not valid JSON")]
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path, text, message):
    (tmp_path / "keypoints.json").write_text(text)
    with pytest.raises(InputError, match=message):
        build_benchmark(CARD, tmp_path)
    (tmp_path / "keypoints.json").unlink()
    with pytest.raises(InputError, match=r"keypoints\.json: no such file"):
        build_benchmark(CARD, tmp_path)


_JUNK = st.sampled_from([None, True, -1, 0, 3, 1e400, "x", "", [], {}, [1, 2], 10**30, float("nan")])


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))][1 if not path else 0 :]


BASE = animal_pose_content(images=3)
PLACES = _places(BASE)


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(PLACES), junk=_JUNK)
def test_a_damaged_record_never_ends_in_a_traceback(tmp_path_factory, place, junk):
    content = copy.deepcopy(BASE)
    _set(*place, junk)(content)
    path = tmp_path_factory.mktemp("fuzz") / "keypoints.json"
    path.write_text(json.dumps(content))
    with contextlib.suppress(InputError):
        found = read_annotations(path, NAMES)
        assert np.isfinite(found.keypoints).all()
        assert (found.bbox[:, 2:] > 0).all()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real Animal-Pose is not on this machine")
class TestReal:
    def test_counts_are_those_of_the_card(self):
        with pytest.warns(GeobenchWarning) as said:
            benchmark = build_benchmark(CARD, REAL)
        assert any("4600 of 4608 annotated images are absent" in str(one.message) for one in said)
        assert any("annotation 891" in str(one.message) and "3 such" in str(one.message) for one in said)
        table = benchmark.instances
        counts = {
            "images": len(set(table.image.tolist())),
            "instances": len(table),
            "keypoints": int(table.visible.sum()),
            "categories": len(set(table.category.tolist())),
            "pairs": sum(map(len, benchmark.splits.values())),
        }
        assert counts == CARD.expected
        assert {name: len(pairs) for name, pairs in benchmark.splits.items()} == {
            "train": 50000,
            "val": 2500,
            "test": 10000,
        }

    def test_the_eight_images_that_are_there_make_eight_pairs(self):
        with pytest.warns(GeobenchWarning, match="6109 instances are left out"):
            benchmark = build_benchmark(card_with(absent_images="leave-out", **EVERYTHING_IN_TEST), REAL)
        assert len(benchmark.instances) == len(benchmark.split("test")) == 8
        boxes, size = benchmark.instances.bbox, benchmark.instances.width
        assert (boxes[:, 0] + boxes[:, 2] <= size).all()

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.errors import InputError
from tests.builders.ap10k_cases import EDGE, TEST, TRAIN, build, changed_base, write_edge

CASES: dict[str, dict[str, Any]] = EDGE["cases"]
ERRORS = sorted(name for name, case in CASES.items() if case["severity"] == "error")
WARNINGS = sorted(name for name, case in CASES.items() if case["severity"] == "warning")
# What the sentence must name besides the file and the record ids.
FIELD_WORDS = {"(top level)": "top level", "categories[].name": "name", "images[].id": "image id", None: ""}
SKIPPABLE = sorted(
    name
    for name in ERRORS
    if CASES[name]["field"] in {"keypoints", "bbox", "num_keypoints"} or name.startswith(("category_id", "image_id"))
)


def words_of(name: str) -> list[str]:
    case = CASES[name]
    record = [value for key, value in case["record"].items() if key != "line"]
    return [FIELD_WORDS.get(case["field"], case["field"] or ""), *(str(value) for value in record)]


def test_there_are_48_cases() -> None:
    assert (len(ERRORS), len(WARNINGS)) == (41, 7)


def test_the_base_builds_in_silence(tmp_path: Path) -> None:
    benchmark, said = build(write_edge(tmp_path / "base", {}))
    assert said == []
    lengths = {name: len(pairs) for name, pairs in benchmark.splits.items() if len(pairs)}
    assert lengths == {"test/intra-species": 45, "test/cross-species": 36, "test/cross-family": 30}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_names_file_record_and_field(tmp_path: Path, name: str) -> None:
    source = write_edge(tmp_path / name, CASES[name]["files"])
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        build(source)
    sentence = str(caught.value)
    assert sentence.startswith(f"{source}/{CASES[name]['file']}: ")
    assert "\n" not in sentence
    for word in words_of(name):
        assert word in sentence
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_is_said_and_recorded(tmp_path: Path, name: str) -> None:
    benchmark, said = build(write_edge(tmp_path / name, CASES[name]["files"]))
    assert said
    assert said[0].startswith(f"{tmp_path / name}/{CASES[name]['file']}: ")
    recorded = benchmark.provenance["warnings"]
    assert [text.replace(f"{tmp_path / name}/", "") for text in said] == recorded[: len(said)]
    if name != "same_image_in_train_and_val":  # the annotation id is not the fault there
        assert all(word in said[0] for word in words_of(name))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("keypoint_nan", "annotation 830 (image 53914): keypoints: keypoint 2 (nose) has x = NaN, which is not finite"),
        ("keypoint_infinite", "keypoint 3 (neck) has y = Infinity, which is not finite"),
        ("keypoint_null_coordinate", "keypoint 5 (left_shoulder) has x = null, expected a number"),
        ("keypoints_string_value", 'keypoint 4 (root_of_tail) has x = the string "211", expected a number'),
        ("keypoint_negative", "keypoint 0 (left_eye) has x = -37, a negative coordinate, outside the image"),
        ("keypoints_len_48", "keypoints has 48 numbers, expected 51 (17 keypoints x 3)"),
        ("keypoints_null", "keypoints is null, expected a list of 51 numbers (17 keypoints x 3)"),
        ("visibility_3", "keypoint 7 (left_front_paw) has visibility 3, expected 0, 1 or 2"),
        ("bbox_negative", "bbox width is -20, which is negative"),
        ("bbox_len_3", "bbox has 3 numbers, expected 4 (x, y, width, height)"),
        ("bbox_zero_size", "bbox width and height are 0, so the PCK threshold would be 0"),
        ("image_width_zero", "image 16398: width is 0, expected at least 1"),
        ("image_id_is_string", 'image_id is the string "3915", expected an integer'),
        ("category_id_unknown", "category_id 777 is not defined in categories"),
        ("category_path_traversal", "would leave the output folder"),
        ("duplicate_annotation_id_same_file", "for image 14718 here and for image 2182 in"),
        ("duplicate_image_id_two_files", "(width 640, height 480 there, width 111, height 222 here)"),
        ("corrupt_json_truncated", "it looks truncated"),
        ("invalid_utf8", "not UTF-8 at byte 2071"),
    ],
)
def test_what_the_sentence_says(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        build(write_edge(tmp_path / name, CASES[name]["files"]))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", SKIPPABLE)
def test_skip_invalid_leaves_the_record_out_and_says_which(tmp_path: Path, name: str) -> None:
    benchmark, said = build(write_edge(tmp_path / name, CASES[name]["files"]), skip_invalid=True)
    annotation = str(CASES[name]["record"]["annotation_id"])
    assert len(benchmark.instances) == 17
    assert annotation not in benchmark.instances.record
    assert benchmark.recipe["skipped_annotations"] == 1
    assert benchmark.recipe["skipped"][0][:2] == [CASES[name]["file"], annotation]
    assert f"annotation {annotation} " in benchmark.provenance["skipped"][0]
    assert "1 invalid annotations are left out" in said[0]


def test_skip_invalid_changes_nothing_when_all_is_valid(tmp_path: Path) -> None:
    source = write_edge(tmp_path / "base", {})
    assert build(source, skip_invalid=True)[0].fingerprint == build(source)[0].fingerprint


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"id": True}, "id is true, expected an integer"),
        ({"id": ...}, "required field 'id' is missing"),
        ({"id": -1}, "id is -1, expected at least 0"),
        ({"image_id": 1e3}, "image_id is 1000.0, expected an integer"),
        ({"category_id": []}, "category_id is a list"),
        ({"num_keypoints": None}, "num_keypoints is null"),
        ({"bbox": {}}, "bbox is an object"),
        ({"bbox": [10**30, 0, 1, 1]}, "bbox x is"),
        ({"bbox": [0, 0, 1e200, 1]}, "bbox width is 1e+200, which is not finite"),
        ({"bbox": [0, 0, True, 1]}, "bbox width is true, expected a number"),
        ({"mask": "../secret.png"}, "is not a path inside the dataset's folder"),
        ({"mask": "/etc/passwd"}, "is not a path inside the dataset's folder"),
        ({"azimuth": "north"}, 'azimuth is the string "north", expected a finite number'),
        ({"azimuth": float("nan")}, "azimuth is NaN, expected a finite number"),
    ],
)
def test_more_bad_annotations(tmp_path: Path, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        build(write_edge(tmp_path / "case", changed_base(TEST, "annotations", 0, **fields)))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("part", "fields", "sentence"),
    [
        ("images", {"file_name": "../../x.jpg"}, "is not a path inside the dataset's folder"),
        ("images", {"id": "7"}, 'id is the string "7"'),
        ("images", {"width": 10**12}, "expected at most"),
        ("categories", {"name": ".."}, "is not a usable folder name"),
        ("categories", {"name": 5}, "name is 5, expected a string"),
        ("categories", {"keypoints": ["nose"]}, "keypoints must be a list of 17 names"),
    ],
)
def test_more_bad_images_and_categories(tmp_path: Path, part: str, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        build(write_edge(tmp_path / "case", changed_base(TRAIN, part, 0, **fields)))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
@pytest.mark.parametrize("value", [None, {}, "x", [[]], [3]])
def test_a_part_that_is_no_list_of_objects_is_named(tmp_path: Path, part: str, value: Any) -> None:
    content = {**json.loads(EDGE["base"][TEST]), part: value}
    with pytest.raises(InputError, match=rf"{TEST}: '{part}' must be a list of objects"):
        build(write_edge(tmp_path / "case", {TEST: json.dumps(content)}))


def test_many_odd_records_make_one_warning(tmp_path: Path) -> None:
    content = json.loads(EDGE["base"][TRAIN])
    for annotation in content["annotations"]:
        annotation["num_keypoints"] = 5
    _, said = build(write_edge(tmp_path / "case", {TRAIN: json.dumps(content)}))
    assert len(said) == 1
    assert said[0].endswith(f"(and {len(content['annotations']) - 1} more like it)")


def test_keypoint_names_in_another_order_are_refused(tmp_path: Path) -> None:
    names = json.loads(EDGE["base"][TRAIN])["categories"][0]["keypoints"]
    files = changed_base(TRAIN, "categories", 0, keypoints=names[::-1])
    with pytest.raises(InputError, match="keypoints has the names of the card in another order"):
        build(write_edge(tmp_path / "case", files))


def test_an_image_id_that_its_name_cannot_hold_is_refused(tmp_path: Path) -> None:
    content = json.loads(EDGE["base"][TEST])
    content["images"][0]["id"] = content["annotations"][0]["image_id"] = 10**12
    old = json.loads(EDGE["base"][TEST])["images"][0]["id"]
    for annotation in content["annotations"]:
        if annotation["image_id"] == old:
            annotation["image_id"] = 10**12
    with pytest.raises(InputError, match=r"id 1000000000000.* 12 digits"):
        build(write_edge(tmp_path / "case", {TEST: json.dumps(content)}))


def test_an_unreadable_crowd_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ap-10k_is_crowd\.txt: cannot be read as UTF-8"):
        build(write_edge(tmp_path / "case", {"ap-10k_is_crowd.txt": "\xff\xfe\n"}))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def complaint(source: Path, skip_invalid: bool = False) -> str | None:
    """Return the sentence with which a build is refused, or None where it succeeds; anything else fails the test."""
    try:
        assert build(source, skip_invalid=skip_invalid)[0].fingerprint
    except InputError as error:
        return str(error)
    return None


@settings(max_examples=150, deadline=None)
@given(
    part=st.sampled_from(["images", "annotations", "categories"]),
    field=st.sampled_from(["id", "image_id", "category_id", "bbox", "keypoints", "num_keypoints", "width", "height",
                           "file_name", "name", "supercategory", "mask", "azimuth"]),
    value=JSON_VALUES,
    skip=st.booleans(),
)  # fmt: skip
def test_any_value_in_any_field_builds_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, part: str, field: str, value: Any, skip: bool
) -> None:
    source = write_edge(tmp_path_factory.mktemp("fuzz"), changed_base(TEST, part, 0, **{field: value}))
    said = complaint(source, skip)
    assert said is None or said.startswith(f"{source}/ap10k-")


@settings(max_examples=100, deadline=None)
@given(column=st.integers(0, 50), value=JSON_VALUES)
def test_any_value_in_a_keypoint_builds_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, column: int, value: Any
) -> None:
    keypoints = json.loads(EDGE["base"][TEST])["annotations"][0]["keypoints"]
    keypoints[column] = value
    files = changed_base(TEST, "annotations", 0, keypoints=keypoints)
    source = write_edge(tmp_path_factory.mktemp("fuzz"), files)
    said = complaint(source)
    assert said is None or (said.startswith(f"{source}/{TEST}: annotation") and "keypoint" in said)

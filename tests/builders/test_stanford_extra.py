from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from geobench.builders.options import BuildOptions, build_benchmark
from geobench.builders.stanford_extra_file import breed_name
from geobench.errors import GeobenchWarning, InputError, UsageError
from tests.builders.raw_stanford_extra import CARD, JOINTS, NAMES, SIZE, stanford_extra_content, write_stanford_extra
from tests.conftest import SHARED

REAL = SHARED / "data" / "stanfordextra-sample"
ANNOTATIONS = "StanfordExtra_V12/StanfordExtra_v12.json"


@pytest.fixture
def raw(tmp_path):
    return write_stanford_extra(tmp_path / "raw")


def test_rows_hold_what_the_records_hold(raw):
    table = build_benchmark(CARD, raw).instances
    for row, record in enumerate(stanford_extra_content()):
        joints = np.array(record["joints"])
        assert table.bbox[row].tolist() == record["img_bbox"]
        np.testing.assert_array_equal(table.keypoints[row], joints[:, :2].astype(np.float32))
        np.testing.assert_array_equal(table.visibility[row], 2 * joints[:, 2])
        assert table.id[row] == table.image[row] == record["img_path"]
        assert (table.category[row], table.family[row]) == (breed_name(record["img_path"]), "dog")
    assert (table.width == SIZE[0]).all()
    assert (table.height == SIZE[1]).all()
    assert not table.visible[:, JOINTS:].any()


def test_the_lists_of_the_dataset_decide_the_splits(raw):
    benchmark = build_benchmark(CARD, raw)
    assert list(benchmark.splits) == ["train", "val", "test/same-breed", "test/any-breed"]
    for split, places in (("train", {0, 2, 4}), ("test/same-breed", {3, 5}), ("test/any-breed", {3, 5})):
        pairs = benchmark.split(split)
        assert {*(pairs.source % 6).tolist(), *(pairs.target % 6).tolist()} == places
    assert len(benchmark.split("val")) == 0  # one dog of each breed
    assert len(benchmark.split("test/same-breed")) == 3
    assert len(benchmark.split("test/any-breed")) == 15  # of six dogs, each two once
    assert set(benchmark.split("test/any-breed").category.tolist()) == {"all"}
    assert benchmark.recipe["dogs"] == "the lists of the dataset"


def test_without_the_lists_a_hash_deals_the_dogs(tmp_path):
    raw = write_stanford_extra(tmp_path / "raw", lists=False)
    one, again, other = (build_benchmark(CARD, raw, BuildOptions(seed=seed)) for seed in (1, 1, 2))
    assert one.recipe["dogs"] == "dealt by hash"
    assert one.fingerprint == again.fingerprint != other.fingerprint
    rows = {split: {*pairs.source.tolist(), *pairs.target.tolist()} for split, pairs in one.splits.items()}
    assert not rows["train"] & rows["test/any-breed"]


def test_subgroups_and_mirror_follow_the_names():
    skeleton = CARD.skeletons()["*"]
    for number, name in enumerate(NAMES):
        twin = name.replace("left", "*").replace("right", "left").replace("*", "right")
        assert skeleton.mirror[number] == NAMES.index(twin)
        part = name.split("_", 1)[1].removeprefix("front_").removeprefix("rear_") if twin != name else ""
        assert (number in skeleton.groups.get(part, ())) == (twin != name)


def test_a_joint_outside_its_image_is_told_and_kept(tmp_path):
    content = stanford_extra_content()
    content[2]["joints"][5] = [-3.0, 7.0, 1.0]
    raw = write_stanford_extra(tmp_path / "raw", content)
    with pytest.warns(GeobenchWarning, match=r"record 2 \(.*left_rear_top at \(-3, 7\) is outside the image \(1 such"):
        benchmark = build_benchmark(CARD, raw)
    assert benchmark.instances.keypoints[2, 5].tolist() == [-3, 7]


def test_a_flag_between_0_and_1_is_told_and_not_visible(tmp_path):
    content = stanford_extra_content()
    content[2]["joints"][5] = [3.0, 7.0, 0.5]
    raw = write_stanford_extra(tmp_path / "raw", content)
    with pytest.warns(GeobenchWarning, match=r"1 flags of joints lie between 0 and 1"):
        assert not build_benchmark(CARD, raw).instances.visible[2, 5]


def test_absent_images_are_one_warning(raw):
    whole = build_benchmark(CARD, raw)
    shutil.rmtree(raw / "Images" / "n02085620-Chihuahua")
    with pytest.warns(GeobenchWarning, match=r"no such image; 6 of 18 annotated images are absent") as said:
        assert build_benchmark(CARD, raw).fingerprint == whole.fingerprint
    assert len(said) == 1


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("img_path", "../n1/a.jpg", r'img_path "../n1/a.jpg" is not a path inside'),
        ("img_path", "a.jpg", r'img_path "a.jpg" is not <breed folder>/<file>'),
        ("img_width", 0, r"img_width is 0, expected at least 1"),
        ("img_height", "60", r'img_height is the string "60", expected an integer'),
        ("img_bbox", [1, 2, -3, 4], r"img_bbox \[1, 2, -3, 4\] is not x, y, width, height"),
        ("img_bbox", [1, 2, 3], r"img_bbox has 3 numbers, expected 4"),
        ("joints", [[0.0, 0.0, 0.0]], r"joints must be a list of 24 joints"),
        ("joints", [[float("nan"), 0.0, 1.0]] * 24, r"left_front_paw is \[NaN, 0.0, 1.0\], expected finite"),
        ("joints", [[1.0, 0.0, 2]] * 24, r"left_front_paw is \[1.0, 0.0, 2\], expected finite x and y and a flag"),
        ("joints", [[1.0, 0.0]] * 24, r"not every joint is a list x, y, flag"),
        ("joints", [[1.0, "a", 1]] * 24, r'left_front_paw has y = the string "a", expected a number'),
    ],
)
def test_a_bad_record_is_one_sentence(tmp_path, field, value, sentence):
    content = stanford_extra_content()
    content[3][field] = value
    raw = write_stanford_extra(tmp_path / "raw")
    (raw / ANNOTATIONS).write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"StanfordExtra_v12\.json: record 3: .*{sentence}.*; correct or remove it"):
        build_benchmark(CARD, raw)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([3, 99], "entry 1 is record 99, there are 18"),
        ([-1], "entry 0 is record -1"),
        ([3, 3], "record 3 is in the lists twice"),
        ([0], "record 0 is in the lists twice"),
        ([0.5], "must be one list of whole numbers"),
        ([[3]], "must be one list of whole numbers"),
    ],
    ids=str,
)
def test_a_bad_list_is_one_sentence(raw, rows, sentence):
    np.save(raw / "StanfordExtra_V12" / "test_stanford_StanfordExtra_v12.npy", np.array(rows))
    with pytest.raises(InputError, match=rf"test_stanford_StanfordExtra_v12\.npy: {sentence}"):
        build_benchmark(CARD, raw)


def test_a_list_is_never_unpickled(raw):
    path = raw / "StanfordExtra_V12" / "val_stanford_StanfordExtra_v12.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"val_stanford_.*not a readable array of numbers"):
        build_benchmark(CARD, raw)
    path.unlink()
    with pytest.raises(InputError, match=r"val_stanford_.*no such file, but other lists of the split are there"):
        build_benchmark(CARD, raw)


def test_two_annotation_files_are_refused(raw):
    shutil.copy(raw / ANNOTATIONS, raw / "StanfordExtra_v1.json")
    with pytest.raises(UsageError, match=r"holds StanfordExtra_v1\.json and StanfordExtra_v12\.json"):
        build_benchmark(CARD, raw)


@pytest.mark.skipif(not REAL.is_dir(), reason="the 25 real dogs are not beside this clone")
def test_the_25_real_dogs():
    benchmark = build_benchmark(CARD, REAL, BuildOptions(require_images=True))
    table = benchmark.instances
    assert (len(table), int(table.visible.sum())) == (25, 383)
    assert sorted({*table.category.tolist()}) == [
        "Border terrier",
        "Rhodesian ridgeback",
        "Weimaraner",
        "golden retriever",
    ]
    for row in range(len(table)):
        assert benchmark.picture(row).pixels.shape[1::-1] == (table.width[row], table.height[row])

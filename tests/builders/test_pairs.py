"""A user's own pairs: both forms of the list, what names tell, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geobench.builders.name_rules import skeleton_from_names
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import datasets_folder, find_card
from geobench.cli import run
from geobench.errors import InputError
from tests.builders.raw_pairs import NAMES, make_raw_pairs


def test_both_forms_of_a_list_are_the_same_benchmark(tmp_path: Path) -> None:
    made = [
        build_benchmark(find_card("pairs"), make_raw_pairs(tmp_path / form, form=form)) for form in ("jsonl", "csv")
    ]
    assert made[0].fingerprint == made[1].fingerprint
    assert {name: len(pairs) for name, pairs in made[0].splits.items()} == {"test": 4, "train": 2}


def test_a_pair_asks_for_the_keypoints_of_its_line(tmp_path: Path) -> None:
    made = build_benchmark(find_card("pairs"), make_raw_pairs(tmp_path))
    mutual = made.split("test").mutual(made)
    assert mutual.sum(axis=1).tolist() == [2, 3, 2, 3]
    assert made.skeleton("mug").names == NAMES
    tags = made.split("test").geometry_aware(made)
    np.testing.assert_array_equal(tags, mutual & np.array([True, True, False]))


def test_boxes_for_every_pair_set_the_threshold(tmp_path: Path) -> None:
    card = find_card("pairs")
    assert build_benchmark(card, make_raw_pairs(tmp_path / "a")).threshold == "bbox"
    plain = build_benchmark(card, make_raw_pairs(tmp_path / "b", boxes=False))
    assert plain.threshold == "image"
    assert plain.instances.bbox[0].tolist() == [0, 0, 60, 40]


def test_names_tell_partners_and_subgroups() -> None:
    made = skeleton_from_names(["Left eye", "Right eye", "nose", "left-ear", "leftover", "left", "right"])
    assert made.mirror == (1, 0, 2, 3, 4, 6, 5)
    assert made.groups == {"eye": (0, 1), "side": (5, 6)}


def test_the_examples_of_the_readme_build(tmp_path: Path) -> None:
    text = (datasets_folder() / "pairs" / "README.md").read_text(encoding="utf-8")
    for form in ("json", "csv"):
        folder = tmp_path / form
        folder.mkdir()
        for name in "abc":
            Image.new("RGB", (60, 60)).save(folder / f"{name}.png")
        block = re.search(rf"```{form}\n(.*?)```", text, re.DOTALL)
        assert block is not None
        (folder / ("pairs.jsonl" if form == "json" else "pairs.csv")).write_text(block[1], encoding="utf-8")
        made = build_benchmark(find_card("pairs"), folder)
        assert made.split("test").geometry_aware(made).sum(axis=1).tolist() == [2, 0]


def test_absent_images_are_told_or_refused(tmp_path: Path) -> None:
    source = make_raw_pairs(tmp_path)
    (source / "a.png").unlink()
    with pytest.warns(UserWarning, match=r"a\.png: no such image; 1 images"):
        assert (build_benchmark(find_card("pairs"), source).instances.width == 0).any()
    with pytest.raises(InputError, match=r"a\.png: no such image"):
        build_benchmark(find_card("pairs"), source, BuildOptions(require_images=True))


LINE = '{"source": "a.png", "target": "b.png", "keypoints": {"eye": [[1, 2], [3, 4]]}}'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "has no pair"),
        ("[1]", "line 1: not an object"),
        ("{", "line 1: not JSON"),
        (LINE + "\n\n" + LINE, r"line 3: a\.png -> b\.png is already in line 1"),
        (LINE.replace("a.png", "../a.png"), "source: is not a path inside"),
        (LINE.replace("a.png", "/a.png"), "source: is not a path inside"),
        (LINE.replace("[1, 2]", "[1, NaN]"), r"line 1: keypoints\.eye\.0\.1: .*finite"),
        (LINE.replace("[1, 2]", "[1, 2, 3]"), r"keypoints\.eye\.0: "),
        (LINE.replace('"keypoints"', '"keypoint"'), "unknown key 'keypoint'; did you mean"),
        (LINE.replace("{", '{"source_box": [0, 0, -1, 2], ', 1), r"source_box\.2: .*greater than 0"),
        (LINE.replace("{", '{"target_box": [0, 0, 1, 2], ', 1) + "\n" + LINE.replace("a.png", "c.png"), None),
        ('{"source": "a.png", "target": "b.png", "keypoints": {}}', "keypoints: "),
    ],
)
def test_a_malformed_line_is_one_sentence(
    tmp_path: Path, content: str, sentence: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "pairs.jsonl").write_text(content, encoding="utf-8")
    code = run(["build-splits", "pairs", "--source", str(tmp_path / "raw"), "--out", str(tmp_path / "out")])
    told = capsys.readouterr().err.strip().splitlines()
    assert code == (1 if sentence else 0)
    assert (tmp_path / "out").exists() == (sentence is None)
    if sentence:
        assert len(told) == 1
        assert re.search(sentence, told[0])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("source_x", "x", "no column 'source_x'"),
        ("source_box", "box", "column 'box' is unknown"),
        ("left_rim,", "left_rim,oops,", r"line 2: has 12 cells, expected 11"),
        ("1 1 50 30", "1 1 50", r"line 2: required key .source_box.3. is missing"),
        ("1 1 50 30", "a b c d", r"line 2: source_box is 'a b c d'"),
        ("right_rim", "left_rim", r"line 3: keypoint 'left_rim' comes twice"),
    ],
)
def test_a_malformed_table_is_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = make_raw_pairs(tmp_path, form="csv") / "pairs.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        build_benchmark(find_card("pairs"), tmp_path)


def test_one_list_and_only_one_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has neither of"):
        build_benchmark(find_card("pairs"), tmp_path)
    make_raw_pairs(tmp_path)
    make_raw_pairs(tmp_path, form="csv")
    with pytest.raises(InputError, match="has both of"):
        build_benchmark(find_card("pairs"), tmp_path)

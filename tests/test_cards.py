from __future__ import annotations

from pathlib import Path

import pytest

from geobench.card import load_card
from geobench.catalog import card_names, find_card, recipe_names
from geobench.errors import InputError, UsageError
from tests.conftest import TINY_CARD

MINIMAL = """
name = "mine"
title = "Mine"
version = 1
builder = "geobench.builders.ap10k"
threshold = "bbox"
licence = "CC0"
citation = "none"
[keypoints]
names = ["a", "b"]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "card.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", card_names())
def test_every_card_of_the_catalogue_loads(name: str) -> None:
    card = find_card(name)
    assert card.name == name
    assert card.skeletons() or name == "pairs"  # whose list names the keypoints
    for skeleton in card.skeletons().values():
        assert [skeleton.mirror[i] for i in skeleton.mirror] == list(range(len(skeleton)))


@pytest.mark.parametrize("name", card_names())
def test_left_and_right_are_mirror_partners(name: str) -> None:
    for skeleton in find_card(name).skeletons().values():
        for number, keypoint in enumerate(skeleton.names):
            if keypoint.startswith("left_"):
                assert skeleton.names[skeleton.mirror[number]] == keypoint.replace("left_", "right_", 1)


def test_quadrupeds_and_ap10k_share_keypoints_and_splits() -> None:
    ours, theirs = find_card("quadrupeds"), find_card("ap10k")
    assert ours.keypoints == theirs.keypoints
    assert ours.splits == theirs.splits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("title =", "titel ="), r"unknown key 'titel'; did you mean title\?"),
        (('names = ["a", "b"]', 'names = ["a", "b"]\nmirors = []'), r"'keypoints.mirors'; did you mean mirror"),
        (('threshold = "bbox"', 'threshold = "box"'), r"threshold: .*'bbox' or 'image' \(found 'box'\)"),
        (("version = 1\n", ""), "required key 'version' is missing"),
        (("name = ", "name "), "not a readable TOML file"),
    ],
)
def test_a_wrong_card_names_file_and_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = written(tmp_path, MINIMAL.replace(*change, 1))
    with pytest.raises(InputError, match=r"card\.toml: .*" + message):
        load_card(path)


def test_unknown_dataset_suggests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown dataset 'ap1k'; did you mean ap10k"):
        find_card("ap1k")


def test_a_card_may_lie_anywhere(tmp_path: Path) -> None:
    assert find_card(written(tmp_path, MINIMAL)).name == "mine"


def test_catalogue_has_the_baselines() -> None:
    assert {"dense-sift", "oracle", "same-position", "box-position", "random"} <= set(recipe_names())


def test_tiny_card_is_what_tests_think() -> None:
    assert set(TINY_CARD["keypoints"]["groups"]) == {"paw"}  # type: ignore[index]

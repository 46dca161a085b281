from __future__ import annotations

from pathlib import Path

import pytest

from geobench.benchmark import Benchmark
from geobench.builders.assembly import assemble
from geobench.card import Card
from geobench.skeleton import Skeleton
from tests.conftest import TINY_CARD, make_tiny_benchmark


@pytest.fixture
def tiny(tmp_path: Path) -> Benchmark:
    return make_tiny_benchmark(tmp_path / "tiny")


@pytest.mark.parametrize("threshold", ["bbox", "image"])
def test_name_threshold_and_skeletons_are_the_cards(tiny: Benchmark, threshold: str) -> None:
    card = Card.model_validate({**TINY_CARD, "name": "other", "threshold": threshold})
    made = assemble(card, tiny.instances, tiny.splits, tiny.image_root, recipe={"seed": 3}, provenance={"from": "here"})
    assert (made.name, made.threshold, made.card) == ("other", threshold, card)
    assert made.skeletons == card.skeletons()
    assert (made.recipe, made.provenance, made.folder) == ({"seed": 3}, {"from": "here"}, None)
    assert made.instances is tiny.instances
    assert made.splits == tiny.splits


def test_skeletons_that_are_given_replace_the_cards_even_if_there_are_none(tiny: Benchmark) -> None:
    own = {"cat": Skeleton(("a", "b", "c", "d"))}
    for given in (own, {}):
        made = assemble(
            tiny.card, tiny.instances, tiny.splits, tiny.image_root, recipe={}, provenance={}, skeletons=given
        )
        assert made.skeletons == given


def test_the_folder_of_images_no_longer_depends_on_the_working_folder(
    tiny: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = assemble(tiny.card, tiny.instances, tiny.splits, Path("tiny"), recipe={}, provenance={})
    assert made.image_root == (tmp_path / "tiny").resolve()

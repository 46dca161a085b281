from __future__ import annotations

import pytest

from geobench.card import Card
from geobench.catalog import card_names, find_card
from geobench.cli import run
from geobench.reporting.dataset_list import WIDTH, dataset_list
from tests.conftest import TINY_CARD


def row(**fields: object) -> list[str]:
    """Return the cells of a card's only line."""
    table = dataset_list([Card.model_validate({**TINY_CARD, **fields})])
    return table.splitlines()[2].split()


def test_sizes_are_the_cards_counts_their_sum_over_splits_or_a_dash() -> None:
    assert row() == ["tiny", "Tiny", "-", "-", "-", "Apache-2.0"]
    assert row(expected={"images": 1234, "instances": 5})[2:5] == ["1,234", "5", "-"]
    assert row(expected={"pairs_train": 1000, "pairs_test": 24})[4] == "1,024"
    assert row(expected={"pairs": 7, "pairs_test": 24})[4] == "7"
    assert row(rounded={"pairs": 313000})[4] == "~313,000"
    assert row(expected={"pairs": 7}, rounded={"pairs": 313000})[4] == "7"


def test_long_titles_and_licences_are_wrapped() -> None:
    words = " ".join(["word"] * 40)
    table = dataset_list([Card.model_validate({**TINY_CARD, "title": words, "licence": words})])
    assert max(map(len, table.splitlines())) <= WIDTH
    assert table.count("word") == 80


def test_the_command_shows_every_dataset_with_title_size_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "datasets"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= WIDTH
    for name in card_names():
        card = find_card(name)
        line = next(one for one in said.splitlines() if one.split()[0] == name)
        assert card.title.split()[0] in line
        assert card.licence.split()[0] in line
    assert "70,958" in said  # SPair-71k's pairs, summed over splits

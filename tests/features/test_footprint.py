"""The size of a description is what it alone keeps in memory; one cut out of a batch keeps no other alive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from geobench.features.feature_map import FeatureMap
from geobench.features.footprint import described_bytes, device_of, owning
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels

BOX = Letterbox.pad((40, 30), 32)


def feature_map(side: int = 8, channels: int = 4) -> FeatureMap:
    return FeatureMap(torch.rand(channels, side, side), BOX)


class Plain:
    """A user's own kind of description, which knows its network."""

    def __init__(self, features: torch.Tensor, network: nn.Module, table: np.ndarray) -> None:
        self.features, self.network, self.table = features, network, table


@dataclass(frozen=True, slots=True)
class Slotted:
    features: torch.Tensor


@pytest.mark.parametrize(
    ("description", "size"),
    [
        (feature_map(), 4 * 4 * 64),
        (Levels([feature_map(8), feature_map(4, 8)]), 4 * (4 * 64 + 8 * 16)),
        ((feature_map(), Levels([feature_map(2)])), 4 * 4 * (64 + 4)),
        ({"a": np.zeros((3, 5)), "b": [np.zeros(2, np.uint8), "text", 3, None]}, 122),
        (Slotted(torch.zeros(7, dtype=torch.float16)), 14),
        (np.array([np.zeros(2), torch.zeros(3)], dtype=object), 16 + 12),
        ("0815", 0),
        (3.5, 0),
    ],
)
def test_sizes(description: Any, size: int) -> None:
    assert described_bytes([description]) == size


def test_what_descriptions_share_does_not_count() -> None:
    network, table = nn.Linear(100, 100), np.zeros(1000)
    some = [Plain(torch.zeros(length), network, table) for length in (10, 30, 20)]
    assert described_bytes(some) == 4 * 30
    shared = torch.zeros(1000)
    assert described_bytes([shared, shared]) == 0
    assert described_bytes([]) == 0


def test_what_is_computed_later_counts_when_it_is_there() -> None:
    some = feature_map(), feature_map()
    before = described_bytes(some)
    some[1].in_image()
    some[1].neighbour_products()
    assert described_bytes(some) == before + 64 + 4 * 4 * 64


def test_an_object_may_contain_itself() -> None:
    ring: list[Any] = [torch.zeros(5)]
    ring.append(ring)
    assert described_bytes([ring]) == 20


def test_the_device_is_that_of_most_bytes() -> None:
    assert device_of({"a": np.zeros(9), "b": torch.zeros(100, device="meta")}) == "meta"
    assert device_of("nothing") == "cpu"


def test_one_of_a_batch_owns_its_numbers() -> None:
    batch = torch.rand(8, 4, 6, 6)
    made = [
        (FeatureMap(one, BOX), {"levels": Levels([FeatureMap(one[:2], BOX)]), "array": one.numpy()[1:]})
        for one in batch
    ]
    for cut, one in zip(made, batch, strict=True):
        whole, rest = owning(cut)
        torch.testing.assert_close(whole.features, one, rtol=0, atol=0)
        np.testing.assert_array_equal(rest["array"], one.numpy()[1:])
        assert rest["array"].base is None
        for tensor in (whole.features, rest["levels"].maps[0].features):
            assert tensor.untyped_storage().nbytes() == tensor.nbytes
    kept = feature_map()
    assert owning(kept) is kept
    assert owning("text") == "text"

"""The preset pf-willow-padded: alpha multiplies the box of the keypoints and the padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.benchmark import Benchmark
from geobench.card import Card
from geobench.evaluation.protocol import Protocol, find_protocol
from geobench.evaluation.scores import threshold_sizes
from geobench.instances import Instances
from geobench.skeleton import Skeleton

PADDED = find_protocol("pf-willow-padded")


def willow(points: np.ndarray, size: tuple[int, int], visibility: int = 2) -> Benchmark:
    """Return a benchmark of one image with ten keypoints, whose box is that of the keypoints."""
    low, high = points.min(axis=0), points.max(axis=0)
    table = Instances.from_columns(
        id=["one"],
        image=["one.png"],
        size=np.array([size]),
        bbox=np.concatenate([low, high - low])[None],
        category=["car"],
        keypoints=points[None],
        visibility=np.full((1, 10), visibility),
    )
    card = Card(name="w", title="w", version=1, builder="tests", threshold="bbox", licence="none", citation="none")
    skeleton = Skeleton(tuple(f"keypoint {number}" for number in range(10)))
    return Benchmark("w", card, {"*": skeleton}, table, {}, "bbox", Path("nowhere"))


coordinates = st.lists(st.floats(0, 200, width=32), min_size=20, max_size=20)


@given(values=coordinates, size=st.tuples(st.integers(100, 300), st.integers(100, 300)))
def test_size_is_that_of_a_list_filled_up_with_minus_one(values: list[float], size: tuple[int, int]) -> None:
    """As data/pfwillow.py of DHPF has it, with torch: ten keypoints in a frame of 240, filled up to 40."""
    points = np.array(values).reshape(10, 2)
    scaled = torch.tensor(points.T) * torch.tensor([[240 / size[0]], [240 / size[1]]])
    filled = torch.nn.functional.pad(scaled, (0, 30), value=-1.0)
    theirs = float((filled.amax(dim=1) - filled.amin(dim=1)).max())
    assert threshold_sizes(willow(points, size), PADDED)[0] == pytest.approx(theirs, rel=1e-6)


@given(values=coordinates)
def test_size_is_never_below_that_of_the_box(values: list[float]) -> None:
    benchmark = willow(np.array(values).reshape(10, 2), (200, 200))
    box = Protocol.model_validate(PADDED.model_dump() | {"size": "bbox"})
    assert threshold_sizes(benchmark, PADDED)[0] >= threshold_sizes(benchmark, box)[0] - 1e-4


def test_hidden_keypoints_do_not_count() -> None:
    points = np.full((10, 2), 50.0)
    assert threshold_sizes(willow(points, (240, 240)), PADDED)[0] == 51
    assert threshold_sizes(willow(points, (240, 240), visibility=0), PADDED)[0] == 0


def test_it_is_another_protocol_than_with_the_box() -> None:
    box = Protocol.model_validate(PADDED.model_dump() | {"size": "bbox"})
    assert box.fingerprint != PADDED.fingerprint
    assert box.queries_fingerprint == PADDED.queries_fingerprint == find_protocol("default").queries_fingerprint

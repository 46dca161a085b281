"""Sanity baselines: corners go to corners, the oracle is right, random depends on nothing but its point."""

import hashlib
import struct

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.methods.sanity import BoxPosition, Oracle, Random, SamePosition
from tests.methods.examples import make_pairs

numbers = st.floats(0, 500, width=32)
lengths = st.floats(1, 500, width=32)
boxes = st.tuples(numbers, numbers, lengths, lengths)


def corners(box):
    x, y, w, h = box
    return torch.tensor([[x, y], [x + w, y], [x, y + h], [x + w, y + h], [x + w / 2, y + h / 2]])


@given(boxes, boxes)
def test_corners_and_centre_go_to_corners_and_centre(a, b):
    torch.testing.assert_close(BoxPosition().match(a, b, corners(a)), corners(b), rtol=1e-4, atol=1e-2)


def test_the_frames_are_the_image_and_the_box(tmp_path):
    source, target, *_ = make_pairs(tmp_path)[0]
    for method, a, b in ((SamePosition(), (0, 0, 60, 40), (0, 0, 50, 70)), (BoxPosition(), source.box, target.box)):
        answer = method.match(method.describe(source), method.describe(target), corners(a))
        torch.testing.assert_close(answer, corners(b))


def test_an_empty_box_gives_finite_answers():
    assert torch.isfinite(BoxPosition().match((5.0, 5.0, 0.0, 0.0), (0.0, 0.0, 10.0, 10.0), torch.rand(3, 2))).all()


def test_the_oracle_answers_with_the_truth():
    truth = torch.rand(4, 2)
    assert torch.equal(Oracle().match(None, None, torch.rand(4, 2), truth), truth)


@given(boxes, st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9), st.randoms())
def test_random_depends_neither_on_order_nor_on_company(box, points, shuffler):
    method, points = Random(), torch.tensor(points)
    order = list(range(len(points)))
    shuffler.shuffle(order)
    together = method.match(("a", box), ("b", box), points)
    assert np.array_equal(method.match(("a", box), ("b", box), points[order]), together[order])
    assert np.array_equal(method.match(("a", box), ("b", box), points[:1]), together[:1])


def test_random_fills_the_box_evenly():
    points = torch.stack(torch.meshgrid(torch.arange(100.0), torch.arange(100.0), indexing="ij"), dim=-1).reshape(-1, 2)
    box = (10.0, 20.0, 30.0, 40.0)
    unit = (Random().match(("a", box), ("b", box), points) - np.array([10, 20])) / np.array([30, 40])
    assert unit.min() >= 0
    assert unit.max() <= 1
    counts = np.histogram2d(unit[:, 0], unit[:, 1], bins=5, range=[[0, 1], [0, 1]])[0]
    # 10,000 draws in 25 cells: expectation 400, standard deviation 20.
    assert abs(counts - 400).max() < 100
    assert abs(np.corrcoef(unit.T)[0, 1]) < 0.05


def test_random_changes_with_pair_and_seed_and_nothing_else():
    box, points = (0.0, 0.0, 9.0, 9.0), torch.rand(5, 2)
    base = Random().match(("a", box), ("b", box), points)
    assert np.array_equal(base, Random().match(("a", (1.0, 1.0, 2.0, 2.0)), ("b", box), points))
    for other in (Random(1).match(("a", box), ("b", box), points), Random().match(("b", box), ("a", box), points)):
        assert not np.array_equal(base, other)


def test_random_equals_its_definition_in_whole_numbers():
    """SplitMix64 of (SHA-256 of keys and seed) xor (bits of x, bits of y), in Python's integers."""
    box, mask = (0.0, 0.0, 100.0, 50.0), 2**64 - 1

    def mix(state):
        state = (state + 0x9E3779B97F4A7C15) & mask
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & mask
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & mask
        return state ^ (state >> 31)

    pair = int.from_bytes(hashlib.sha256(b"a\x00b\x003").digest()[:8], "little")
    for x, y in ((1.0, 2.0), (123.25, 0.0)):
        high, low = (struct.unpack("<I", struct.pack("<f", value))[0] for value in (x, y))
        state = mix(pair ^ (high << 32 | low))
        expected = [(mix(state) >> 11) * 2.0**-53 * 100, (mix(state ^ mask) >> 11) * 2.0**-53 * 50]
        answer = Random(3).match(("a", box), ("b", box), torch.tensor([[x, y]]))
        assert np.array_equal(answer, np.array([expected], np.float32))

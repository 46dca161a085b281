from __future__ import annotations

import numpy as np
import pytest

from geobench.errors import InputError
from geobench.flow_file import flow_size, known_pixels, read_flow
from tests.builders.raw_tss import flo_bytes


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flow1.flo"


def test_reads_what_is_stored(path):
    flow = np.random.default_rng(0).normal(0, 5, (4, 7, 2)).astype(np.float32)
    flow[1, 2], flow[3, 6, 0], flow[0, 0] = 1e10, -2e9, 0
    path.write_bytes(flo_bytes(flow))
    np.testing.assert_array_equal(read_flow(path), flow)
    assert flow_size(path) == (7, 4)
    assert np.argwhere(~known_pixels(read_flow(path))).tolist() == [[1, 2], [3, 6]]


def test_bytes_are_those_of_the_format(path):
    """Two pixels by hand: the four bytes PIEH, width 2 and height 1, then (u, v) of each."""
    path.write_bytes(b"PIEH\2\0\0\0\1\0\0\0" + np.array([1.5, -2, 0, 3], "<f4").tobytes())
    assert read_flow(path).tolist() == [[[1.5, -2], [0, 3]]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a .flo file"),
        (b"PIEH\2\0", "not a .flo file"),
        (b"HEIP" + b"\1\0\0\0" * 4, "not a .flo file"),
        (b"PIEH\0\0\0\0\1\0\0\0", "says it has 0x1 pixels"),
        (b"PIEH\xff\xff\xff\x7f\xff\xff\xff\x7f", "says it has 2147483647x2147483647 pixels"),
        (flo_bytes(np.zeros((2, 3, 2)))[:-1], "has 59 bytes, a flow of 3x2 pixels has 60"),
        (flo_bytes(np.zeros((2, 3, 2))) + b"\0", "has 61 bytes"),
        (flo_bytes(np.full((2, 3, 2), np.nan)), r"column 0, row 0: the displacement is \(nan, nan\)"),
        (flo_bytes(np.full((2, 3, 2), 1e8)), r"column 0, row 0: the displacement is \(1e\+08, 1e\+08\)"),
    ],
    ids=["empty", "head-cut", "magic", "no-width", "huge", "cut", "longer", "nan", "absurd"],
)
def test_a_bad_file_is_one_sentence(path, content, sentence):
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"flow1\.flo: .*{sentence}.*; fetch it again"):
        read_flow(path)


def test_an_absent_file(path):
    with pytest.raises(InputError, match=r"flow1\.flo: no such file"):
        read_flow(path)

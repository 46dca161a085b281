from __future__ import annotations

import contextlib
import io
import struct

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.builders.mat5 import MatError, MatVersionError, read_array
from tests.conftest import SHARED

REAL = SHARED / "data" / "pf-willow"
NUMBERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def saved(compress: bool = False, **arrays: object) -> bytes:
    """Return the bytes of a file that SciPy writes."""
    stream = io.BytesIO()
    scipy.io.savemat(stream, arrays, do_compression=compress)
    return stream.getvalue()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(2, 10), (1, 1), (3, 2, 4), (2, 0)])
def test_reads_what_scipy_writes(compress, dtype, shape):
    values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    found = read_array(saved(compress, before=np.ones(3), x="text", points=values, after=values[:1]), "points")
    assert found.shape == shape
    assert found.values.dtype == np.float64
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize(
    ("value", "kind", "shape"),
    [
        ("text", "char", (1, 4)),
        ({"a": 1.0}, "struct", (1, 1)),
        (np.array([["a", 2.0]], dtype=object), "cell", (1, 2)),
        (np.array([[1 + 2j]]), "complex", (1, 1)),
    ],
)
def test_other_arrays_have_a_kind_and_no_values(value, kind, shape):
    found = read_array(saved(points=value), "points")
    assert (found.kind, found.shape, found.values) == (kind, shape, None)


def test_an_absent_array_is_none():
    assert read_array(saved(point=np.ones(2)), "points") is None


def big_endian(values: np.ndarray) -> bytes:
    """Return a file as a big-endian machine writes it, by hand."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    flags, dimensions = struct.pack(">II", 6, 0), struct.pack(">ii", *values.shape)
    numbers = values.astype(">f8").tobytes(order="F")
    matrix = element(6, flags) + element(5, dimensions) + element(1, b"points") + element(9, numbers)
    return b"by hand".ljust(124) + b"\x01\x00MI" + element(14, matrix)


def test_big_endian_files_are_read():
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(read_array(big_endian(values), "points").values, values)
    np.testing.assert_array_equal(scipy.io.loadmat(io.BytesIO(big_endian(values)))["points"], values)


def test_version_73_and_other_files_are_told_apart():
    with pytest.raises(MatVersionError):
        read_array(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512), "points")
    for content in (b"", bytes(400), b"x" * 126, saved(points=np.ones(2))[:120]):
        with pytest.raises(MatError, match="no MATLAB level-5 header"):
            read_array(content, "points")


def test_the_type_code_that_ends_scipy_is_an_error():
    content = bytearray(saved(points=np.ones((2, 10))))
    at = content.index(struct.pack("<II", 9, 160))
    content[at + 1] = 0xFF
    with pytest.raises(MatError, match=r"element of type 65289"):
        read_array(bytes(content), "points")


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_that_is_cut_off_is_an_error_or_lacks_the_array(compress):
    content = saved(compress, points=np.random.default_rng(0).random((2, 10)))
    for length in range(len(content)):
        if length == 128:
            assert read_array(content[:length], "points") is None
            continue
        with pytest.raises(MatError):
            read_array(content[:length], "points")


@settings(max_examples=300)
@given(data=st.data(), compress=st.booleans())
def test_damaged_bytes_are_an_error_or_an_array(data, compress):
    content = bytearray(saved(compress, points=np.arange(20.0).reshape(2, 10)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(120, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MatError):
        found = read_array(bytes(content), "points")
        assert found is None or found.values is None or found.values.shape == found.shape


@pytest.mark.skipif(not REAL.is_dir(), reason="the real PF-Willow is not on this machine")
def test_real_files_are_read_as_scipy_reads_them():
    paths = sorted(REAL.glob("*/*.mat"))
    assert len(paths) == 100
    for path in paths:
        np.testing.assert_array_equal(
            read_array(path.read_bytes(), "pts_coord").values, scipy.io.loadmat(path)["pts_coord"]
        )

"""Reads one array of numbers from a MATLAB level-5 file (versions 5 to 7), checking every length and code.

SciPy's reader is not hardened against damaged files: a wrong data type code ends the whole process (scipy/scipy pull
request 25349). Source of the layout: The MathWorks, "MAT-File Format", chapter 1, Level 5 MAT-File Format.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float64

_HEADER = 128  # bytes: text, version, byte order
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = ("", "cell", "struct", "object", "char", "sparse", "double", "single", "int8", "uint8", "int16", "uint16",
            "int32", "uint32", "int64", "uint64")  # fmt: skip
_FIRST_NUMERIC = 6
_COMPLEX = 0x0800
_LARGEST_SIDE = 2**24  # numbers along one axis
_LARGEST = 2**28  # bytes of a decompressed element: keypoints take a few hundred


class MatError(ValueError):
    """The bytes are not a level-5 file, or are damaged."""


class MatVersionError(MatError):
    """A version 7.3 file, which is HDF5 inside."""


@dataclass(frozen=True)
class MatArray:
    """An array of a file.

    Attributes:
        kind: MATLAB's class, such as ``double`` or ``struct``.
        shape: number of rows, columns, and so on.
        values: as float64, None where the array does not hold real numbers.
    """

    kind: str
    shape: tuple[int, ...]
    values: Float64[np.ndarray, " *shape"] | None


def read_array(content: bytes, name: str) -> MatArray | None:
    """Return the array called ``name`` of a file of the bytes ``content``; None when there is none.

    Raises:
        MatVersionError: it is a version 7.3 file.
        MatError: it is not a level-5 file, or is damaged.
    """
    order = _byte_order(content)
    for kind, data in _elements(content[_HEADER:], order):
        if kind == _COMPRESSED:
            kind, data = next(_elements(_decompress(data), order), (0, b""))
        if kind != _MATRIX:
            raise MatError(f"an element of type {kind} where an array was expected")
        found = _array(data, order, name)
        if found is not None:
            return found
    return None


def _byte_order(content: bytes) -> str:
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER])
    if order is None:
        raise MatError("no MATLAB level-5 header")
    (version,) = struct.unpack(f"{order}H", content[124:126])
    if version == 0x0200:
        raise MatVersionError("version 7.3")
    if version != 0x0100:
        raise MatError(f"unknown version {version:#06x}")
    return order


def _decompress(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(data, _LARGEST)
    except zlib.error as error:
        raise MatError(f"compressed data is damaged: {error}") from error
    if not stream.eof:
        raise MatError("compressed data is cut off or too large")
    return content


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield (type, data) of each element of ``content``."""
    at = 0
    while at < len(content):
        if at + 8 > len(content):
            raise MatError("the file is cut off")
        kind, length = struct.unpack_from(f"{order}II", content, at)
        start = at + 8
        if kind >> 16:  # the small format: length and type in the first four bytes, data in the next four
            kind, length, start = kind & 0xFFFF, kind >> 16, at + 4
            if length > 4:
                raise MatError(f"a small element of {length} bytes")
        if start + length > len(content):
            raise MatError("the file is cut off")
        yield kind, content[start : start + length]
        padding = 0 if kind == _COMPRESSED else -(start + length) % 8
        at = start + length + padding


def _array(data: bytes, order: str, name: str) -> MatArray | None:
    """Return the array stored in an element of type matrix if it is called ``name``."""
    parts = _elements(data, order)
    flags, dimensions, called = (_part(parts, order, kinds) for kinds in ((6,), (5, 6), (1, 2)))
    if called.astype(np.uint8).tobytes() != name.encode():
        return None
    code = int(flags[0]) & 0xFF if len(flags) else 0
    sides = dimensions[(dimensions < 0) | (dimensions > _LARGEST_SIDE)]
    if not 0 < code < len(_CLASSES) or not 2 <= len(dimensions) <= 3 or len(sides):
        raise MatError(f"{name} is of class {code} with dimensions {dimensions.tolist()}")
    shape = tuple(int(size) for size in dimensions)
    if code < _FIRST_NUMERIC or int(flags[0]) & _COMPLEX:
        return MatArray("complex" if code >= _FIRST_NUMERIC else _CLASSES[code], shape, None)
    values = _part(parts, order, tuple(_NUMBERS))
    if len(values) != prod(shape):
        raise MatError(f"{name} has {len(values)} numbers for the shape {shape}")
    return MatArray(_CLASSES[code], shape, values.astype(np.float64).reshape(shape, order="F"))


def _part(parts: Iterator[tuple[int, bytes]], order: str, kinds: tuple[int, ...]) -> np.ndarray:
    """Return the numbers of the next element, whose type is one of ``kinds``."""
    kind, data = next(parts, (0, b""))
    if kind not in kinds:
        raise MatError(f"an element of type {kind}, expected {' or '.join(map(str, kinds))}")
    dtype = np.dtype(order + _NUMBERS[kind])
    if len(data) % dtype.itemsize:
        raise MatError(f"an element of {len(data)} bytes, which are no whole numbers")
    return np.frombuffer(data, dtype)

"""Sizes as people write them, and how much memory descriptions may take."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import UsageError
from geobench.evaluation import memory
from geobench.evaluation.memory import SHARE, allowed_bytes, free_bytes, parse_size, size_option, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 * 10**9),
        ("512 MB", 512 * 10**6),
        ("1.5GiB", 3 * 2**29),
        ("100kb", 10**5),
        (" 2 tb ", 2 * 10**12),
        ("700B", 700),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "8", "GB", "8 gigabytes", "-1GB", "1e9B", "8iB", "1,5GB", "0GB", "0.1B", "nanGB"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--memory .*as in 8GB"):
        parse_size(text)


@given(st.integers(1, 10**16))
def test_a_printed_size_can_be_given_and_is_enough(size: int) -> None:
    assert size <= parse_size(size_option(size)) <= max(1.11 * size, size + 1)


def test_sizes_for_people() -> None:
    sizes = (0, 999, 1000, 57_139_200, 999_999, 46_200_000_000, 12_345_678_900_000_000)
    assert list(map(size_text, sizes)) == [
        *("0 bytes", "999 bytes", "1.0 kB", "57.1 MB"),
        *("1,000.0 kB", "46.2 GB", "12,345.7 TB"),
    ]


def test_the_user_decides_and_else_a_share_of_what_is_free() -> None:
    assert allowed_bytes(123, "cpu", 45) == 123
    physical = 2**44
    assert 0 < free_bytes() < physical
    assert 0 < allowed_bytes(None, "cpu", 0) < SHARE * physical


def test_a_control_group_allows_less(tmp_path: Path) -> None:
    for name, content in (("memory.max", "5000\n"), ("memory.current", "3000\n")):
        (tmp_path / name).write_text(content)
    (tmp_path / "memory.stat").write_text("anon 1200\nfile 900\ninactive_file 700\n")
    files = (str(tmp_path), "memory.max", "memory.current", "inactive_file")
    assert memory._left_in_group(*files) == 2700
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._left_in_group(*files) == float("inf")
    assert memory._left_in_group(str(tmp_path / "absent"), *files[1:]) == float("inf")

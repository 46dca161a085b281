from __future__ import annotations

import errno
from pathlib import Path

import pytest

from geobench.errors import GeobenchError, InputError
from geobench.files import read_json_object, whole_file, whole_folder, write_text


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as temporary:
        (temporary / "a").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GeobenchError, match="disk is full"), whole_file(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_device_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GeobenchError, match="disk is full"), whole_file(tmp_path / "a") as temporary:
        temporary.symlink_to("/dev/full")
        with temporary.open("w") as stream:
            stream.write("x" * 100_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty"),
        (b'{"a": 1', "truncated"),
        (b'{"a": 1}\n{}', "extra data.*line 2, column 1"),
        (b"[1]", "found a list"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
    ],
)
def test_bad_json_says_where(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=rf"a\.json: .*{message}"):
        read_json_object(path)

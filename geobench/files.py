"""Every file is written whole: to a temporary name in the same folder, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from geobench.errors import GeobenchError, InputError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it on success and is removed on failure.

    Raises:
        GeobenchError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` on success and is removed on failure.

    An existing ``path`` is replaced only once the new folder is complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_error(path: Path, error: OSError) -> GeobenchError:
    if error.errno == errno.ENOSPC:
        return GeobenchError(f"{path}: the disk is full; nothing was left half written; free space and repeat")
    return GeobenchError(f"{path}: cannot be written ({error.strerror or error}); check the folder and repeat")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` whole."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` whole, as UTF-8."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path`` whole, as indented JSON; NaN is refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table to ``path`` whole, as Parquet; equal tables give equal bytes."""
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return the Parquet file at ``path`` as an Arrow table.

    Raises:
        InputError: the file is missing or is not Parquet.
    """
    try:
        return pq.read_table(path, columns=columns)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError, KeyError) as error:
        told = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a readable Parquet file ({told}); build or fetch it again") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object stored at ``path``.

    Raises:
        InputError: the file is missing, empty, not UTF-8, not JSON, or not an object; the message says where.
    """
    content = _read_json(path)
    if not isinstance(content, dict):
        found = {"list": "a list"}.get(type(content).__name__, f"a {type(content).__name__}")
        raise InputError(f"{path}: expected a JSON object at the top level, found {found}")
    return content


def read_json_list(path: Path) -> list[Any]:
    """Return the JSON list stored at ``path``.

    Raises:
        InputError: the file is missing, empty, not UTF-8, not JSON, or not a list; the message says where.
    """
    content = _read_json(path)
    if not isinstance(content, list):
        found = {"dict": "an object"}.get(type(content).__name__, f"a {type(content).__name__}")
        raise InputError(f"{path}: expected a JSON list at the top level, found {found}")
    return content


def _read_json(path: Path) -> Any:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not raw.strip():
        raise InputError(f"{path}: the file is empty ({len(raw)} bytes); fetch it again")
    return _parse_json(path, raw)


def _parse_json(path: Path, raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply to be a dataset; fetch the file again") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        if error.msg == "Extra data":
            raise InputError(f"{path}: extra data after the JSON document at {where}; remove it") from error
        cut = "; it looks truncated, fetch it again" if error.pos >= len(raw) - 2 or "Unterminated" in error.msg else ""
        raise InputError(f"{path}: not valid JSON at {where} ({error.msg}){cut}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"{path}: holds a number that cannot be read ({error}); fetch the file again") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file at ``path`` as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

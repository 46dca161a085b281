"""Unpacks archives safely: nothing lands outside the folder, and the folder is complete or not there."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from geobench.errors import InputError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive into ``folder``, which is created.

    Raises:
        InputError: it is no archive, is damaged, or has a member that would land outside the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        else:
            raise InputError(f"{archive}: neither a zip nor a tar archive; remove it and download it again")
    except tarfile.FilterError as error:
        raise InputError(f"{archive}: unsafe member ({error}); nothing was unpacked; tell its publisher") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{archive}: damaged archive ({error}); remove it and download it again") from error


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as pack:
        for member in pack.infolist():
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(member.external_attr >> 16):
                raise InputError(
                    f"{archive}: member {member.filename!r} would land outside the folder or is a link; nothing was "
                    "unpacked; tell its publisher"
                )
        pack.extractall(folder)  # noqa: S202 (every name was checked)

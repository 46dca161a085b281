"""Fetches the raw files of a dataset from the places its card names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from geobench.builders.transfer import check, fetch
from geobench.builders.unpack import unpack
from geobench.card import Card, Source
from geobench.errors import InputError
from geobench.files import sha256_of, whole_folder, write_text

SHA256_FILE = "SHA256SUMS"
_UNPACKED = ".unpacked"


def download(
    card: Card, folder: Path, *, offline: bool = False, show: Callable[[int, int], None] = lambda _done, _total: None
) -> list[str]:
    """Fetch and unpack what a card's sources name, and return one sentence per source.

    Archives are kept in ``folder/archives``; each is unpacked beside it once it is complete and checked. Hashes that
    nobody published are written down at the first download, in ``archives/SHA256SUMS``, and checked from then on.

    Args:
        card: of the dataset.
        folder: where to put it; the ``--source`` of ``geobench build-splits``.
        offline: open no connection; use archives that are there.
        show: called with (bytes there, bytes in total) of the file under way.

    Raises:
        InputError: nothing can be fetched without a person, a file is absent offline, or a file is not the right one.
        GeobenchError: the connection broke too often.
    """
    if not card.sources:
        raise InputError(f"{card.name}: there is nothing to fetch; geobench makes it itself")
    by_hand = [source for source in card.sources if not source.file]
    if len(by_hand) == len(card.sources):
        raise InputError(
            f"{card.name}: its files must be fetched by hand: " + "; ".join(_by_hand(source) for source in by_hand)
        )
    told = [_one(source, folder, offline, show) for source in card.sources if source.file]
    return told + [f"by hand: {_by_hand(source)}" for source in by_hand]


def _by_hand(source: Source) -> str:
    return f"{source.what} from {source.url}" + (f" ({source.note})" if source.note else "")


def _one(source: Source, folder: Path, offline: bool, show: Callable[[int, int], None]) -> str:
    path = folder / "archives" / source.file
    known = source.sha256 or _written_down(path)
    if path.is_file():
        check(path, known, str(path))
    elif offline:
        raise InputError(f"{path}: not there, and --offline opens no connection; fetch it from {source.url}")
    else:
        fetch(source.url, path, known, show)
    trusted = "SHA-256 as published" if source.sha256 else _write_down(path)
    if source.unpack:
        _unpack_whole(path, folder / source.unpack, folder)
    where = folder / source.unpack if source.unpack else path
    return f"{source.what}: {where} ({path.stat().st_size / 1e6:,.1f} MB, {trusted})"


def _unpack_whole(archive: Path, target: Path, folder: Path) -> None:
    """Unpack an archive once: beside its place first, and then moved there entry by entry."""
    mark = archive.with_name(archive.name + _UNPACKED)
    digest = sha256_of(archive)
    if mark.is_file() and mark.read_text(encoding="utf-8").strip() == digest:
        return
    staging = folder / "archives" / f"{archive.name}.contents"
    with whole_folder(staging) as temporary:
        unpack(archive, temporary)
    _merge(staging, target)
    shutil.rmtree(staging)
    write_text(mark, digest + "\n")


def _merge(source: Path, target: Path) -> None:
    """Move the entries of one folder into another; files of the same name are replaced."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        if entry.is_dir() and (target / entry.name).is_dir():
            _merge(entry, target / entry.name)
        else:
            entry.replace(target / entry.name)


def _written_down(path: Path) -> str | None:
    """Return the hash that an earlier download wrote down for a file, or None."""
    return _sums(path).get(path.name)


def _sums(path: Path) -> dict[str, str]:
    sums = path.parent / SHA256_FILE
    if not sums.is_file():
        return {}
    lines = [line.split() for line in sums.read_text(encoding="utf-8").splitlines()]
    return {line[1]: line[0] for line in lines if len(line) == 2}


def _write_down(path: Path) -> str:
    sums = _sums(path)
    if path.name in sums:
        return "SHA-256 as at the first download"
    sums[path.name] = sha256_of(path)
    write_text(path.parent / SHA256_FILE, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
    return f"no SHA-256 is published; {sums[path.name][:12]}… written to {path.parent / SHA256_FILE}"

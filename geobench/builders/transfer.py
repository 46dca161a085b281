"""Fetches one file: resumed where it broke off, complete or not there, its SHA-256 checked."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from geobench.errors import GeobenchError, InputError
from geobench.files import sha256_of
from geobench.version import __version__

ATTEMPTS = 5
_CHUNK = 1 << 20
_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def fetch(url: str, path: Path, sha256: str | None, advance: Callable[[int, int], None], wait: float = 1.0) -> None:
    """Fetch ``url`` to ``path``, going on where an earlier attempt broke off.

    What has arrived is kept in ``<path>.part``; ``path`` appears only when it is complete.

    Args:
        url: http or https.
        path: where the file is put.
        sha256: what it must have; None where nobody published it.
        advance: called with (bytes there, bytes in total, 0 where the server does not say).
        wait: seconds before the second attempt, doubled for each further one.

    Raises:
        InputError: the address is not of the web, the server refuses, or the file is not the published one.
        GeobenchError: the connection broke too often; what has arrived is kept for the next try.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url}: not an http(s) address; mend the card's [[sources]]")
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        try:
            _continue(url, part, advance)
            break
        except urllib.error.HTTPError as error:
            raise InputError(f"{url}: the server answers {error.code} {error.reason}; see the card's README") from error
        except _BROKEN as error:
            if attempt == ATTEMPTS - 1:
                raise _given_up(url, part, error) from error
            time.sleep(wait * 2**attempt)
    try:
        check(part, sha256, url)
    except InputError:
        part.unlink()
        raise
    part.replace(path)


def check(path: Path, sha256: str | None, source: str) -> None:
    """Refuse a file that has not the SHA-256 it should.

    Raises:
        InputError: it has not.
    """
    if sha256 is None:
        return
    found = sha256_of(path)
    if found != sha256:
        raise InputError(
            f"{source}: has SHA-256 {found}, it should be {sha256}; it was damaged on the way or replaced; remove "
            f"{path} if it is still there, and run the download again"
        )


def _continue(url: str, part: Path, advance: Callable[[int, int], None]) -> None:
    """Append what is missing of the file; raises where the connection ends before it is complete."""
    there = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": f"geobench/{__version__}", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the scheme is checked)
    try:
        answer = urllib.request.urlopen(request, timeout=60)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and there:
            return  # all of it had arrived; the hash tells whether it is the right file
        raise
    with answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            there = 0  # the server sends all of it again
        total = there + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if there else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                there += len(chunk)
                advance(there, total)
    if there < total:
        raise ConnectionError(f"the connection ended after {there:,} of {total:,} bytes")


def _given_up(url: str, part: Path, error: BaseException) -> GeobenchError:
    kept = f"; {part.stat().st_size:,} bytes are kept in {part}" if part.is_file() else ""
    why = getattr(error, "reason", None) or error
    return GeobenchError(
        f"{url}: cannot be fetched ({why}){kept}; run the same command again when there is a connection"
    )

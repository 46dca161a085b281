"""What can go wrong, in one plain sentence each: file, record, field, remedy."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class GeobenchError(Exception):
    """Something failed and a person can act on the message; the command line exits with 1."""

    exit_code = 1


class InputError(GeobenchError):
    """A file or record given by the user is malformed; the message names file, record, field and remedy."""


class UsageError(GeobenchError):
    """The command or call was used wrongly (unknown name, conflicting options); exit code 2."""

    exit_code = 2


class GeobenchWarning(UserWarning):
    """Work went on, but the user should know; the command line prints it as one line."""


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean …?"`` for the closest of ``known``, or the list of all when none is close."""
    names = sorted(known)
    close = get_close_matches(name, names, n=2, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known: {', '.join(names)}" if names else ""

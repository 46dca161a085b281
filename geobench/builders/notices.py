"""Notices: what the user should know although the build went on; warned about at once, and kept."""

from __future__ import annotations

import warnings
from pathlib import Path

from geobench.errors import GeobenchWarning


class Notices:
    """Collects sentences; each is also issued as a :class:`geobench.errors.GeobenchWarning`.

    Args:
        source: the folder of the raw dataset; kept sentences name files relative to it.

    Attributes:
        sentences: everything said so far, for the provenance of the benchmark.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        """Warn with ``sentence`` and keep it."""
        self.sentences.append(sentence.replace(f"{self._source}/", "").removeprefix(f"{self._source}: "))
        warnings.warn(sentence, GeobenchWarning, stacklevel=2)

"""Where things lie in a repository of results, and which files a run of it has.

results/
  benchmarks.toml                                        known benchmarks and their fingerprints
  published/*.csv, methods.toml                          numbers printed in papers
  measured/<benchmark>/<split>/<method>/<id>/            a run: run.json, predictions.parquet, scores.parquet

A run in which pairs failed also has failures.parquet, and one whose truth is flow has flow.parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from geobench.errors import InputError
from geobench.evaluation.flow_run import FLOW_FILE
from geobench.typed_toml import StrictModel, read_toml, validate

MEASURED = "measured"
PUBLISHED = "published"
BENCHMARKS = "benchmarks.toml"

RUN_FILE = "run.json"
PREDICTIONS_FILE = "predictions.parquet"
SCORES_FILE = "scores.parquet"
FILES = (RUN_FILE, PREDICTIONS_FILE, SCORES_FILE)
"""What the folder of a run must have."""

FAILURES = "failures.parquet"
OPTIONAL = (FAILURES, FLOW_FILE)
"""What it has besides where pairs failed, and where the truth is flow."""

TOLERATED = (".lock",)
"""Left behind by a run in progress; empty, and of no account."""


class KnownBenchmark(StrictModel):
    """A build of a benchmark that results may be of.

    Attributes:
        name: of the benchmark.
        card_version: of its card.
        made_by: the command that builds it.
    """

    name: str
    card_version: Annotated[int, Field(ge=1)]
    made_by: str


def known_benchmarks(folder: Path) -> dict[str, KnownBenchmark]:
    """Return the known builds by fingerprint.

    Args:
        folder: the repository of results.

    Raises:
        InputError: ``benchmarks.toml`` is missing or malformed.
    """
    path, found = folder / BENCHMARKS, {}
    if not path.is_file():
        raise InputError(f"{path}: is missing; name a repository of results, or add the file, see results/README.md")
    for fingerprint, values in read_toml(path).items():
        if not isinstance(values, dict):
            raise InputError(f"{path}: {fingerprint}: is no table; write [{fingerprint}] and its keys below")
        if len(fingerprint) != 64 or not set(fingerprint) <= set("0123456789abcdef"):
            raise InputError(f"{path}: {fingerprint}: is no fingerprint of 64 hexadecimal digits; see geobench inspect")
        found[fingerprint] = validate(values, KnownBenchmark, f"{path}: {fingerprint[:12]}")
    return found


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folder of every run below ``measured/``, sorted.

    Raises:
        InputError: a file lies outside every run, a folder holds no run, or something is a link; the message names it.
    """
    for name in (MEASURED, PUBLISHED):
        if (folder / name).exists() and not (folder / name).is_dir():
            raise InputError(f"{folder / name}: is no folder; see results/README.md for what belongs there")
    paths = sorted((folder / MEASURED).rglob("*"))
    for path in paths:
        if path.is_symlink():  # others would get a link to what they do not have
            raise InputError(f"{path}: is a link; put what it leads to in its place")
    runs = sorted({path.parent for path in paths if path.name == RUN_FILE})
    for path in paths:
        if any(run == path or run in path.parents for run in runs):
            continue
        if not path.is_dir():
            raise InputError(f"{path}: lies outside the folder of any run; remove it")
        if not any(path in run.parents for run in runs):
            raise InputError(f"{path}: holds no {RUN_FILE}; remove the folder or put the run's files back")
    yield from runs


def check_files(folder: Path) -> None:
    """Check that the folder of a run has the files of a run, and no others.

    Raises:
        InputError: a file is missing or does not belong there; the message names it.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: is missing; copy the whole folder of the run")
    for path in sorted(folder.iterdir()):
        if path.name not in (*FILES, *OPTIONAL, *TOLERATED):
            raise InputError(f"{path}: is no file of a run (they are {', '.join((*FILES, *OPTIONAL))}); remove it")
        if not path.is_file() or (path.name in TOLERATED and path.stat().st_size):
            raise InputError(f"{path}: is no {'empty ' * (path.name in TOLERATED)}file; remove it")

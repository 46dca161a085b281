"""What a run leaves behind: ``runs/<benchmark>/<split>/<method>/<id>/`` with run.json and Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from geobench.errors import InputError
from geobench.evaluation.environment import GitState
from geobench.evaluation.import_record import ImportRecord
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.score_file import read_scores
from geobench.files import read_json_object, read_table, write_json

SCHEMA_VERSION = 1
RunStatus = Literal["started", "success", "success_with_failures", "failed"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MethodRecord(_Record):
    """Which method produced the predictions, to the byte.

    Attributes:
        name: folder name of the method; ``title`` and ``setting`` are for people.
        origin: what ``--method`` named: a recipe, ``file.py:Class``, ``module:Class`` or an entry point.
        recipe: the resolved recipe; empty for a class.
        source_sha256: hash of the recipe file or of the user's source file.
        weights: name of each weight file and its SHA-256.
        knows_truth: the method was given the answer (oracle): a bound, never ranked.
        uses_mirror_index: the method was told which query points are mirror partners (marked † in tables).
        random_weights: a network had random weights; the run says nothing about the method.
    """

    name: str
    title: str
    setting: str = ""
    origin: str
    recipe: dict[str, Any] = {}
    source_sha256: str | None = None
    weights: dict[str, str] = {}
    knows_truth: bool = False
    uses_mirror_index: bool = False
    random_weights: bool = False


class BenchmarkRecord(_Record):
    """Which questions were asked: benchmark, its fingerprint, split, and the limit if one was set."""

    name: str
    split: str
    fingerprint: str
    folder: str
    limit: int | None = None


class CostRecord(_Record):
    """What it cost, over all sessions of the run.

    Descriptions that several runs share are counted in the one that needed them first.

    Attributes:
        wall_s: seconds in all. describe_s: of them, describing images. match_s: of them, matching.
        n_described: how many descriptions were made; more than there are images where memory did not hold all.
        n_planned: how many were planned, those read from a feature store included.
        n_read: how many were read from a feature store instead.
        peak_held: the most descriptions held at a time.
        description_bytes: size of a description, what it computes when first matched included; 0 if unknown.
        peak_memory_mib: peak resident memory in MiB.
    """

    wall_s: float = 0.0
    describe_s: float = 0.0
    match_s: float = 0.0
    n_described: int = 0
    n_planned: int = 0
    n_read: int = 0
    peak_held: int = 0
    description_bytes: int = 0
    peak_memory_mib: float = 0.0


class RunRecord(_Record):
    """run.json: everything needed to repeat the run and to judge whether its numbers are comparable.

    Attributes:
        status: ``started`` (unfinished or interrupted), ``success``, ``success_with_failures`` (some pairs
            failed and count as wrong), ``failed`` (every pair failed).
        protocol: the protocol in full; ``protocol_fingerprint`` is what tables compare.
        n_pairs_original: pairs in the split. n_pairs: pairs asked (after ``--limit``).
        n_pairs_effective: pairs asked that have a keypoint to predict. n_pairs_failed: see failures.parquet.
        imported: where the predictions come from, if they were made elsewhere; None for a run of geobench eval.
    """

    schema_version: int = SCHEMA_VERSION
    status: RunStatus
    id: str
    method: MethodRecord
    benchmark: BenchmarkRecord
    protocol: dict[str, Any]
    protocol_fingerprint: str
    seed: int
    device: str
    argv: list[str]
    versions: dict[str, str]
    git: GitState | None
    machine: str
    started_at: str
    finished_at: str | None = None
    cost: CostRecord = CostRecord()
    n_pairs_original: int
    n_pairs: int
    n_pairs_effective: int
    n_pairs_failed: int = 0
    first_failure: str | None = None
    imported: ImportRecord | None = None


@dataclass(frozen=True)
class Run:
    """One run on disk."""

    folder: Path
    record: RunRecord

    def predictions(self) -> Predictions:
        """Return the predictions.

        Raises:
            InputError: the run is unfinished or its file is damaged.
        """
        path = self.folder / "predictions.parquet"
        if not path.is_file():
            raise InputError(f"{self.folder}: the run is unfinished; repeat the same eval command to complete it")
        return Predictions.from_table(read_table(path), str(path))

    def scores(self) -> pd.DataFrame:
        """Return the scores in long form (columns: :func:`geobench.evaluation.scores.score`).

        ``attrs["intervals"]`` says how the intervals were made, None where there are none.

        Raises:
            InputError: the run has not been scored.
        """
        path = self.folder / "scores.parquet"
        if not path.is_file():
            raise InputError(f"{self.folder}: not scored yet; run: geobench score {self.folder}")
        return read_scores(path)

    def save_record(self) -> None:
        """Write run.json whole."""
        write_json(self.folder / "run.json", self.record.model_dump(mode="json"))


def load_run(folder: Path | str) -> Run:
    """Return the run stored in ``folder``.

    Raises:
        InputError: run.json is missing, malformed or of a newer schema, or its protocol is not that of its fingerprint.
    """
    path = Path(folder) / "run.json"
    values = read_json_object(path)
    version = values.get("schema_version", 0)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {version} of a newer geobench; upgrade geobench")
    within: tuple[str, ...] = ()
    try:
        record = RunRecord.model_validate(values)
        within = ("protocol",)
        protocol = Protocol.model_validate(record.protocol)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in (*within, *problem["loc"]))
        raise InputError(f"{path}: {key}: {problem['msg'].lower()}; run the evaluation again") from error
    if protocol.fingerprint != record.protocol_fingerprint:
        own = protocol.fingerprint[:12]
        raise InputError(f"{path}: protocol_fingerprint: is not that of the protocol, {own}; run the evaluation again")
    return Run(Path(folder), record)


def find_runs(folders: list[Path]) -> list[Run]:
    """Return every run below ``folders``, sorted by folder.

    Raises:
        InputError: a folder does not exist, or none holds a run.
    """
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; runs are written by geobench eval")
    found = sorted({path.parent.resolve() for folder in folders for path in folder.rglob("run.json")})
    if not found:
        raise InputError(f"{', '.join(map(str, folders))}: no run.json below; run geobench eval first")
    return [load_run(folder) for folder in found]

"""What run.json of a result must say: complete, unedited, of a known benchmark and protocol, in the right place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from geobench.errors import InputError
from geobench.evaluation.protocol import Protocol, find_protocol, protocol_names
from geobench.evaluation.runs import SCHEMA_VERSION, RunRecord, load_run
from geobench.files import read_json_object
from geobench.fingerprint import digest
from geobench.results.layout import MEASURED, RUN_FILE, KnownBenchmark, check_files

Problem = tuple[str, str]  # field, what is wrong with it and what to do


def check_record(root: Path, folder: Path, benchmarks: Mapping[str, KnownBenchmark]) -> RunRecord:
    """Return run.json of a result after checking it.

    Args:
        root: the repository of results.
        folder: of the run.
        benchmarks: the known builds by fingerprint.

    Raises:
        InputError: something is wrong; one sentence names the file, the field and the remedy.
    """
    record, path = load_run(folder).record, folder / RUN_FILE
    found = (_form(path), _completeness(record), _costs(record), _protocol(record))
    for problems in (*found, _benchmark(record, benchmarks), _identity(record)):
        for field, problem in problems:
            raise InputError(f"{path}: {field}: {problem}")
    check_files(folder)
    _check_place(root, folder, record)
    return record


def _form(path: Path) -> Iterator[Problem]:
    """Yield the fields whose values are of another kind: "300" for 300."""
    try:
        RunRecord.model_validate(read_json_object(path), strict=True)
    except ValidationError as error:
        found = error.errors()[0]
        yield ".".join(str(part) for part in found["loc"]), f"{found['msg'].lower()}; send the run unedited"


def _completeness(record: RunRecord) -> Iterator[Problem]:
    if record.status not in ("success", "success_with_failures"):
        yield "status", f"{record.status!r} is no finished run; repeat the same eval command to complete it"
    if (record.status == "success_with_failures") != (record.n_pairs_failed > 0):
        yield "status", f"{record.status!r} contradicts n_pairs_failed = {record.n_pairs_failed}; send the run unedited"
    if (record.first_failure is None) != (record.n_pairs_failed == 0):
        yield "first_failure", f"contradicts n_pairs_failed = {record.n_pairs_failed}; send the run unedited"
    if record.finished_at is None:
        yield "finished_at", "is empty; repeat the same eval command to complete the run"
    if record.benchmark.limit is not None:
        yield "benchmark.limit", f"{record.benchmark.limit} pairs are a part of the split; run it without --limit"
    if record.n_pairs != record.n_pairs_original:
        yield "n_pairs", f"{record.n_pairs} of {record.n_pairs_original} pairs are a part of the split; run all of them"
    if not 0 <= record.n_pairs_failed <= record.n_pairs_effective <= record.n_pairs:
        yield "n_pairs_effective", "failed, effective and asked pairs do not add up; send the run unedited"
    if record.method.random_weights:
        yield "method.random_weights", "a network had random weights, so the run says nothing; run it with real ones"


def _costs(record: RunRecord) -> Iterator[Problem]:
    if record.schema_version != SCHEMA_VERSION:
        yield "schema_version", f"{record.schema_version} is not {SCHEMA_VERSION}; send the run unedited"
    for name, value in record.cost:
        if not 0 <= value < math.inf:
            yield f"cost.{name}", f"{value:g} is no cost; send the run unedited"
    times = []
    for name, told in (("started_at", record.started_at), ("finished_at", record.finished_at)):
        try:
            times.append(datetime.fromisoformat(told or "").astimezone(UTC))
        except ValueError:
            yield name, f"{(told or '')[:40]!r} is no time, as 2026-11-25T22:47:48+00:00; send the run unedited"
    if times != sorted(times):
        yield "finished_at", "is before started_at; send the run unedited"


def _protocol(record: RunRecord) -> Iterator[Problem]:
    protocol = Protocol.model_validate(record.protocol)  # load_run has checked it and its fingerprint
    presets = {find_protocol(name).fingerprint: name for name in protocol_names()}
    if protocol.fingerprint not in presets:
        yield "protocol.name", f"{protocol.name!r} counts as no preset of geobench protocols does; use a preset"
    elif protocol.name != presets[protocol.fingerprint]:
        own = presets[protocol.fingerprint]
        yield "protocol.name", f"{protocol.name!r} is {own!r} by its fingerprint; use the preset, or send it unedited"


def _benchmark(record: RunRecord, benchmarks: Mapping[str, KnownBenchmark]) -> Iterator[Problem]:
    asked = record.benchmark
    known = benchmarks.get(asked.fingerprint)
    if known is None:
        yield (
            "benchmark.fingerprint",
            f"{asked.fingerprint[:12]} is not in benchmarks.toml; add it, with how it is built",
        )
    elif known.name != asked.name:
        yield "benchmark.name", f"{asked.name!r} is {known.name!r} by its fingerprint; send the run unedited"


def _identity(record: RunRecord) -> Iterator[Problem]:
    recipe = record.method.recipe
    for name, told in (("title", record.method.title), ("setting", record.method.setting)):
        if recipe.get(name, told) != told:
            yield f"method.{name}", f"{told!r} is {recipe[name]!r} in the recipe; send the run unedited"
    expected = record_id(record)
    if record.id != expected:
        yield "id", f"{record.id!r} should be {expected!r} by what the file says; send the run unedited"


def record_id(record: RunRecord) -> str:
    """Return the id that a run of this record has, as Job.id makes it, or importing makes that of an imported one."""
    method, asked = record.method, record.benchmark
    version, imported = record.versions.get("geobench"), record.imported
    if imported is not None:
        protocol = record.protocol_fingerprint
        made_of = [version, asked.fingerprint, asked.split, protocol, method.name, imported.sha256, imported.frame]
        return digest(["import", *made_of])[:12]
    what = {
        "geobench": version,
        "benchmark": asked.fingerprint,
        "split": asked.split,
        "pairs": record.n_pairs,
        "protocol": record.protocol_fingerprint,
        "method": [method.name, method.origin, method.recipe, method.source_sha256, method.weights],
        "seed": record.seed,
        "device": record.device,
    }
    return digest(what)[:12]


def _check_place(root: Path, folder: Path, record: RunRecord) -> None:
    wanted = Path(MEASURED, record.benchmark.name, record.benchmark.split, record.method.name, record.id)
    if folder.relative_to(root) != wanted:
        raise InputError(f"{folder / RUN_FILE}: id: the run belongs in {root / wanted}; move its folder there")

"""Makes a run of a file of predictions that another program wrote."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError, UsageError
from geobench.evaluation import environment
from geobench.evaluation.answer_frames import check_frame, frame_name, in_image
from geobench.evaluation.answer_rows import keypoint_numbers, nth_keypoints, pair_numbers
from geobench.evaluation.coverage import answers_in_order, failed_rows, keypoint_name, pair_label
from geobench.evaluation.flow_run import has_flow
from geobench.evaluation.import_checks import check_fingerprint, check_run_beside
from geobench.evaluation.import_record import ImportRecord
from geobench.evaluation.prediction_file import read_answer_rows
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Frame, Protocol
from geobench.evaluation.queries import Queries, in_direction, queries
from geobench.evaluation.run_record import now
from geobench.evaluation.runs import BenchmarkRecord, MethodRecord, Run, RunRecord, RunStatus
from geobench.files import sha256_of, whole_folder, write_table
from geobench.fingerprint import digest
from geobench.version import __version__


@dataclass(frozen=True)
class Import:
    """What is imported, and what is said of it.

    Attributes:
        path: the file.
        benchmark: what it answers.
        split: which pairs.
        protocol: which questions, and how they are counted.
        name: folder name of the method, made of ``a-z 0-9 . _ -``.
        title, setting: for tables; the name where there is no title.
        source: who or what made the file.
        frame: of its coordinates.
        fingerprint: of the benchmark that it was made for, or how that begins; None where nobody knows.
        uses_mirror_index: the method was told which query points are mirror partners.
        allow_nan: NaN stands for a failure of the method and counts as wrong.
        check_frame: refuse coordinates that another frame would fit much better.
    """

    path: Path
    benchmark: Benchmark
    split: str
    protocol: Protocol
    name: str
    title: str = ""
    setting: str = ""
    source: str = ""
    frame: Frame = Frame()  # noqa: RUF009 -- frozen
    fingerprint: str | None = None
    uses_mirror_index: bool = False
    allow_nan: bool = False
    check_frame: bool = True


def import_predictions(wanted: Import, root: Path) -> Run:
    """Check a file of predictions against the split, write it as a run, and return the run; it is not scored yet.

    The same file imported in the same way makes the same run again.

    Args:
        wanted: what to import.
        root: the folder ``runs/``.

    Raises:
        UsageError: the name cannot be that of a folder, the title, setting or source is not one line, the format is
            unknown, or there is no such split.
        InputError: the file does not answer every question of the split exactly once, was made for another benchmark
            or is in another frame; nothing is written then.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", wanted.name):
        raise UsageError(f"--name {wanted.name!r}: must be made of a-z 0-9 . _ - and begin with a letter or digit")
    for option in ("title", "setting", "source"):
        if not str(getattr(wanted, option)).isprintable():
            raise UsageError(f"--{option}: must be one line of printable text, for tables")
    if has_flow(wanted.benchmark):
        raise InputError(f"{wanted.benchmark.name}: is counted on the flow of every pixel, which is not imported")
    pairs = wanted.benchmark.split(wanted.split)
    asked = queries(wanted.benchmark, pairs, wanted.protocol)
    check_run_beside(wanted.path, wanted.benchmark, wanted.split)
    points, failed = _answers(wanted, pairs, asked)
    record = _record(wanted, pairs, asked, failed)
    folder = root / wanted.benchmark.name / wanted.split / wanted.name / record.id
    with whole_folder(folder) as temporary:
        write_table(temporary / "predictions.parquet", Predictions.of(asked, points).to_table())
        if failed.any():
            write_table(temporary / "failures.parquet", _failures(asked, failed))
        Run(temporary, record).save_record()
    return Run(folder, record)


def _answers(wanted: Import, pairs: Pairs, asked: Queries) -> tuple[Float64[np.ndarray, "q 2"], Bool[np.ndarray, " q"]]:
    """Return the answer to each question, (x, y) in pixels of the original image, and which are NaN."""
    where, benchmark = str(wanted.path), wanted.benchmark
    rows, turned = read_answer_rows(wanted.path), in_direction(pairs, wanted.protocol)
    check_fingerprint(rows.fingerprint, benchmark, f"{where}: its array fingerprint")
    check_fingerprint(wanted.fingerprint, benchmark, f"{where}: --fingerprint")
    pair = pair_numbers(rows, benchmark, turned, where)
    if rows.nth:
        keypoint = nth_keypoints(rows.keypoint, pair, asked, where)
    else:
        keypoint = keypoint_numbers(rows, pair, benchmark, turned, where)
    label, name = pair_label(benchmark, turned), keypoint_name(benchmark, turned)
    kept = np.isin(pair * _WIDE + keypoint, asked.pair.astype(np.int64) * _WIDE + asked.keypoint) | (not rows.dense)
    order = answers_in_order(pair[kept], keypoint[kept], asked, label, name, where)
    points = rows.points[kept][order]
    failed = failed_rows(points, asked, label, wanted.allow_nan, where)
    return _in_image(points, failed, asked, wanted), failed


_WIDE = 1 << 32  # more keypoints than any file has


def _in_image(
    points: Float64[np.ndarray, "q 2"], failed: Bool[np.ndarray, " q"], asked: Queries, wanted: Import
) -> Float64[np.ndarray, "q 2"]:
    table, row = wanted.benchmark.instances, asked.answer_row[asked.pair]
    known = bool(((table.width[row] > 0) & (table.height[row] > 0)).all())
    columns = (table.width, table.height) if known or wanted.frame.kind == "original" else table.image_sizes()
    sizes = np.stack([column[row] for column in columns], axis=1).astype(np.float64)
    if wanted.check_frame and known:
        there = ~failed
        truth = asked.truth[there].astype(np.float64)
        check_frame(points[there], wanted.frame, truth, sizes[there], str(wanted.path))
    return in_image(points, wanted.frame, sizes)


def _failures(asked: Queries, failed: Bool[np.ndarray, " q"]) -> pa.Table:
    pair = np.unique(asked.pair[failed])
    reason = ["NaN in the imported file"] * len(pair)
    return pa.table({"pair": pa.array(pair, pa.int32()), "reason": pa.array(reason, pa.string())})


def _record(wanted: Import, pairs: Pairs, asked: Queries, failed: Bool[np.ndarray, " q"]) -> RunRecord:
    sha256, at = sha256_of(wanted.path), now()
    frame = frame_name(wanted.frame)
    n_asked, n_failed = len(np.unique(asked.pair)), len(np.unique(asked.pair[failed]))
    status: RunStatus = "success" if not n_failed else "failed" if failed.all() else "success_with_failures"
    benchmark, protocol = wanted.benchmark, wanted.protocol
    what = [__version__, benchmark.fingerprint, wanted.split, protocol.fingerprint, wanted.name, sha256, frame]
    return RunRecord(
        status=status,
        id=digest(["import", *what])[:12],
        method=MethodRecord(
            name=wanted.name,
            title=wanted.title or wanted.name,
            setting=wanted.setting,
            origin=f"imported from {wanted.path.name}",
            source_sha256=sha256,
            uses_mirror_index=wanted.uses_mirror_index,
        ),
        benchmark=BenchmarkRecord(
            name=benchmark.name,
            split=wanted.split,
            fingerprint=benchmark.fingerprint,
            folder=str(benchmark.folder or ""),
        ),
        protocol=protocol.model_dump(mode="json"),
        protocol_fingerprint=protocol.fingerprint,
        seed=0,
        device="unknown",
        argv=sys.argv,
        versions=environment.package_versions(),
        git=environment.git_state(),
        machine=environment.machine(),
        started_at=at,
        finished_at=at,
        n_pairs_original=len(pairs),
        n_pairs=len(pairs),
        n_pairs_effective=n_asked,
        n_pairs_failed=n_failed,
        first_failure="NaN in the imported file" if n_failed else None,
        imported=ImportRecord(
            file=wanted.path.name,
            sha256=sha256,
            frame=frame,
            source=wanted.source,
            by=f"geobench import {__version__}",
            at=at,
        ),
    )

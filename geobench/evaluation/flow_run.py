"""Measures a method's dense flow on a benchmark whose truth is flow: every pixel of both images of a pair is asked.

An ordinary run of the same job comes first, on the benchmark's few keypoints (:mod:`geobench.evaluation.runner`); its
folder gets ``flow.parquet``: what was counted in each pair. The flows themselves, some gigabytes, are not kept.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.flow import flow_hits, foreground, overlap, pixel_centres
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import load_run
from geobench.evaluation.scores import threshold_sizes
from geobench.files import read_table, write_table
from geobench.flow_file import known_pixels, read_flow
from geobench.image_file import read_image
from geobench.progress import progress_bar
from geobench.seeding import seed_everything, seed_for

FLOW_FILE = "flow.parquet"
_PART = "flow-part.parquet"  # while the run is under way
CHUNK = 4096  # pixels matched at a time: a matcher may compare each of them with thousands of places
_SECONDS = 5.0  # how much work may be lost when the process is killed
_AS_DEFINED: dict[str, Any] = {
    "direction": "source-to-target",
    "box": "target",
    "occluded": "as-is",
    "query_rounding": "none",
    "sampling": None,
}


def has_flow(benchmark: Benchmark) -> bool:
    """Return whether the truth of a benchmark is the flow of every pixel; the rows' records are its files then."""
    return benchmark.recipe.get("truth") == "flow"


def refuse_flow(benchmark: Benchmark, what: str) -> None:
    """Refuse what is done with keypoints only, ``what`` being a verb and its object, where the truth is flow.

    Raises:
        InputError: the truth of the benchmark is flow.
    """
    if has_flow(benchmark):
        raise InputError(
            f"{benchmark.name}: its truth is flow, not keypoints, so there is nothing to {what}; use geobench "
            "leaderboard"
        )


def check_flow_protocol(protocol: Protocol) -> None:
    """Refuse a protocol by which flow cannot be counted.

    Raises:
        UsageError: it measures in another frame, asks in the other direction, changes points, or draws pairs.
    """
    other = [name for name, value in _AS_DEFINED.items() if getattr(protocol, name) != value]
    other += ["frame"] if protocol.frame.kind != "original" else []
    if other:
        raise UsageError(
            f"protocol {protocol.name!r} has another {other[0]} than flow is counted with; use --protocol default, or "
            "a .toml file that differs in alphas, comparison, arithmetic or size only"
        )


def measure_flow(job: Job, folder: Path) -> None:
    """Count the method's flow in every pair of a job, and write ``flow.parquet``; what is there already is kept.

    Args:
        job: on a benchmark that has flow.
        folder: of its run, which has been made.

    Raises:
        UsageError: the protocol does not fit flow.
        InputError: an image, a flow or a mask is missing or damaged.
    """
    check_flow_protocol(job.protocol)
    if (folder / FLOW_FILE).is_file():
        return
    measured = _Measurement(job, folder)
    rows = job.pair_rows().tolist()
    with progress_bar(len(rows), f"flow of {job.method.name} on {job.split}", "pair") as advance:
        try:
            for row in rows:
                measured.pair(row)
                advance(1)
        finally:
            measured.flush()
    (folder / _PART).replace(folder / FLOW_FILE)


class _Measurement:
    """The counts of one job, pair by pair, on their way to disk."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self.folder = job, folder
        self.pairs = job.benchmark.split(job.split)
        self.sizes = threshold_sizes(job.benchmark, job.protocol)
        self.descriptions = Descriptions(job.method, job.benchmark, job.seed)
        self.flows: dict[tuple[int, int], np.ndarray] = {}
        part = folder / _PART
        self.counts: list[dict[str, Any]] = read_table(part).to_pylist() if part.is_file() else []
        self.done = {one["pair"] for one in self.counts}
        self.started = self.since = time.perf_counter()
        self.prepared = False

    def pair(self, row: int) -> None:
        """Count one pair, unless an earlier attempt did."""
        if row in self.done:
            return
        source, target = int(self.pairs.source[row]), int(self.pairs.target[row])
        there, back = self._flow(source, target), self._flow(target, source)
        table, root = self.job.benchmark.instances, self.job.benchmark.image_root
        truth = _truth(self.job.benchmark, source)
        hits, points = flow_hits(there, truth, float(self.sizes[target]), self.job.protocol)
        mask = read_image(root / str(table.mask[source]), "L") > 127
        common, either = overlap(foreground(there, back), mask)
        counted = {"pair": row, "points": points, "hits": hits.tolist(), "intersection": common, "union": either}
        self.counts.append(counted)
        if time.perf_counter() - self.since >= _SECONDS:
            self.flush()

    def _flow(self, source: int, target: int) -> Float32[np.ndarray, "h w 2"]:
        """Return the flow from one image to another; the two flows of a pair are kept until the next pair comes."""
        if (source, target) in self.flows:
            return self.flows[source, target]
        kept = {rows: flow for rows, flow in self.flows.items() if set(rows) == {source, target}}
        self.descriptions.forget([one for one in self.descriptions.held if one not in (source, target)])
        self._prepare()
        width, height = (
            int(self.job.benchmark.instances.width[source]),
            int(self.job.benchmark.instances.height[source]),
        )
        try:
            ends = self._ends(source, target, pixel_centres(width, height))
        except (InputError, MemoryError):
            raise
        except Exception:  # the ordinary run says which pairs fail and why; here every pixel of one is wrong
            ends = np.full((width * height, 2), np.nan, np.float32)
        self.flows = kept | {(source, target): (ends - pixel_centres(width, height)).reshape(height, width, 2)}
        return self.flows[source, target]

    def _ends(self, source: int, target: int, starts: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 2"]:
        method, names = self.job.method, self.job.benchmark.instances.id[[source, target]]
        described = self.descriptions.of(source), self.descriptions.of(target)
        seed_everything(seed_for(self.job.seed, *map(str, names)))
        truth = _true_ends(self.job.benchmark, source, starts) if method.knows_truth else starts
        answers = []
        for begin in range(0, len(starts), CHUNK):
            at = slice(begin, begin + CHUNK)
            asked = starts[at]
            # Pixels have no left and right of their own: each is its own mirror partner.
            answers.append(method.predict(*described, asked, truth=truth[at], partner=np.arange(len(asked))))
        return np.concatenate(answers)

    def _prepare(self) -> None:
        """Show a collection-level method every image of each category, once."""
        if self.prepared:
            return
        self.prepared = True
        rows = np.unique(np.concatenate([self.pairs.source, self.pairs.target]))
        categories = self.job.benchmark.instances.category[rows]
        for category in np.unique(categories):
            pictures = [self.job.benchmark.picture(int(row)) for row in rows[categories == category]]
            self.job.method.prepare(pictures)

    def flush(self) -> None:
        """Write what has been counted, and what it took into the run's record."""
        rows = sorted(self.counts, key=lambda one: one["pair"])
        write_table(self.folder / _PART, pa.Table.from_pylist(rows, schema=_schema(len(self.job.protocol.alphas))))
        run = load_run(self.folder)
        seconds, self.started = time.perf_counter() - self.started, time.perf_counter()
        run.record.cost.wall_s = round(run.record.cost.wall_s + seconds, 3)
        run.save_record()
        self.since = time.perf_counter()


def _schema(alphas: int) -> pa.Schema:
    hits = ("hits", pa.list_(pa.int64(), alphas))
    return pa.schema(
        [("pair", pa.int32()), ("points", pa.int64()), hits, ("intersection", pa.int64()), ("union", pa.int64())]
    )


def _truth(benchmark: Benchmark, row: int) -> Float32[np.ndarray, "h w 2"]:
    return read_flow(benchmark.image_root / str(benchmark.instances.record[row]))


def _true_ends(benchmark: Benchmark, row: int, starts: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 2"]:
    """Return where pixels truly lie in the other image; where that is unknown, their own place."""
    truth = _truth(benchmark, row)
    return starts + np.where(known_pixels(truth)[..., None], truth, np.float32(0)).reshape(-1, 2)

"""Heat maps of chosen keypoints: how similar each cell of the target's grid is to the keypoint of the source image.

A view for figures, made after a run and apart from it: predictions and scores do not depend on it. One file per
keypoint, ``similarity/<keypoint>.parquet`` in the run's folder, one row per pair that asks for the keypoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float16, Int

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError, nearest_names
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.job import Job
from geobench.evaluation.queries import Queries, queries
from geobench.evaluation.row_lists import RowLists, rows_of_groups
from geobench.evaluation.runs import Run
from geobench.evaluation.walk import Walk
from geobench.features.letterbox import Letterbox
from geobench.files import read_table, write_table
from geobench.methods.base import LoadedMethod
from geobench.progress import progress_bar

FOLDER = "similarity"
_FRAME = ("scale", "offset", "size", "content", "image")


@dataclass(frozen=True, eq=False)
class SimilarityMap:
    """The heat map of one keypoint of one pair.

    Attributes:
        pair: number of the pair in the split.
        values: similarity of each cell of the target's grid, row by row.
        letterbox: how the target image entered the frame that the grid covers evenly.
    """

    pair: int
    values: Float16[np.ndarray, "h w"]
    letterbox: Letterbox


def check_similarity(method: LoadedMethod, benchmark: Benchmark, keypoints: Sequence[str]) -> None:
    """Refuse what cannot be saved, before hours of work.

    Raises:
        UsageError: the method offers no similarity, or no skeleton of the benchmark has a keypoint of such a name.
    """
    _similarity_of(method)
    known = sorted({name for skeleton in benchmark.skeletons.values() for name in skeleton.names})
    for name in keypoints:
        if name not in known:
            raise UsageError(
                f"--save-similarity: {benchmark.name} has no keypoint {name!r}{nearest_names(name, known)}"
            )


def save_similarity(job: Job, run: Run, keypoints: Sequence[str], memory: int | None = None) -> list[Path]:
    """Write the heat maps of ``keypoints`` for every pair of a finished run that asks for them; return the files.

    Images are described once more; keypoints whose file exists are left as they are.

    Args:
        job: what was run.
        run: its run; the files go into its folder.
        keypoints: names of the skeleton.
        memory: how many bytes all descriptions together may take; None for half of the free memory.

    Raises:
        UsageError: see :func:`check_similarity`.
    """
    check_similarity(job.method, job.benchmark, keypoints)
    paths = {name: run.folder / FOLDER / f"{name}.parquet" for name in dict.fromkeys(keypoints)}
    missing = [name for name, path in paths.items() if not path.is_file()]
    for name, table in _tables(job, missing, memory).items() if missing else ():
        write_table(paths[name], table)
    return list(paths.values())


def load_similarity(run: Run, keypoint: str) -> dict[int, SimilarityMap]:
    """Return the heat maps of one keypoint, by the number of the pair in the split.

    Raises:
        InputError: they were not saved.
    """
    path = run.folder / FOLDER / f"{keypoint}.parquet"
    if not path.is_file():
        saved = ", ".join(sorted(file.stem for file in (run.folder / FOLDER).glob("*.parquet"))) or "none"
        raise InputError(f"{path}: not saved (saved: {saved}); run geobench eval with --save-similarity {keypoint}")
    rows = read_table(path).to_pylist()
    return {row["pair"]: _map(row) for row in rows}


def _map(row: dict[str, Any]) -> SimilarityMap:
    width, height = row["grid"]
    values = np.frombuffer(row["similarity"], "<f2").reshape(height, width)
    return SimilarityMap(row["pair"], values, Letterbox(**{key: tuple(row[key]) for key in _FRAME}))


def _similarity_of(method: LoadedMethod) -> Callable[..., Any]:
    similarity: Callable[..., Any] | None = getattr(method.method, "similarity", None)
    if similarity is None:
        raise UsageError(
            f"--save-similarity needs a recipe of [[features]] and [matcher] without [alignment]; {method.name} offers "
            "no similarity"
        )
    return similarity


def _tables(job: Job, keypoints: Sequence[str], memory: int | None) -> dict[str, pa.Table]:
    rows = job.pair_rows()
    pairs = job.benchmark.split(job.split).take(rows)
    asked = queries(job.benchmark, pairs, job.protocol)
    columns = _columns(job.benchmark, pairs.category[asked.pair], asked, keypoints)
    chosen = np.unique(asked.pair[columns >= 0])
    descriptions = Descriptions(job.method, job.benchmark, job.seed)
    groups = rows_of_groups(asked, RowLists(np.arange(len(chosen) + 1), chosen))
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in keypoints}
    with progress_bar(len(chosen), f"similarity on {job.split}", "pair") as advance:
        for pair in (chosen[number] for number in Walk(descriptions, groups, memory)):
            at = np.flatnonzero((asked.pair == pair) & (columns >= 0))
            source, target = int(asked.query_row[pair]), int(asked.answer_row[pair])
            for row, maps in zip(at, _maps(job.method, descriptions, source, target, asked.points[at]), strict=True):
                found[keypoints[columns[row]]].append({"pair": int(rows[pair])} | maps)
            advance(1)
    return {
        name: pa.Table.from_pylist(some, _SCHEMA).sort_by("pair")  # whatever order memory allowed
        for name, some in found.items()
    }


_SCHEMA = pa.schema(
    [("pair", pa.int32()), ("similarity", pa.binary()), ("grid", pa.list_(pa.int32(), 2))]
    + [(name, pa.list_(pa.float64() if name in ("scale", "offset") else pa.int32(), 2)) for name in _FRAME]
)


def _columns(
    benchmark: Benchmark, labels: np.ndarray, asked: Queries, keypoints: Sequence[str]
) -> Int[np.ndarray, " r"]:
    """Return for each question the position among ``keypoints`` of the keypoint it asks for, or -1."""
    columns = np.full(len(asked), -1)
    for label in np.unique(labels):
        names = benchmark.skeleton(str(label)).names
        numbers = np.array([keypoints.index(name) if name in keypoints else -1 for name in names])
        rows = labels == label
        columns[rows] = numbers[asked.keypoint[rows]]
    return columns


def _maps(
    method: LoadedMethod, descriptions: Descriptions, source: int, target: int, points: np.ndarray
) -> list[dict[str, Any]]:
    from torch import from_numpy

    described = descriptions.of(source), descriptions.of(target)
    similarity = _similarity_of(method)(*described, from_numpy(points)).cpu().numpy().astype("<f2")
    box = described[1].letterbox
    frame = {"grid": list(described[1].grid)} | {name: list(getattr(box, name)) for name in _FRAME}
    return [{"similarity": values.tobytes()} | frame for values in similarity]

"""Writes a split as a folder for people who only want to predict: images, pairs and query points, never the truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
from jaxtyping import Int

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError
from geobench.evaluation.flow_run import has_flow
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, in_direction, queries
from geobench.evaluation.task_text import readme
from geobench.files import whole_folder, write_json, write_table
from geobench.version import __version__

FORMAT_VERSION = 1
Images = Literal["copy", "link"]


def export_task(
    benchmark: Benchmark,
    split: str,
    folder: Path,
    protocol: Protocol,
    images: Images | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write what a protocol asks of a split to ``folder`` (whole, or not at all); return the folder.

    It gets README.md, task.json, and as CSV and Parquet alike ``images``, ``pairs`` and ``queries``, whose points are
    (x, y) in pixels of the original image. Pairs without a question are left out.

    Args:
        benchmark: what to export.
        split: its name.
        folder: must not exist, or be empty.
        protocol: decides which points are asked, and which way.
        images: copy the images and masks into the folder, link them, or leave them where they are.
        progress: called with (done, total) numbers of copied or linked files.

    Raises:
        InputError: the folder is not empty or is the current one, an image is absent, or the truth of the benchmark
            is flow.
        GeobenchError: the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not empty; choose another folder")
    if folder.resolve() == Path.cwd():  # it is replaced as a whole, which would pull it from under the shell
        raise InputError(f"{folder}: is the folder you are in; name a new one in it")
    if has_flow(benchmark):
        raise InputError(f"{benchmark.name}: is counted on the flow of every pixel, which cannot be imported")
    pairs = benchmark.split(split)
    asked, turned = queries(benchmark, pairs, protocol), in_direction(pairs, protocol)
    shown = np.unique(asked.pair)
    rows = np.unique(np.concatenate([turned.source[shown], turned.target[shown]]))
    tables = {
        "images": _images(benchmark, rows),
        "pairs": _pairs(benchmark, turned, asked, shown),
        "queries": _queries(benchmark, turned, asked),
    }
    with whole_folder(folder) as temporary:
        for name, table in tables.items():
            write_table(temporary / f"{name}.parquet", table)
            pyarrow.csv.write_csv(table, temporary / f"{name}.csv", pyarrow.csv.WriteOptions(quoting_style="needed"))
        if images:
            _place(benchmark, rows, temporary, images, progress)
        counts = {name: table.num_rows for name, table in tables.items()}
        write_json(temporary / "task.json", _header(benchmark, split, protocol, counts, images))
        (temporary / "README.md").write_text(readme(benchmark, split, protocol, counts, images), encoding="utf-8")
    return folder


def _header(
    benchmark: Benchmark, split: str, protocol: Protocol, counts: dict[str, int], images: Images | None
) -> dict[str, object]:
    return {
        "format_version": FORMAT_VERSION,
        "geobench": __version__,
        "benchmark": benchmark.name,
        "fingerprint": benchmark.fingerprint,
        "split": split,
        "protocol": protocol.name,
        "questions_fingerprint": protocol.queries_fingerprint,
        "with_images": images is not None,
        **counts,
    }


def _images(benchmark: Benchmark, rows: Int[np.ndarray, " n"]) -> pa.Table:
    table = benchmark.instances
    box = {
        name: pa.array(table.bbox[rows, at]) for at, name in enumerate(("box_x", "box_y", "box_width", "box_height"))
    }
    return pa.table(
        {
            "image": pa.array(table.id[rows].tolist(), pa.string()),
            "file": pa.array([_path(str(path)) for path in table.image[rows]], pa.string()),
            "width": pa.array(table.width[rows]),
            "height": pa.array(table.height[rows]),
            "category": pa.array(table.category[rows].tolist(), pa.string()),
            **box,
            "mask": pa.array([_path(str(path)) if path else "" for path in table.mask[rows]], pa.string()),
        }
    )


def _pairs(benchmark: Benchmark, turned: Pairs, asked: Queries, shown: Int[np.ndarray, " n"]) -> pa.Table:
    ids = benchmark.instances.id
    return pa.table(
        {
            "pair": pa.array(shown, pa.int32()),
            "source": pa.array(ids[turned.source[shown]].tolist(), pa.string()),
            "target": pa.array(ids[turned.target[shown]].tolist(), pa.string()),
            "category": pa.array(turned.category[shown].tolist(), pa.string()),
            "points": pa.array(np.bincount(asked.pair, minlength=len(turned))[shown], pa.int32()),
        }
    )


def _queries(benchmark: Benchmark, turned: Pairs, asked: Queries) -> pa.Table:
    names = np.empty(len(asked), dtype=object)
    for label in np.unique(turned.category):
        of_label = turned.category[asked.pair] == label
        known = np.array(benchmark.skeleton(str(label)).names, dtype=object)
        names[of_label] = known[asked.keypoint[of_label]]
    ids = benchmark.instances.id
    return pa.table(
        {
            "pair": pa.array(asked.pair),
            "source": pa.array(ids[turned.source[asked.pair]].tolist(), pa.string()),
            "target": pa.array(ids[turned.target[asked.pair]].tolist(), pa.string()),
            "keypoint": pa.array(asked.keypoint),
            "name": pa.array(names.tolist(), pa.string()),
            "x": pa.array(asked.points[:, 0]),
            "y": pa.array(asked.points[:, 1]),
        }
    )


def _path(path: str) -> str:
    """Return where a file of the dataset lies in the folder: its own path, unless that leads out of the folder."""
    parts = [part for part in Path(path).parts if part not in ("..", "/", ".")]
    return "/".join(("images", *parts))


def _place(
    benchmark: Benchmark,
    rows: Int[np.ndarray, " n"],
    folder: Path,
    images: Images,
    progress: Callable[[int, int], None] | None,
) -> None:
    table = benchmark.instances
    names = sorted({str(name) for column in (table.image, table.mask) for name in column[rows] if name})
    absent = [name for name in names if not (benchmark.image_root / name).is_file()]
    if absent:
        raise InputError(
            f"{benchmark.image_root / absent[0]}: no such image ({len(absent)} of {len(names)} are absent); "
            "fetch them, point --images at their folder, or leave --with-images out"
        )
    for done, name in enumerate(names, 1):
        source, place = (benchmark.image_root / name).resolve(), folder / _path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if images == "copy":
            shutil.copyfile(source, place)
        else:
            place.symlink_to(source)
        if progress:
            progress(done, len(names))

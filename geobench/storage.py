"""The file format of a benchmark: benchmark.json + instances.parquet + pairs/<split>.parquet.

Readable by pandas, DuckDB or Hugging Face datasets with no geobench installed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.errors import InputError
from geobench.files import read_json_object, read_table, whole_folder, write_json, write_table
from geobench.instances import Instances
from geobench.skeleton import Skeleton
from geobench.typed_toml import validate
from geobench.version import __version__

FORMAT_VERSION = 1
_PAIR_COLUMNS = ("source", "target", "category", "mutual", "geometry_aware")
_TEXT_COLUMNS = ("id", "image", "category", "family", "mask", "record")


def save_benchmark(benchmark: Benchmark, folder: Path) -> Path:
    """Write ``benchmark`` to ``folder`` whole; an existing benchmark there is replaced at the end.

    Raises:
        InputError: ``folder`` exists and holds something that is not a benchmark.
    """
    folder = folder.resolve()
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "benchmark.json").is_file())
    ):
        raise InputError(f"{folder}: exists and is not a benchmark; choose another --out, or empty it")
    with whole_folder(folder) as temporary:
        write_table(temporary / "instances.parquet", _instances_table(benchmark.instances))
        for name, pairs in benchmark.splits.items():
            write_table(temporary / "pairs" / f"{name}.parquet", _pairs_table(benchmark, pairs))
        write_json(temporary / "benchmark.json", _header(benchmark, folder))
    return folder


def load_benchmark_folder(folder: Path) -> Benchmark:
    """Return the benchmark stored in ``folder``; its content is checked against its fingerprint.

    Raises:
        InputError: something is missing, malformed, changed since it was built, or of a newer format.
    """
    path = folder / "benchmark.json"
    header = read_json_object(path)
    _check_format(path, header)
    try:
        skeletons = {category: Skeleton.from_dict(values) for category, values in header["skeletons"].items()}
        benchmark = Benchmark(
            name=header["name"],
            card=validate(header["card"], Card, f"{path}: card"),
            skeletons=skeletons,
            instances=_read_instances(folder / "instances.parquet"),
            splits={name: _read_pairs(folder / "pairs" / f"{name}.parquet") for name in header["splits"]},
            threshold=header["threshold"],
            image_root=(folder / header["image_root"]).resolve(),
            recipe=header["recipe"],
            provenance=header["provenance"],
            folder=folder.resolve(),
        )
    except KeyError as error:
        raise InputError(f"{path}: required key {error.args[0]!r} is missing; build the benchmark again") from error
    except (AttributeError, TypeError, ValueError, pa.ArrowException) as error:
        told = str(error).partition("\n")[0]
        raise InputError(f"{folder}: is not as geobench wrote it ({told}); it was changed; build it again") from error
    _check_rows(folder, benchmark)
    if benchmark.fingerprint != header["fingerprint"]:
        raise InputError(
            f"{folder}: the content does not have the fingerprint of benchmark.json; it was changed; build it again"
        )
    return benchmark


def _check_format(path: Path, header: dict[str, Any]) -> None:
    version = header.get("format_version")
    if not isinstance(version, int):
        raise InputError(f"{path}: required key 'format_version' is missing; this is not a geobench benchmark")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path}: written in format version {version} by a newer geobench ({header.get('geobench')}); "
            f"this one reads up to {FORMAT_VERSION}; upgrade geobench"
        )


def _check_rows(folder: Path, benchmark: Benchmark) -> None:
    for name, pairs in benchmark.splits.items():
        rows = np.concatenate([pairs.source, pairs.target])
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(benchmark.instances):
            raise InputError(
                f"{folder}/pairs/{name}.parquet: a pair names an instance that does not exist; build again"
            )


def _header(benchmark: Benchmark, folder: Path) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "geobench": __version__,
        "name": benchmark.name,
        "fingerprint": benchmark.fingerprint,
        "threshold": benchmark.threshold,
        "image_root": os.path.relpath(benchmark.image_root, folder),
        "splits": {name: len(pairs) for name, pairs in benchmark.splits.items()},
        "recipe": dict(benchmark.recipe),
        "provenance": dict(benchmark.provenance),
        "skeletons": {category: skeleton.to_dict() for category, skeleton in benchmark.skeletons.items()},
        "card": benchmark.card.model_dump(mode="json", exclude_defaults=True),
    }


def _fixed(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Return an array whose trailing axes are nested fixed-size lists."""
    column = pa.array(np.ascontiguousarray(values).reshape(-1), type=kind)
    for length in reversed(values.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def _instances_table(table: Instances) -> pa.Table:
    text = {name: pa.array(getattr(table, name).tolist(), pa.string()) for name in _TEXT_COLUMNS}
    numbers = {
        "width": pa.array(table.width),
        "height": pa.array(table.height),
        "bbox": _fixed(table.bbox, pa.float32()),
        "keypoints": _fixed(table.keypoints, pa.float32()),
        "visibility": _fixed(table.visibility, pa.uint8()),
        "azimuth": pa.array(table.azimuth, pa.float32(), from_pandas=True),
    }
    return pa.table({**text, **numbers})


def _read_instances(path: Path) -> Instances:
    table = read_table(path)
    n = table.num_rows
    text = {name: np.asarray(table[name].to_pylist(), dtype=np.str_) for name in _TEXT_COLUMNS}

    def dense(name: str, *shape: int) -> np.ndarray:
        column = table[name].combine_chunks()
        while pa.types.is_fixed_size_list(column.type):
            column = column.flatten()
        return np.asarray(column.to_numpy(zero_copy_only=False)).reshape(n, *shape)

    k = table.schema.field("visibility").type.list_size
    return Instances(
        **text,
        width=dense("width"),
        height=dense("height"),
        bbox=dense("bbox", 4),
        keypoints=dense("keypoints", k, 2),
        visibility=dense("visibility", k),
        azimuth=dense("azimuth").astype(np.float32),
    )


def _keypoint_lists(tags: np.ndarray) -> pa.Array:
    """Return, for each row of a mask, the numbers of its true columns."""
    offsets = np.concatenate([[0], np.cumsum(tags.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.nonzero(tags)[1].astype(np.uint8)))


def _pairs_table(benchmark: Benchmark, pairs: Pairs) -> pa.Table:
    # Two columns are derived: they are written for readers without geobench, and not read back.
    attributes = {name: pa.array(values, pa.int8()) for name, values in sorted(pairs.attributes.items())}
    return pa.table(
        {
            "source": pa.array(pairs.source, pa.int32()),
            "target": pa.array(pairs.target, pa.int32()),
            "category": pa.array(pairs.category.tolist(), pa.string()).dictionary_encode(),
            "mutual": _keypoint_lists(pairs.mutual(benchmark)),
            "geometry_aware": _keypoint_lists(pairs.geometry_aware(benchmark)),
            **attributes,
        }
    )


def _read_pairs(path: Path) -> Pairs:
    table = read_table(path)
    category = np.asarray(table["category"].cast(pa.string()).to_pylist(), dtype=np.str_)
    attributes = {name: table[name].to_numpy() for name in table.column_names if name not in _PAIR_COLUMNS}
    return Pairs(table["source"].to_numpy(), table["target"].to_numpy(), category, attributes)

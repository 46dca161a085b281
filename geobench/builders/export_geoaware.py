"""Writes a benchmark in the folder layout that GeoAware-SC reads as ``data/ap-10k``.

Source of the layout: prepare_ap10k.ipynb (cells 0 to 5) and utils/utils_dataset.py of GeoAware-SC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.pair_annotations import FOLDERS
from geobench.errors import InputError
from geobench.files import whole_folder
from geobench.instances import Instances

# Paths inside pair files are relative to the root of the authors' repository.
_ROOT = "data/ap-10k"
_LISTS = {"train": "train_filtered.txt", "val": "val_filtered.txt", "test": "test_filtered.txt"}
_FOLDER_NAME = re.compile(r"[^/\\:\x00-\x1f]+")


def export_geoaware_sc(benchmark: Benchmark, folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write ``benchmark`` to ``folder`` (whole, or not at all) in the layout of GeoAware-SC; return the folder.

    Put or link the folder as ``data/ap-10k`` of their repository. It gets ``ImageAnnotation/<family>/<species>/``
    with one JSON file per image and the lists ``{train,val,test}_filtered.txt``, ``PairAnnotation/<split>/`` with
    one JSON file per pair, and ``JPEGImages/<family>/<species>/`` with a link to each image that is present.
    Coordinates are (x, y) in pixels of the original image, flags those of COCO. Their loader orders pairs by file
    name, so the order of pairs is not kept.

    Args:
        benchmark: with the seven splits of AP-10K, families, and 12-digit ids.
        folder: must not exist, or be empty.
        progress: called with (done, total) numbers of written files.

    Raises:
        InputError: the benchmark does not fit the layout, or the folder is not empty.
        GeobenchError: the folder cannot be written.
    """
    _check_layout(benchmark)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists and is not empty; choose another folder")
    total = len(benchmark.instances) + sum(len(benchmark.splits[name]) for name in FOLDERS)
    with whole_folder(folder) as temporary:
        _write_images(benchmark, temporary)
        _write_lists(benchmark, temporary)
        done = len(benchmark.instances)
        if progress:
            progress(done, total)
        for split, name in FOLDERS.items():
            _write_pairs(benchmark.instances, benchmark.splits[split], temporary / "PairAnnotation" / name)
            done += len(benchmark.splits[split])
            if progress:
                progress(done, total)
    return folder


def _check_layout(benchmark: Benchmark) -> None:
    table = benchmark.instances
    missing = sorted(set(FOLDERS) - set(benchmark.splits))
    if missing:
        raise InputError(f"{benchmark.name}: has no split {', '.join(missing)}, which the layout of AP-10K needs")
    bad = [name for name in table.id.tolist() if not re.fullmatch("[0-9]{12}", name)]
    if bad:
        raise InputError(f"{benchmark.name}: id {bad[0]!r} is not the 12 digits by which the layout names images")
    labels = sorted({*table.family.tolist(), *table.category.tolist()})
    unusable = [label for label in labels if not _FOLDER_NAME.fullmatch(label) or label in {".", ".."}]
    if unusable:
        raise InputError(f"{benchmark.name}: family or species {unusable[0]!r} cannot name a folder; rename it")


def _place(table: Instances, row: int) -> str:
    return f"{table.family[row]}/{table.category[row]}/{table.id[row]}"


def _write_images(benchmark: Benchmark, folder: Path) -> None:
    table = benchmark.instances
    for row in range(len(table)):
        place = _place(table, row)
        annotation = folder / "ImageAnnotation" / f"{place}.json"
        annotation.parent.mkdir(parents=True, exist_ok=True)
        annotation.write_text(json.dumps(_record(table, row), indent=4), encoding="utf-8")
        image = benchmark.image_root / str(table.image[row])
        if image.is_file():
            link = folder / "JPEGImages" / f"{place}.jpg"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(image.resolve())


def _record(table: Instances, row: int) -> dict[str, Any]:
    """Return one image's annotation; its ``id`` is the image id, as in the authors' files."""
    points = np.concatenate([table.keypoints[row], table.visibility[row, :, None]], axis=1)
    number = int(table.id[row])
    return {
        "id": number,
        "image_id": number,
        "annotation_id": str(table.record[row]),
        "bbox": _plain(table.bbox[row]),
        "num_keypoints": int(table.visible[row].sum()),
        "keypoints": _plain(points.reshape(-1)),
        "file_name": f"{table.id[row]}.jpg",
        "width": int(table.width[row]),
        "height": int(table.height[row]),
        "name": str(table.category[row]),
        "supercategory": str(table.family[row]),
    }


def _plain(values: np.ndarray) -> list[int | float]:
    """Return numbers as they would stand in an annotation file: whole ones as integers, others as short as can be."""
    return [int(value) if float(value).is_integer() else float(str(value)) for value in values.astype(np.float32)]


def _write_lists(benchmark: Benchmark, folder: Path) -> None:
    """Write which images of a species belong to which split; an image without pairs cannot be assigned to one."""
    table = benchmark.instances
    lines: dict[Path, list[str]] = {
        folder / "ImageAnnotation" / family / species / name: []
        for family, species in sorted(set(zip(table.family.tolist(), table.category.tolist(), strict=True)))
        for name in _LISTS.values()
    }
    for part, name in _LISTS.items():
        members = [pairs for split, pairs in benchmark.splits.items() if split.split("/")[0] == part]
        rows = np.unique(np.concatenate([ends for pairs in members for ends in (pairs.source, pairs.target)]))
        for row in sorted(rows.tolist(), key=lambda row: str(table.id[row])):
            place = _place(table, row)
            lines[(folder / "ImageAnnotation" / place).with_name(name)].append(f"{_ROOT}/ImageAnnotation/{place}.json")
    for path, members_of in lines.items():
        path.write_text("".join(f"{line}\n" for line in members_of), encoding="utf-8")


def _write_pairs(table: Instances, pairs: Pairs, folder: Path) -> None:
    folder.mkdir(parents=True)
    paths = [f"{_ROOT}/ImageAnnotation/{_place(table, row)}.json" for row in range(len(table))]
    ids = table.id.tolist()
    for source, target, label in zip(
        pairs.source.tolist(), pairs.target.tolist(), pairs.category.tolist(), strict=True
    ):
        content = json.dumps({"src_json_path": paths[source], "trg_json_path": paths[target]}, indent=4)
        (folder / f"{ids[source]}-{ids[target]}:{label}.json").write_text(content, encoding="utf-8")

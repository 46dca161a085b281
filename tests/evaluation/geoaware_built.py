"""Benchmarks that our builders make of the goldens' annotation files, in the official layouts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import scipy.io
from geoaware_goldens import golden
from PIL import Image

from geobench.benchmark import Benchmark
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning

BUILDERS = {"spair": "spair71k", "ap10k": "ap10k", "pascal": "pf-pascal"}
SPLITS = {
    "spair": {"trn": "train", "val": "val", "test": "test"},
    "pascal": {"train": "train", "val": "val", "test": "test"},
    "ap10k": {
        "trn": "train",
        "val": "val/intra-species",
        "test": "test/intra-species",
        "test_cross_species": "test/cross-species",
        "test_cross_family": "test/cross-family",
    },
}


def built(dataset: str) -> Benchmark:
    """Return the golden dataset ``spair``, ``ap10k`` or ``pascal`` as its builder reads it."""
    write: dict[str, Callable[[Path], BuildOptions]] = {
        "spair": _write_spair,
        "ap10k": _write_ap10k,
        "pascal": _write_pascal,
    }
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", GeobenchWarning)  # absent images, few categories
        return build_benchmark(find_card(BUILDERS[dataset]), Path(folder), write[dataset](Path(folder)))


def _write_files(folder: Path, prefix: str) -> None:
    for name, content in golden("datasets")["files"].items():
        if name.startswith(prefix):
            path = folder / name.removeprefix("data/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def _write_spair(folder: Path) -> BuildOptions:
    _write_files(folder, "data/SPair-71k/")
    return BuildOptions()


def _write_ap10k(folder: Path) -> BuildOptions:
    """Write the per-image files, which hold image and annotation in one, as COCO files."""
    _write_files(folder, "data/ap-10k/PairAnnotation/")
    prefix = "data/ap-10k/ImageAnnotation/"
    records = [one for name, one in golden("datasets")["files"].items() if name.startswith(prefix)]
    categories = {
        one["category_id"]: {
            "id": one["category_id"],
            "name": one["name"],
            "supercategory": one["supercategory"],
            "keypoints": list(find_card("ap10k").keypoints.names),  # type: ignore[union-attr]
        }
        for one in records
    }
    common: dict[str, Any] = {"info": {}, "licenses": [], "categories": list(categories.values())}
    for split in ("train", "val", "test"):
        some = records if split == "train" else []
        content = {**common, "images": some, "annotations": some}
        (folder / f"ap10k-{split}-split1.json").write_text(json.dumps(content), encoding="utf-8")
    return BuildOptions(crowd_list=False, pair_annotations=folder / "ap-10k" / "PairAnnotation")


def _write_pascal(folder: Path) -> BuildOptions:
    _write_files(folder, "data/PF-dataset-PASCAL/")
    annotations = golden("pascal_annotations.npz")
    for name in {key.rsplit("/", 1)[0] for key in annotations}:
        path = folder / "PF-dataset-PASCAL" / "Annotations" / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {field: annotations[f"{name}/{field}"] for field in ("kps", "bbox")})
    for name, size in golden("datasets")["image_sizes"].items():
        if name.startswith("data/PF-dataset-PASCAL/"):
            path = folder / name.removeprefix("data/")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", tuple(size)).save(path)
    return BuildOptions()

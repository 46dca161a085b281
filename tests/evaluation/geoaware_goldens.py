"""Benchmarks built straight from the goldens' annotation files, and the goldens themselves (see goldens/geoaware)."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Protocol, find_protocol
from geobench.evaluation.queries import queries
from geobench.features.letterbox import Letterbox
from geobench.instances import Instances
from geobench.skeleton import Skeleton

FOLDER = Path(__file__).parents[1] / "goldens" / "geoaware"
GEOAWARE = find_protocol("geoaware-sc")
PRINTED = (0.10, 0.05, 0.01)  # the thresholds of every run but PF-Pascal's, in the order of the goldens
AP10K_SETTINGS = {"intra-species": "", "cross-species": "_cross_species", "cross-family": "_cross_family"}


@cache
def golden(name: str) -> Any:
    """Return a golden: an archive of arrays, or the content of a JSON file."""
    if name.endswith(".npz"):
        with np.load(FOLDER / name) as archive:
            return {key: archive[key] for key in archive.files}
    return json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))


def skeleton(category: str, slots: int) -> Skeleton:
    """Return the authors' subgroups and mirror partners of a category, by raw keypoint ids."""
    tables = golden("index_tables")
    groups = [block for block in tables["geo_groups"][category] if isinstance(block, list)]
    mirror = list(range(slots))
    for pair in tables["flip_lists_train"].get(category, tables["flip_lists"][category]):
        if isinstance(pair, list):
            mirror[pair[0]], mirror[pair[1]] = pair[1], pair[0]
    names = tuple(f"keypoint {number}" for number in range(slots))
    return Skeleton(names, {f"group {n}": tuple(block) for n, block in enumerate(groups)}, tuple(mirror))


def benchmark(name: str, skeletons: dict[str, Skeleton], instances: Instances, splits: dict[str, Pairs]) -> Benchmark:
    threshold = "image" if name == "pascal" else "bbox"
    card = Card(name=name, title=name, version=1, builder="tests", threshold=threshold, licence="none", citation="none")
    return Benchmark(name, card, skeletons, instances, splits, threshold, Path("nowhere"))


def _files(prefix: str, suffix: str = ".json") -> dict[str, Any]:
    files = golden("datasets")["files"]
    return {path: files[path] for path in sorted(files) if path.startswith(prefix) and path.endswith(suffix)}


def _pairs(rows: list[tuple[int, int, str]]) -> Pairs:
    source, target, label = zip(*rows, strict=True)
    return Pairs(np.array(source, np.int32), np.array(target, np.int32), np.array(label, np.str_))


@cache
def spair() -> Benchmark:
    root = "data/SPair-71k"
    images = _files(f"{root}/ImageAnnotation/")
    points = np.zeros((len(images), 30, 2))
    flags = np.zeros((len(images), 30), np.uint8)
    for row, image in enumerate(images.values()):
        for slot, point in image["kps"].items():
            if point is not None:
                points[row, int(slot)], flags[row, int(slot)] = point, 2
    corners = np.array([image["bndbox"] for image in images.values()])
    ids = [f"{image['category']}/{image['filename']}" for image in images.values()]
    number = {name: row for row, name in enumerate(ids)}
    table = Instances.from_columns(
        id=ids,
        image=ids,
        size=np.array([[image["image_width"], image["image_height"]] for image in images.values()]),
        bbox=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        category=[image["category"] for image in images.values()],
        keypoints=points,
        visibility=flags,
        azimuth=np.array([image["azimuth_id"] * 45 for image in images.values()]),
    )
    splits = {}
    for split in ("test", "val", "trn"):
        files = list(_files(f"{root}/PairAnnotation/{split}/").values())
        files.sort(key=lambda pair: pair["category"])  # stable: file order within a category
        rows = [
            (number[f"{p['category']}/{p['src_imname']}"], number[f"{p['category']}/{p['trg_imname']}"], p["category"])
            for p in files
        ]
        splits[split] = _pairs(rows)
    labels = ("aeroplane", "bus", "cat")
    return benchmark("spair", {label: skeleton(label, 30) for label in labels}, table, splits)


@cache
def ap10k() -> Benchmark:
    root = "data/ap-10k"
    images = _files(f"{root}/ImageAnnotation/")
    keypoints = np.array([image["keypoints"] for image in images.values()], float).reshape(len(images), 17, 3)
    table = Instances.from_columns(
        id=list(images),
        image=list(images),
        size=np.array([[image["width"], image["height"]] for image in images.values()]),
        bbox=np.array([image["bbox"] for image in images.values()]),
        category=[image["name"] for image in images.values()],
        family=[image["supercategory"] for image in images.values()],
        keypoints=keypoints[..., :2],
        visibility=keypoints[..., 2],
    )
    number = {name: row for row, name in enumerate(images)}
    splits = {}
    for folder in sorted({path.split("/")[3] for path in _files(f"{root}/PairAnnotation/")}):
        rows = []
        for path, pair in _files(f"{root}/PairAnnotation/{folder}/").items():
            label = path.rsplit(":", 1)[1].removesuffix(".json")
            rows.append((number[pair["src_json_path"]], number[pair["trg_json_path"]], label))
        rows.sort(key=lambda row: row[2])  # stable: file order within a label
        splits[folder] = _pairs(rows)
    return benchmark("ap10k", {"*": skeleton("ap10k", 17)}, table, splits)


@cache
def pascal() -> Benchmark:
    """PF-Pascal: each pair lists its own keypoints, so each end of a pair is an instance of its own."""
    sizes = golden("datasets")["image_sizes"]
    ids, images, size, labels, splits = [], [], [], [], {}
    points, flags = np.zeros((0, 20, 2)), np.zeros((0, 20), np.uint8)
    voc = {"5": "bottle", "10": "cow"}
    for split in ("test", "val"):
        rows = []
        for line in golden("datasets")["files"][f"data/PF-dataset-PASCAL/{split}_pairs_pf_pascal.csv"].split()[1:]:
            cells = line.split(",")
            ends = [(cells[0], cells[3:5]), (cells[1], cells[5:7])]
            for image, columns in ends:
                xy = np.array([[float(v) for v in column.split(";")] for column in columns]).T
                ids.append(f"{split} {len(ids)}")
                images.append(image)
                size.append(sizes[f"data/{image}"])
                labels.append(voc[cells[2]])
                points = np.concatenate([points, np.pad(xy, ((0, 20 - len(xy)), (0, 0)))[None]])
                flags = np.concatenate([flags, np.pad(np.full(len(xy), 2, np.uint8), (0, 20 - len(xy)))[None]])
            rows.append((len(ids) - 2, len(ids) - 1, voc[cells[2]]))
        rows.sort(key=lambda row: row[2])
        splits[split] = _pairs(rows)
    box = np.zeros((len(ids), 4))
    table = Instances.from_columns(
        id=ids, image=images, size=np.array(size), bbox=box, category=labels, keypoints=points, visibility=flags
    )
    bare = Skeleton(tuple(f"keypoint {number}" for number in range(20)))
    return benchmark("pascal", {"*": bare}, table, splits)


def run_split(settings: dict[str, Any], split: str) -> tuple[Benchmark, str]:
    """Return the benchmark and the split that one of the goldens' runs evaluated."""
    if settings["EVAL_DATASET"] == "spair":
        return spair(), split
    if settings["EVAL_DATASET"] == "pascal":
        return pascal(), split
    return ap10k(), split + AP10K_SETTINGS[settings.get("AP10K_EVAL_SUBSET", "intra-species")]


def image_ids(benchmark: Benchmark, pairs: Pairs) -> list[tuple[str, str]]:
    """Return the (source, target) file names, without folders above the category, of each pair."""
    stems = np.array([Path(str(name)).stem for name in benchmark.instances.image])
    return [(str(stems[a]), str(stems[b])) for a, b in zip(pairs.source, pairs.target, strict=True)]


def predictions_from_frame(
    benchmark: Benchmark, pairs: Pairs, protocol: Protocol, in_frame: np.ndarray, side: int = 840
) -> Predictions:
    """Return stored predictions [P, 30, 2] (x, y) in the padded frame as predictions in original pixels."""
    asked = queries(benchmark, pairs, protocol)
    table = benchmark.instances
    moved = np.empty_like(in_frame)
    for row, target in enumerate(pairs.target):
        box = Letterbox.pad((int(table.width[target]), int(table.height[target])), side)
        moved[row] = box.to_image(in_frame[row])
    return Predictions.of(asked, moved[asked.pair, asked.keypoint])


def values(scores: pd.DataFrame, scope: str, subset: str, metric: str) -> tuple[np.ndarray, int]:
    rows = scores[(scores.scope == scope) & (scores.subset == subset) & (scores.metric == metric)]
    assert len(rows)
    return rows.value.to_numpy(), int(rows.n.iloc[0])


def same_counts(ours: tuple[np.ndarray, int], value: list[float], n: int) -> None:
    """The same number of keypoints, and of correct ones, exactly."""
    assert ours[1] == n
    if n:
        theirs = np.array([np.nan if v is None else v for v in value]) * n
        np.testing.assert_allclose(theirs, np.rint(theirs), atol=1e-3)
        hits = ours[0] * n
        np.testing.assert_allclose(hits, np.rint(hits), atol=1e-6)
        np.testing.assert_array_equal(np.rint(hits), np.rint(theirs))

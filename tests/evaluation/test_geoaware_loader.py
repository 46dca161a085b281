"""What our builders read, against GeoAware-SC's loaders: keypoints, visibility, thresholds, subgroups, sampling."""

from __future__ import annotations

import re

import numpy as np
import pytest
from geoaware_built import BUILDERS, SPLITS, built
from geoaware_goldens import GEOAWARE, golden, image_ids, skeleton

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.protocol import Protocol, Sampling
from geobench.evaluation.queries import instance_frames, pair_weights, queries
from geobench.evaluation.scores import threshold_sizes

LOADERS = [key for key in golden("loader") if key.split("/")[0] in BUILDERS]
LISTED = [key for key in LOADERS if re.fullmatch(r"pascal/\w+/(test|val)", key)]


@pytest.fixture(scope="module")
def benchmarks() -> dict[str, Benchmark]:
    """The goldens' annotation files, read by the builders."""
    return {dataset: built(dataset) for dataset in BUILDERS}


def loaded(benchmarks: dict[str, Benchmark], key: str) -> tuple[Benchmark, Pairs, Protocol]:
    """Return the benchmark, the pairs that a loader's golden is of, and the protocol with its side."""
    dataset, label, split, *extra = key.split("/")
    benchmark = benchmarks[dataset]
    pairs = benchmark.split(SPLITS[dataset][split])
    rows = np.flatnonzero(pairs.category == label)
    if "sample20" in extra:
        np.random.seed(42)  # noqa: NPY002 - as the authors do
        rows = rows[np.random.choice(len(rows), 20)]  # noqa: NPY002
        weight = pair_weights(pairs, Sampling(per_category=20))
        assert np.bincount(rows, minlength=len(pairs)).tolist() == (weight * (pairs.category == label)).tolist()
    side = 960 if "size960" in extra else 840
    protocol = GEOAWARE.model_copy(update={"frame": GEOAWARE.frame.model_copy(update={"side": side})})
    return benchmark, pairs.take(rows), protocol


def ends_of(pairs: Pairs) -> np.ndarray:
    """Return the instances of source and target of each pair, one after the other."""
    return np.stack([pairs.source, pairs.target], axis=1).ravel()


@pytest.mark.parametrize("key", LOADERS)
def test_images_come_in_the_loaders_order(benchmarks: dict[str, Benchmark], key: str) -> None:
    benchmark, pairs, _ = loaded(benchmarks, key)
    assert [end for pair in image_ids(benchmark, pairs) for end in pair] == [
        name.rsplit("/", 1)[1].removesuffix(".jpg") for name in golden("loader")[key]["files"]
    ]


@pytest.mark.parametrize("key", LOADERS)
def test_thresholds_are_the_loaders(benchmarks: dict[str, Benchmark], key: str) -> None:
    """PF-Pascal's loader gives none: pck_train.py:175 takes the 840 of the frame."""
    benchmark, pairs, protocol = loaded(benchmarks, key)
    given, ours = golden("loader.npz").get(f"{key}/thresholds", np.zeros(0)), threshold_sizes(benchmark, protocol)
    if not given.size:
        assert key.startswith("pascal")
        np.testing.assert_allclose(ours[ends_of(pairs)], 840, rtol=1e-12)
        return
    ends = ends_of(pairs)
    np.testing.assert_allclose(ours[ends if len(given) == len(ends) else pairs.target], given, rtol=1e-12)


@pytest.mark.parametrize("key", [key for key in LOADERS if key not in LISTED])
def test_keypoints_are_the_loaders(benchmarks: dict[str, Benchmark], key: str) -> None:
    """Used ids, visibility, and places in the padded frame (2e-4 px); PF-Pascal's training pairs by row of ``kps``."""
    benchmark, pairs, protocol = loaded(benchmarks, key)
    flat, kps, used = ends_of(pairs), golden("loader.npz")[f"{key}/kps"], np.array(golden("loader")[key]["used"])
    assert used.tolist() == np.flatnonzero(benchmark.instances.visible[flat].any(axis=0)).tolist()
    np.testing.assert_array_equal(kps[..., 2] > 0, benchmark.instances.visible[flat][:, used])
    asked = queries(benchmark, Pairs(flat, flat, np.repeat(pairs.category, 2)), protocol)
    frame = instance_frames(benchmark, protocol)
    placed = asked.truth * frame.scale[flat[asked.pair]] + frame.offset[flat[asked.pair]]
    np.testing.assert_allclose(placed, kps[asked.pair, np.searchsorted(used, asked.keypoint), :2], atol=2e-4)
    np.testing.assert_array_equal(asked.points, asked.truth)


@pytest.mark.parametrize("key", LISTED)
def test_listed_keypoints_are_the_loaders_in_its_order(benchmarks: dict[str, Benchmark], key: str) -> None:
    """PF-Pascal's lists: the loader numbers a pair's keypoints by place (utils_dataset.py:303), we by row."""
    benchmark, pairs, protocol = loaded(benchmarks, key)
    kps = golden("loader.npz")[f"{key}/kps"]
    asked = queries(benchmark, pairs, protocol)
    frame, counts = instance_frames(benchmark, protocol), pairs.mutual(benchmark).sum(axis=1)
    assert golden("loader")[key]["used"] == list(range(counts.max()))
    np.testing.assert_array_equal(kps[..., 2] > 0, np.repeat(np.arange(counts.max()) < counts[:, None], 2, axis=0))
    place = np.concatenate([np.arange(count) for count in counts])
    for end, points, instances in ((0, asked.points, pairs.source), (1, asked.truth, pairs.target)):
        placed = points * frame.scale[instances[asked.pair]] + frame.offset[instances[asked.pair]]
        np.testing.assert_allclose(placed, kps[2 * asked.pair + end, place, :2], atol=2e-4)
    assert (place != asked.keypoint).any()


@pytest.mark.parametrize("category", ["aeroplane", "bus", "cat", "ap10k"])
def test_subgroups_are_the_authors_by_raw_keypoint_id(benchmarks: dict[str, Benchmark], category: str) -> None:
    benchmark = benchmarks["ap10k"] if category == "ap10k" else benchmarks["spair"]
    theirs = skeleton(category, benchmark.instances.visibility.shape[1])
    ours = benchmark.skeleton("dog" if category == "ap10k" else category)
    assert set(ours.groups.values()) == {tuple(sorted(group)) for group in theirs.groups.values()}


RUNS = {key: run for key, run in golden("pck_runs")["runs"].items() if run["settings"]["EVAL_DATASET"] != "pascal"}


@pytest.mark.parametrize("run", RUNS)
def test_geometry_aware_keypoints_of_the_runs_are_the_definitions(benchmarks: dict[str, Benchmark], run: str) -> None:
    """What eval_spair.py tags by raw id, of every pair that it looked at, on what our builders read."""
    benchmark = benchmarks[RUNS[run]["settings"]["EVAL_DATASET"]]
    tags = {}
    for split in benchmark.splits:
        pairs = benchmark.split(split)
        for ends, tagged in zip(image_ids(benchmark, pairs), pairs.geometry_aware(benchmark), strict=True):
            tags[ends] = np.flatnonzero(tagged).tolist()
    looked_at = [pair for pair in RUNS[run]["pairs"] if "geo_idx_eval_spair" in pair]
    for pair in looked_at:
        source, target = (pair[end].rsplit("/", 1)[1].removesuffix(".jpg") for end in ("src", "trg"))
        assert tags[source, target] == sorted(pair["geo_idx_eval_spair"]), (source, target)
    assert looked_at

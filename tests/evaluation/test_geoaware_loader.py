"""Keypoints, visibility, thresholds and sampling, against what GeoAware-SC's loaders give."""

from __future__ import annotations

import numpy as np
import pytest
from geoaware_goldens import GEOAWARE, ap10k, golden, image_ids, pascal, spair

from geobench.benchmark import Pairs
from geobench.evaluation.protocol import Sampling
from geobench.evaluation.queries import instance_frames, pair_weights, queries
from geobench.evaluation.scores import threshold_sizes

LOADERS = [key for key in golden("loader") if key.split("/")[0] in ("spair", "ap10k", "pascal")]


@pytest.mark.parametrize("key", LOADERS)
def test_loaded_keypoints_and_thresholds(key: str) -> None:
    """What the authors' loaders give: keypoints in the padded frame (2e-4 px), visibility, thresholds, order."""
    dataset, label, split, *extra = key.split("/")
    stored, arrays = golden("loader")[key], golden("loader.npz")
    if (dataset, split) == ("pascal", "train"):
        pytest.skip("PF-Pascal's training keypoints come from its .mat files: for its reader")
    benchmark = {"spair": spair, "ap10k": ap10k, "pascal": pascal}[dataset]()
    pairs = benchmark.split(split)
    rows = np.flatnonzero(pairs.category == label)
    if "sample20" in extra:
        np.random.seed(42)  # noqa: NPY002 - as the authors do
        rows = rows[np.random.choice(len(rows), 20)]  # noqa: NPY002
        weight = pair_weights(benchmark.split(split), Sampling(per_category=20))
        assert np.bincount(rows, minlength=len(pairs)).tolist() == (weight * (pairs.category == label)).tolist()
    side = 960 if "size960" in extra else 840
    ends = np.stack([pairs.source[rows], pairs.target[rows]], axis=1)
    assert [end for pair in image_ids(benchmark, pairs.take(rows)) for end in pair] == [
        name.rsplit("/", 1)[1].removesuffix(".jpg") for name in stored["files"]
    ]
    protocol = GEOAWARE.model_copy(update={"frame": GEOAWARE.frame.model_copy(update={"side": side})})
    kps = arrays[f"{key}/kps"]
    used = np.array(stored["used"])
    flat = ends.ravel()
    assert used.tolist() == np.flatnonzero(benchmark.instances.visible[flat].any(axis=0)).tolist()
    np.testing.assert_array_equal(kps[..., 2] > 0, benchmark.instances.visible[flat][:, used])
    asked = queries(benchmark, Pairs(flat, flat, np.repeat(pairs.category[rows], 2)), protocol)
    frame = instance_frames(benchmark, protocol)
    placed = asked.truth * frame.scale[flat[asked.pair]] + frame.offset[flat[asked.pair]]
    theirs = kps[asked.pair, np.searchsorted(used, asked.keypoint), :2]
    np.testing.assert_allclose(placed, theirs, atol=2e-4)
    np.testing.assert_array_equal(asked.points, asked.truth)
    if f"{key}/thresholds" in arrays and arrays[f"{key}/thresholds"].size:
        given = arrays[f"{key}/thresholds"]
        wanted = ends.ravel() if len(given) == ends.size else ends[:, 1]
        np.testing.assert_allclose(threshold_sizes(benchmark, protocol)[wanted], given, rtol=1e-12)

"""KAP against a slow count cell by cell, and the average precision against its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.benchmark import Benchmark
from geobench.cli import run as geobench
from geobench.errors import UsageError
from geobench.evaluation.job import Job
from geobench.evaluation.presence import average_precision, presence_samples
from geobench.evaluation.presence_run import presence_queries, presence_scores
from geobench.evaluation.protocol import find_protocol
from geobench.methods.loader import load_method

DEFAULT = find_protocol("default")


def slow_precision(positive: list[float], negative: list[float]) -> float:
    """Return the mean over positives of the share of positives among all samples at least as large."""
    found = []
    for sample in positive:
        above = sum(p >= sample for p in positive)
        found.append(above / (above + sum(n >= sample for n in negative)))
    return float(np.mean(found))


@given(
    positive=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    negative=st.lists(st.integers(0, 6), max_size=12),
)
def test_average_precision_equals_its_definition(positive: list[int], negative: list[int]) -> None:
    ours = average_precision(np.array(positive, float), np.array(negative, float))
    assert ours == pytest.approx(slow_precision(list(map(float, positive)), list(map(float, negative))))


def test_average_precision_of_known_cases() -> None:
    assert average_precision(np.array([0.9, 0.8]), np.array([0.1, 0.7])) == 1
    assert average_precision(np.array([0.5]), np.array([0.9, 0.1])) == 0.5
    assert average_precision(np.array([0.35, 0.8]), np.array([0.1, 0.4])) == pytest.approx(0.8333333)  # scikit-learn's
    assert np.isnan(average_precision(np.zeros(0), np.array([0.5])))


def slow_samples(
    similarity: np.ndarray,
    place: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    radius: float,
    in_image: np.ndarray,
    legacy: bool,
) -> tuple[list[float], list[float]]:
    cells = [(r, c) for r in range(place.shape[0]) for c in range(place.shape[1]) if in_image[r, c]]
    every = [float(one[cell]) for one in similarity for cell in cells]
    low, high = min(every), max(every)
    positive, negative = [], []
    for one, (tx, ty), shown in zip(similarity, truth.tolist(), visible.tolist(), strict=True):
        inner, outer = [0.0], [0.0]
        for cell in cells:
            near = np.hypot(place[cell][0] - tx, place[cell][1] - ty) <= radius
            (inner if near else outer).append((float(one[cell]) - low) / (high - low))
        if shown or legacy:
            positive.append(max(inner))
        negative.append(max(outer) if shown or legacy else max(inner + outer))
    return positive, negative


@pytest.mark.parametrize("legacy", [False, True], ids=["described", "legacy"])
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_samples_equal_the_slow_count(legacy: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, h, w = (int(v) for v in rng.integers(2, 7, 3))
    columns, rows = np.meshgrid(np.arange(w), np.arange(h))
    place = np.stack([columns, rows], axis=-1) * 3.0 + 1.5
    similarity = rng.normal(0, 1, (n, h, w)).astype(np.float32)
    in_image = rng.random((h, w)) < 0.8
    in_image[0] = True
    visible = rng.random(n) < 0.6
    truth = np.where(visible[:, None], rng.random((n, 2)) * [3 * w, 3 * h], 0)
    radius = np.array([0.5, 3, 8, 100])
    positive, negative = presence_samples(similarity, place, truth, visible, radius, in_image, legacy)
    for row, reach in enumerate(radius.tolist()):
        p, q = slow_samples(similarity, place, truth, visible, reach, in_image, legacy)
        np.testing.assert_allclose(positive[row], p, atol=1e-12)
        np.testing.assert_allclose(negative[row], q, atol=1e-12)


def test_legacy_takes_what_is_hidden_for_a_positive() -> None:
    """Two keypoints, the second hidden: as described one positive and two negatives, in the authors' code two each."""
    similarity = np.array([[[1.0, 0.2]], [[0.6, 0.0]]])
    place = np.array([[[0.5, 0.5], [1.5, 0.5]]])
    truth, visible = np.array([[0.5, 0.5], [0.0, 0.0]]), np.array([True, False])
    everywhere = np.ones((1, 2), bool)
    described, legacy = (
        presence_samples(similarity, place, truth, visible, np.array([0.8]), everywhere, flag) for flag in (False, True)
    )
    assert [part[0].tolist() for part in described] == [[1.0], [0.2, 0.6]]
    assert [part[0].tolist() for part in legacy] == [[1.0, 0.6], [0.2, 0.0]]


def test_hidden_keypoints_are_asked_for_too(tiny: Benchmark) -> None:
    pairs = tiny.split("test")
    asked, visible = presence_queries(tiny, pairs, DEFAULT)
    shown = tiny.instances.visible
    assert len(asked) == shown[pairs.source].sum()
    assert visible.sum() == pairs.mutual(tiny).sum() < len(asked)


@pytest.fixture
def job(tiny: Benchmark, small_recipe: str) -> Job:
    return Job(load_method(small_recipe), tiny, "test", DEFAULT)


def test_a_run_equals_the_pairs_one_by_one(job: Job) -> None:
    """Per image: average precision of each pair, from its own similarity in the box's frame, cell by cell."""
    benchmark, method = job.benchmark, job.method
    table, pairs = benchmark.instances, benchmark.split("test")
    from torch import from_numpy

    scores = presence_scores(job).set_index(["scope", "metric", "alpha"])
    found: list[float] = []
    for s, t in zip(pairs.source.tolist(), pairs.target.tolist(), strict=True):
        known = np.flatnonzero(table.visible[s])
        maps = [method.describe(benchmark.picture(row)) for row in (s, t)]
        values = method.method.similarity(*maps, from_numpy(table.keypoints[s, known])).numpy()  # type: ignore[attr-defined]
        h, w = values.shape[1:]
        cells = [[((c + 0.5) * 64 / w, (r + 0.5) * 64 / h) for c in range(w)] for r in range(h)]
        place = np.array([[maps[1].letterbox.to_image(np.array(cell)) for cell in line] for line in cells])
        width, height = int(table.width[t]), int(table.height[t])
        inside = (place[..., 0] >= 0) & (place[..., 0] <= width) & (place[..., 1] >= 0) & (place[..., 1] <= height)
        reach = 0.1 * float(table.bbox[t, 2:].max())
        shown = table.visible[t, known]
        p, n = slow_samples(values, place, table.keypoints[t, known], shown, reach, inside, False)
        if p:
            found.append(slow_precision(p, n))
    assert scores.loc[("all", "per_image", 0.1), "n"] == len(found)
    assert scores.loc[("all", "per_image", 0.1), "value"] == pytest.approx(np.mean(found))


def test_it_does_not_depend_on_memory(job: Job) -> None:
    with pytest.warns(UserWarning, match="described"):
        small = presence_scores(job, memory=70_000)
    assert small.equals(presence_scores(job))


def test_what_offers_no_similarity_is_refused(tiny: Benchmark) -> None:
    with pytest.raises(UsageError, match="random offers no similarity"):
        presence_scores(Job(load_method("random"), tiny, "test", DEFAULT))


def test_the_command_line(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["kap", "--method", job.method.origin, "--benchmark", str(job.benchmark.folder)]
    assert geobench(common) == 0
    assert "KAP@0.1" in capsys.readouterr().out
    assert geobench([*common, "--legacy", "--format", "csv"]) == 0
    legacy = capsys.readouterr().out
    assert legacy.startswith(
        "scope,metric,alpha,value,low,high,n,n_pairs,n_points,n_images,intervals\nall,per_image,0.01"
    )
    assert geobench([*common, "--format", "csv"]) == 0
    assert capsys.readouterr().out != legacy

"""Intervals of pose accuracies: SciPy's on sums made image by image, and where there is none."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.pose_awareness import DistanceSettings
from geobench.evaluation.pose_intervals import SCOPE, pose_intervals
from geobench.evaluation.pose_run import PoseRun, PoseTask
from geobench.evaluation.pose_templates import Targets
from geobench.evaluation.pose_vote import COLUMNS, VIEWS, accuracy, vote
from geobench.methods.loader import load_method
from geobench.seeding import seed_for
from tests.conftest import make_tiny_benchmark

SETTINGS = Bootstrap(resamples=300, seed=4)


def guessed_run(folder: Path, n: int, seed: int) -> PoseRun:
    """Return votes by random distances, a little nearer to the true view, on ``n`` targets; two share each image."""
    rng = np.random.default_rng(seed)
    benchmark = make_tiny_benchmark(folder, n=n)
    names = [f"images/{row // 2:03d}.png" for row in range(n)]
    instances = replace(benchmark.instances, image=np.array(names, benchmark.instances.image.dtype))
    truth = rng.integers(0, 4, n)
    distances = rng.random((n, 3, 4))
    distances[np.arange(n), :, truth] -= 0.2
    task = PoseTask(replace(benchmark, instances=instances), [], Targets(np.arange(n), truth), 0, {})
    voted = vote(distances)
    return PoseRun(load_method("dense-sift"), task, DistanceSettings(), distances, voted, accuracy(voted, truth))


def slow_sums(run: PoseRun, column: str) -> np.ndarray:
    """Return right answers and targets of each image, in order of the images' names, target by target."""
    found: dict[str, np.ndarray] = {}
    for place, (row, truth) in enumerate(zip(run.task.targets.rows, run.task.targets.truth, strict=True)):
        sideways = VIEWS[truth] in ("left", "right")
        two_way = run.voted.left_right if sideways else run.voted.front_back
        right = (run.voted.four_way if column == "L/R/F/B" else two_way)[place] == truth
        asked = {"L/R": sideways, "F/B": not sideways}.get(column, True)
        image = str(run.task.benchmark.instances.image[row])
        found[image] = found.get(image, np.zeros(2)) + asked * np.array([right, 1.0])
    return np.array([found[image] for image in sorted(found)])


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_equal_those_of_scipy(tmp_path: Path, seed: int) -> None:
    run = guessed_run(tmp_path, 80, seed)
    for column, ends in pose_intervals(run, SETTINGS).items():
        sums = slow_sums(run, column)
        assert len(sums) == 40

        def ratio(rows: np.ndarray, axis: int = -1, sums: np.ndarray = sums) -> np.ndarray:
            return sums[rows, 0].sum(axis=axis) / sums[rows, 1].sum(axis=axis)

        generator = np.random.default_rng(seed_for(SETTINGS.seed, SCOPE))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = stats.bootstrap((np.arange(40),), ratio, n_resamples=300, random_state=generator)
        assert ends == pytest.approx(tuple(made.confidence_interval), abs=1e-9)
        assert ends[0] < run.accuracies[column] < ends[1]


def test_few_images_have_no_interval(tmp_path: Path) -> None:
    found = pose_intervals(guessed_run(tmp_path, 18, 0), SETTINGS)  # nine images
    assert list(found) == list(COLUMNS)
    assert np.isnan(list(found.values())).all()

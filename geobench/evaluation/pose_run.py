"""One method's answer to one pose task: templates, targets, distances, votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from geobench.benchmark import Benchmark
from geobench.evaluation.pair_selection import select_pairs
from geobench.evaluation.pose_awareness import DistanceSettings, pose_distances
from geobench.evaluation.pose_templates import Targets, TemplateSet, find_targets
from geobench.evaluation.pose_vote import VIEWS, PoseVote, accuracy, vote
from geobench.methods.base import LoadedMethod
from geobench.version import __version__


@dataclass(frozen=True, eq=False)
class PoseTask:
    """What is asked: the targets' views, told by templates; ``options`` are recorded with the answer."""

    benchmark: Benchmark
    templates: Sequence[TemplateSet]
    targets: Targets
    seed: int
    options: dict[str, Any]

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        templates: Sequence[TemplateSet],
        tolerance: float,
        *,
        unseen_categories: bool = False,
        limit: int | None = None,
        seed: int = 0,
    ) -> PoseTask:
        """Return the task of telling every target of a benchmark, or ``limit`` of them spread evenly over its rows.

        Raises:
            UsageError: the tolerance or the limit is out of range.
            InputError: the benchmark knows no azimuth, or has no target.
        """
        found = find_targets(benchmark, tolerance, templates, unseen_categories)
        options = {"tolerance": tolerance, "unseen_categories": unseen_categories, "limit": limit}
        return cls(benchmark, templates, found.take(select_pairs(len(found), limit)), seed, options)


@dataclass(frozen=True, eq=False)
class PoseRun:
    """A method's answer: distances [targets, sets, 4 views], the vote, and the share of right answers per column."""

    method: LoadedMethod
    task: PoseTask
    settings: DistanceSettings
    distances: Float64[np.ndarray, "t s 4"]
    voted: PoseVote
    accuracies: dict[str, float]

    def record(self) -> dict[str, Any]:
        """Return what produced this, ready for JSON."""
        method, task = self.method, self.task
        return {
            "geobench": __version__,
            "benchmark": {"name": task.benchmark.name, "fingerprint": task.benchmark.fingerprint},
            "templates": {
                one.name: {view: picture.key for view, picture in zip(VIEWS, one.pictures, strict=True)}
                for one in task.templates
            },
            "options": {**task.options, "seed": task.seed, **asdict(self.settings)},
            "method": {"name": method.name, "title": method.title, "origin": method.origin, "recipe": method.recipe},
        }

    def target_records(self) -> list[dict[str, Any]]:
        """Return one record per target: id, azimuth, view, the three answers, distances by set in VIEWS' order."""
        targets, table, voted = self.task.targets, self.task.benchmark.instances, self.voted
        columns = (targets.rows, targets.truth, voted.front_back, voted.left_right, voted.four_way)
        names = [one.name for one in self.task.templates]
        return [
            {
                "id": str(table.id[row]),
                "azimuth": round(float(table.azimuth[row]), 3),
                "view": VIEWS[truth],
                "front_back": VIEWS[fb],
                "left_right": VIEWS[lr],
                "four_way": VIEWS[four],
                "distances": dict(zip(names, distances, strict=True)),
            }
            for (row, truth, fb, lr, four), distances in zip(
                np.stack(columns, axis=1).tolist(), self.distances.tolist(), strict=True
            )
        ]


def run_pose(method: LoadedMethod, task: PoseTask, settings: DistanceSettings | None = None) -> PoseRun:
    """Return a method's answer to a pose task.

    Raises:
        UsageError: the method's descriptions are no feature maps.
        InputError: an image is unreadable.
    """
    settings = settings or DistanceSettings()
    pictures = [task.benchmark.picture(row) for row in task.targets.rows.tolist()]
    distances = pose_distances(method, task.templates, pictures, settings, task.seed)
    voted = vote(distances)
    return PoseRun(method, task, settings, distances, voted, accuracy(voted, task.targets.truth))

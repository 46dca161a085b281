"""The ways that answers are divided for a table of errors: by category, view, keypoint, difficulty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import UsageError
from geobench.evaluation.landings import Landings
from geobench.evaluation.queries import category_codes
from geobench.evaluation.scopes import azimuth_difference


@dataclass(frozen=True, eq=False)
class Groups:
    """A division of answers.

    Attributes:
        names: of the groups.
        codes: the group of each answer; negative for none.
    """

    names: list[str]
    codes: Int64[np.ndarray, " r"]


def everything(found: Landings) -> list[Groups]:
    """Return one group, ``all``."""
    return [Groups(["all"], np.zeros(len(found.asked), np.int64))]


def by_category(_benchmark: Benchmark, pairs: Pairs, found: Landings) -> list[Groups]:
    """Return the labels of the pairs: ``category:cat``."""
    codes, labels = category_codes(pairs)
    return [Groups([f"category:{label}" for label in labels], codes[found.asked.pair])]


def by_azimuth(benchmark: Benchmark, pairs: Pairs, found: Landings) -> list[Groups]:
    """Return the difference of viewing directions in steps of 45 degrees: ``azimuth:0`` to ``azimuth:4``."""
    difference = azimuth_difference(benchmark, pairs)[found.asked.pair]
    if not (difference >= 0).any():
        raise UsageError(f"--by azimuth: {benchmark.name} knows no viewing directions; leave it out")
    return [_of_values("azimuth", difference)]


def by_keypoint(benchmark: Benchmark, pairs: Pairs, found: Landings) -> list[Groups]:
    """Return the names of the keypoints, those of equal name in several skeletons together: ``keypoint:nose``."""
    return [_of_names("keypoint", _names(benchmark, pairs, found, in_groups=False))]


def by_type(benchmark: Benchmark, pairs: Pairs, found: Landings) -> list[Groups]:
    """Return the subgroup of each keypoint, or its name where it is in none: ``type:knee``."""
    return [_of_names("type", _names(benchmark, pairs, found, in_groups=True))]


def by_visible(benchmark: Benchmark, pairs: Pairs, found: Landings) -> list[Groups]:
    """Return how many keypoints of the subgroup are visible in the answered image, the right one among them.

    ``subgroup_visible:1`` is never geometry-aware; keypoints in no subgroup are left out.
    """
    asked, visible = found.asked, benchmark.instances.visible
    count = np.full((len(pairs), visible.shape[1]), -1, np.int64)
    for skeleton, rows in pairs.by_skeleton(benchmark):
        members = skeleton.group_matrix(visible.shape[1]).astype(np.int64)
        in_view = (visible[asked.answer_row[rows]].astype(np.int64) @ members.T) @ members
        count[rows] = np.where(members.any(axis=0), in_view, -1)
    return [_of_values("subgroup_visible", count[asked.pair, asked.keypoint])]


def by_difficulty(benchmark: Benchmark, pairs: Pairs, found: Landings) -> list[Groups]:
    """Return a division for each flag that the dataset gives its pairs: ``viewpoint_variation:2``."""
    if not pairs.attributes:
        raise UsageError(f"--by difficulty: {benchmark.name} says nothing of how difficult its pairs are; leave it out")
    return [_of_values(name, values[found.asked.pair].astype(np.int64)) for name, values in pairs.attributes.items()]


BY: dict[str, Callable[[Benchmark, Pairs, Landings], list[Groups]]] = {
    "category": by_category,
    "azimuth": by_azimuth,
    "keypoint": by_keypoint,
    "type": by_type,
    "visible": by_visible,
    "difficulty": by_difficulty,
}


def _of_values(name: str, values: Int64[np.ndarray, " r"]) -> Groups:
    known = np.unique(values[values >= 0])
    return Groups([f"{name}:{value}" for value in known], np.where(values < 0, -1, np.searchsorted(known, values)))


def _of_names(name: str, values: np.ndarray) -> Groups:
    codes, known = pd.factorize(values.astype(object), sort=True)
    return Groups([f"{name}:{value}" for value in known], codes.astype(np.int64))


def _names(benchmark: Benchmark, pairs: Pairs, found: Landings, *, in_groups: bool) -> np.ndarray:
    """Return the name of each keypoint asked for, or of its subgroup."""
    table = np.full((len(pairs), benchmark.instances.visibility.shape[1]), "", dtype=object)
    for skeleton, rows in pairs.by_skeleton(benchmark):
        names = list(skeleton.names)
        for group, members in skeleton.groups.items() if in_groups else ():
            for member in members:
                names[member] = group
        table[rows, : len(skeleton)] = names
    named: np.ndarray = table[found.asked.pair, found.asked.keypoint]
    return named

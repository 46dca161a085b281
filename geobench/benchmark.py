"""Benchmark and Pairs: the data model that every step to the right of a builder reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int8, Int32

from geobench.card import ANY_CATEGORY, Card, ThresholdRule
from geobench.errors import InputError, UsageError, nearest_names
from geobench.geometry_aware import geometry_aware_keypoints
from geobench.instances import Instances
from geobench.skeleton import Skeleton

if TYPE_CHECKING:
    from geobench.picture import Picture


@dataclass(frozen=True, eq=False)
class Pairs:
    """Ordered image pairs of one split, P rows.

    Attributes:
        source, target: row numbers into :class:`Instances`.
        category: the label under which the pair is counted (AP-10K: species, family, or ``all``).
        attributes: what the dataset says of each pair, as small whole numbers by name (SPair-71k:
            ``viewpoint_variation``, ``scale_variation``, ``truncation``, ``occlusion``, ``mirror``).
    """

    source: Int32[np.ndarray, " p"]
    target: Int32[np.ndarray, " p"]
    category: np.ndarray
    attributes: Mapping[str, Int8[np.ndarray, " p"]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: np.ndarray) -> Pairs:
        """Return the pairs at ``rows`` (numbers or a mask), in that order."""
        attributes = {name: values[rows] for name, values in self.attributes.items()}
        return Pairs(self.source[rows], self.target[rows], self.category[rows], attributes)

    def mutual(self, benchmark: Benchmark) -> Bool[np.ndarray, "p k"]:
        """Return which keypoints are visible in both images of each pair."""
        visible = benchmark.instances.visible
        return visible[self.source] & visible[self.target]

    def geometry_aware(self, benchmark: Benchmark) -> Bool[np.ndarray, "p k"]:
        """Return which keypoints of each pair are geometry-aware (see :mod:`geobench.geometry_aware`)."""
        mutual = self.mutual(benchmark)
        target_visible = benchmark.instances.visible[self.target]
        tags = np.zeros_like(mutual)
        for skeleton, rows in self.by_skeleton(benchmark):
            groups = skeleton.group_matrix(mutual.shape[1])
            tags[rows] = geometry_aware_keypoints(mutual[rows], target_visible[rows], groups)
        return tags

    def by_skeleton(self, benchmark: Benchmark) -> list[tuple[Skeleton, np.ndarray]]:
        """Return the distinct skeletons of these pairs, each with the rows that use it."""
        labels, codes = np.unique(self.category, return_inverse=True)
        chosen = [benchmark.skeleton(str(label)) for label in labels]
        distinct = {id(skeleton): skeleton for skeleton in chosen}
        owner = np.array([id(skeleton) for skeleton in chosen])[codes] if len(chosen) else np.zeros(0, int)
        return [(skeleton, np.flatnonzero(owner == key)) for key, skeleton in distinct.items()]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A correspondence benchmark: instances, pairs per split, skeletons, and the rule of the PCK threshold.

    Attributes:
        skeletons: by category; the key ``*`` stands for every category not listed.
        threshold: ``bbox`` or ``image``: whose longer side PCK's alpha multiplies.
        image_root: folder that image and mask paths are relative to.
        recipe: what decides the pairs besides the data: seed, limits, options; part of the fingerprint.
        provenance: where it came from: sources, their hashes, what was left out; not part of the fingerprint.
        folder: where it is stored, None before it is saved.
    """

    name: str
    card: Card
    skeletons: Mapping[str, Skeleton]
    instances: Instances
    splits: Mapping[str, Pairs]
    threshold: ThresholdRule
    image_root: Path
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def skeleton(self, category: str) -> Skeleton:
        """Return the skeleton of a category.

        Raises:
            InputError: the category has none and the benchmark has no common one.
        """
        found = self.skeletons.get(category) or self.skeletons.get(ANY_CATEGORY)
        if found is None:
            raise InputError(
                f"{self.name}: no skeleton for category {category!r}{nearest_names(category, self.skeletons)}"
            )
        return found

    def split(self, name: str) -> Pairs:
        """Return the pairs of a split.

        Raises:
            UsageError: the benchmark has no split of this name.
        """
        if name not in self.splits:
            raise UsageError(f"{self.name} has no split {name!r}{nearest_names(name, self.splits)}")
        return self.splits[name]

    def test_splits(self) -> tuple[str, ...]:
        """Return the names of the test splits that have pairs.

        Raises:
            UsageError: there is none.
        """
        names = tuple(name for name, pairs in self.splits.items() if name.split("/")[0] == "test" and len(pairs))
        if not names:
            raise UsageError(
                f"{self.name} has no test split with pairs; name one with --split: {', '.join(self.splits)}"
            )
        return names

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical content, 64 hexadecimal digits (see :mod:`geobench.fingerprint`)."""
        from geobench.fingerprint import fingerprint

        return fingerprint(self)

    def picture(self, row: int) -> Picture:
        """Return what a method may know of instance ``row``: pixels, category, box, mask; never keypoints."""
        from geobench.picture import Picture

        table = self.instances
        mask = str(table.mask[row])
        return Picture(
            key=str(table.id[row]),
            path=self.image_root / str(table.image[row]),
            size=(int(table.width[row]), int(table.height[row])),
            category=str(table.category[row]),
            box=tuple(float(v) for v in table.bbox[row]),  # type: ignore[arg-type]
            mask_path=self.image_root / mask if mask else None,
        )

    def save(self, folder: Path | str) -> Path:
        """Write the benchmark to ``folder`` (whole, or not at all) and return the folder."""
        from geobench.storage import save_benchmark

        return save_benchmark(self, Path(folder))

"""The pairs to train on: those with a common keypoint, and each as the losses want it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError, UsageError, nearest_names
from geobench.evaluation.pair_selection import select_pairs
from geobench.training.features import Described
from geobench.training.perturbation import published_image_size
from geobench.training.views import Shown, ShownPair


def usable_pairs(benchmark: Benchmark, split: str, categories: Sequence[str] = (), limit: int | None = None) -> Pairs:
    """Return the pairs of a split whose images have a keypoint in common.

    Args:
        benchmark: where they are.
        split: its name.
        categories: only pairs with these labels; all where it is empty.
        limit: take only so many, spread evenly.

    Raises:
        InputError: there is none.
        UsageError: there is no such split, or no such category in it.
    """
    pairs = benchmark.split(split)
    if categories:
        known = np.unique(pairs.category.astype(str)).tolist()
        for name in categories:
            if name not in known:
                raise UsageError(f"split {split} has no category {name!r}{nearest_names(name, known)}")
        pairs = pairs.take(np.flatnonzero(np.isin(pairs.category.astype(str), list(categories))))
    pairs = pairs.take(np.flatnonzero(pairs.mutual(benchmark).any(axis=1)))
    if not len(pairs):
        raise InputError(f"{benchmark.name}: split {split} has no pair with a common keypoint; train on another split")
    return pairs.take(select_pairs(len(pairs), limit))


def check_mirrors(benchmark: Benchmark, pairs: Pairs) -> None:
    """Refuse categories whose mirror partners nobody stated, where training mirrors images.

    Raises:
        InputError: a category has geometry-aware subgroups and no keypoint with a mirror partner.
    """
    for label in np.unique(benchmark.instances.category[np.union1d(pairs.source, pairs.target)]).tolist():
        skeleton = benchmark.skeleton(str(label))
        if skeleton.groups and skeleton.mirror == tuple(range(len(skeleton))):
            raise InputError(
                f"{benchmark.name}: category {label} has no mirror table; add mirror to its card and build it again, "
                "or set double_flip, single_flip and self_flip to 0 under [loss]"
            )


@dataclass(frozen=True, eq=False)
class PairMaker:
    """Makes training pairs of descriptions.

    Attributes:
        benchmark: where instances and skeletons are.
        mirrored: whether a pair has its mirror images.
        published: with the image threshold, perturb by the published code's fixed size.
    """

    benchmark: Benchmark
    mirrored: bool
    published: bool = False

    def __call__(self, source: int, target: int, ends: tuple[Described, Described]) -> ShownPair:
        """Return the pair of two instances (row numbers), described."""
        mirror = self.benchmark.skeleton(str(self.benchmark.instances.category[source])).mirror
        shown = [self._shown(row, end, len(mirror)) for row, end in zip((source, target), ends, strict=True)]
        if not self.mirrored:
            return ShownPair(*shown)
        turned = [
            one.mirrored(end.mirrored, mirror) for one, end in zip(shown, ends, strict=True) if end.mirrored is not None
        ]
        return ShownPair(*shown, *turned)

    def _shown(self, row: int, end: Described, keypoints: int) -> Shown:
        table = self.benchmark.instances
        return Shown(
            key=str(table.id[row]),
            features=end.plain,
            points=torch.from_numpy(table.keypoints[row, :keypoints].copy()),
            visible=torch.from_numpy(table.visible[row, :keypoints].copy()),
            size=self._size(row, end),
        )

    def _size(self, row: int, end: Described) -> float:
        table = self.benchmark.instances
        if self.benchmark.threshold == "bbox":
            return float(table.bbox[row, 2:].max())
        return published_image_size(end.plain) if self.published else float(max(end.plain.letterbox.image))

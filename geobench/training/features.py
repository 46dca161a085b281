"""What training needs of an image: the raw features of the picture and, where asked, of its mirror image.

Both are described once and kept together, so that the runner's plan and memory budget
(:mod:`geobench.evaluation.plan`) count them as one description.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from geobench.errors import InputError
from geobench.features.feature_map import FeatureMap
from geobench.features.weights import Weights
from geobench.methods.base import LoadedMethod
from geobench.methods.parts import Extractor, extract
from geobench.methods.post_processing import grouped
from geobench.methods.recipe import Recipe, build_extractors
from geobench.picture import Picture
from geobench.seeding import seed_for


@dataclass(frozen=True, eq=False)
class Described:
    """The raw features of one image.

    Attributes:
        plain: what enters the post-processor for the picture as it is.
        mirrored: the same for its mirror image, where augmentations need it.
        groups: the channels of each group.
    """

    plain: FeatureMap
    mirrored: FeatureMap | None
    groups: tuple[int, ...]


class TrainingFeatures:
    """Describes images by their raw features; in the runner's eyes a method that never matches.

    Args:
        name: of the recipe.
        extractors: image to feature map, one per group of the recipe.
        seed: with a picture's key it seeds what an extractor draws.
        mirrored: whether mirror images are described too.
        dtype: how features are kept.
    """

    def __init__(
        self, name: str, extractors: Sequence[Extractor], seed: int, mirrored: bool, dtype: torch.dtype
    ) -> None:
        self.name, self.extractors, self.seed, self.both, self.dtype = name, extractors, seed, mirrored, dtype

    @property
    def batch(self) -> int:
        """How many images are described together."""
        return max(int(getattr(extractor, "batch", 1)) for extractor in self.extractors)

    def describe(self, picture: Picture) -> Described:
        """Return the raw features of one image."""
        return self.describe_many([picture], [seed_for(self.seed, picture.key)])[0]

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Described]:
        """Return the raw features of each picture, drawn with its own seed; its mirror image has its own key's."""
        plain = self._raw(pictures, seeds)
        if not self.both:
            return [Described(one, None, groups) for one, groups in plain]
        turned = [picture.mirrored() for picture in pictures]
        mirrored = self._raw(turned, [seed_for(self.seed, picture.key) for picture in turned])
        return [Described(one, other, groups) for (one, groups), (other, _) in zip(plain, mirrored, strict=True)]

    def match(self, source: Described, target: Described, points: torch.Tensor) -> torch.Tensor:
        """Refuse: raw features are not matched."""
        raise NotImplementedError("training features are never matched")

    def _raw(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[tuple[FeatureMap, tuple[int, ...]]]:
        each = [extract(extractor, pictures, seeds) for extractor in self.extractors]
        found = [grouped(levels) for levels in zip(*each, strict=True)]
        return [(replace(one, features=one.features.to(self.dtype)), groups) for one, groups in found]


def load_features(
    recipe: Recipe, path: Path, seed: int, mirrored: bool, dtype: str, device: str, weights: Weights | None
) -> LoadedMethod:
    """Return what describes images for a training recipe.

    Args:
        recipe: it, with ``[[features]]``.
        path: its file.
        seed: of what extractors draw.
        mirrored: whether mirror images are described too.
        dtype: ``float32`` or ``float16``.
        device: torch device.
        weights: where the networks' weights come from; by default this machine and the hub.

    Raises:
        InputError: the recipe has no features, or weights are missing.
    """
    if not recipe.features:
        raise InputError(f"{path}: a post-processor is trained on [[features]]; the recipe has none")
    weights = weights or Weights()
    groups = build_extractors(recipe, path, device, weights)
    weights.check_all_used()
    extractors, tables = [extractor for extractor, _ in groups], [table for _, table in groups]
    made = TrainingFeatures(path.stem, extractors, seed, mirrored, getattr(torch, dtype))
    resolved = recipe.model_dump(mode="json", exclude_none=True) | {"features": tables}
    return LoadedMethod(made, path.stem, recipe.title, recipe.setting, str(path), resolved, None, dict(weights.loaded))


def without_mirrored(features: LoadedMethod) -> LoadedMethod:
    """Return what describes the same images without their mirror images, by the same networks.

    Args:
        features: from :func:`load_features`.
    """
    made = copy.copy(features.method)
    if isinstance(made, TrainingFeatures):
        made.both = False
    return replace(features, method=made)

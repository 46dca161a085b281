"""Splits and pairs for datasets that publish none: images dealt to splits by a hash, pairs within a category.

The recipe is ours. An image is in one split with all its instances; which one depends on the seed and its name
alone, so images that are added or absent move no other. Pairs are drawn per split and category from a generator
of their own, CPython's ``random`` (Mersenne Twister), so categories do not disturb each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from random import Random
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from geobench.benchmark import Pairs
from geobench.builders.sampling import draw
from geobench.instances import Instances
from geobench.typed_toml import StrictModel

Count = Annotated[int, Field(ge=0)]
SPLITS = ("train", "val", "test")


class TrainPart(StrictModel):
    """``train`` takes the images that ``val`` and ``test`` leave."""

    pairs_per_category: Count


class HeldOutPart(TrainPart):
    """``share`` of the images goes to this split."""

    share: Annotated[float, Field(ge=0, le=1)]


class WithinCategoryRecipe(StrictModel):
    """The table ``[splits]`` of a card.

    Attributes:
        seed: of the dealing of images and the drawing of pairs.
        minimum_mutual_keypoints: a pair needs so many keypoints visible in both images.
        train, val, test: share of the images, and at most so many pairs of each category.
    """

    seed: int
    minimum_mutual_keypoints: Annotated[int, Field(ge=1)]
    train: TrainPart
    val: HeldOutPart
    test: HeldOutPart

    @model_validator(mode="after")
    def _shares_fit(self) -> WithinCategoryRecipe:
        if self.val.share + self.test.share > 1:
            raise ValueError("the shares of val and test add up to more than 1")
        return self

    def split_of(self, images: np.ndarray) -> np.ndarray:
        """Return the split of each image: ``test`` takes the low hashes, ``val`` the next, ``train`` the rest."""
        names, inverse = np.unique(images, return_inverse=True)
        position = np.asarray([_hash_position(f"{self.seed}/{name}") for name in names.tolist()], dtype=np.float64)
        held_out = np.where(position < self.test.share, "test", "val")
        return np.where(position < self.test.share + self.val.share, held_out, "train")[inverse]


def _hash_position(text: str) -> float:
    """Return a number in [0, 1) that is evenly spread over texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def within_category_splits(
    instances: Instances, recipe: WithinCategoryRecipe, split: np.ndarray | None = None
) -> Iterator[tuple[str, Pairs]]:
    """Yield ``train``, ``val`` and ``test``: pairs of different images of a category, categories sorted.

    No two instances are paired twice in a split; which of the two is the source is drawn too.

    Args:
        instances: several may share an image; those are never paired.
        recipe: shares, seed, limits.
        split: the split of each instance where the dataset says it; by default the recipe deals the images.
    """
    split = recipe.split_of(instances.image) if split is None else split
    labels = sorted(set(instances.category.tolist()))
    for name in SPLITS:
        part: TrainPart = getattr(recipe, name)
        drawn = []
        for label in labels:
            rows = np.flatnonzero((split == name) & (instances.category == label))
            rng = Random(f"{recipe.seed}/{name}/{label}")
            drawn.append(draw(rng, _candidates(instances, rows, rng, recipe), part.pairs_per_category))
        source = np.concatenate([np.zeros(0, np.int32), *(pairs[0] for pairs in drawn)])
        target = np.concatenate([np.zeros(0, np.int32), *(pairs[1] for pairs in drawn)])
        yield name, Pairs(source, target, instances.category[source])


def _candidates(
    instances: Instances, rows: np.ndarray, rng: Random, recipe: WithinCategoryRecipe
) -> tuple[np.ndarray, np.ndarray]:
    """Return all usable pairs of ``rows``, each once; their order and direction come from a shuffle."""
    # By id, so that the order of the rows decides nothing.
    shuffled = rows[np.argsort(instances.id[rows], kind="stable")].astype(np.int32).tolist()
    rng.shuffle(shuffled)
    order = np.asarray(shuffled, dtype=np.int32)
    seen = instances.visible[order].astype(np.float32)
    image = instances.image[order]
    usable = (seen @ seen.T >= recipe.minimum_mutual_keypoints) & (image[:, None] != image[None, :])
    first, second = np.nonzero(np.triu(usable, k=1))
    return order[first], order[second]

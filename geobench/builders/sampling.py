"""AP-10K pair sampling: intra-species, cross-species and cross-family.

Source of the procedure and of the order of its random draws: prepare_ap10k.ipynb of GeoAware-SC, cells 2 to 5.
The draws are those of CPython's ``random`` (Mersenne Twister, ``shuffle``, ``sample``); all else is vectorised.
Where the notebook follows the file system (species, images), the order here is that of the sorted names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from random import Random
from typing import Annotated, Any

import numpy as np
from jaxtyping import Int32, UInt8
from pydantic import Field

from geobench.benchmark import Pairs
from geobench.typed_toml import StrictModel

ALL_LABEL = "all"
Count = Annotated[int, Field(ge=0)]
Rows = Int32[np.ndarray, " _"]
Candidates = tuple[Rows, Rows]


class HeldOutSplit(StrictModel):
    """How many images and pairs ``val`` or ``test`` takes."""

    images_per_species: Count
    cross_species_pairs_per_family: Count
    cross_family_pairs_per_family_pair: Count


class TrainSplit(StrictModel):
    """At most ``pairs_per_image`` times the number of training images, per species."""

    pairs_per_image: Count


class SplitRecipe(StrictModel):
    """The table ``[splits]`` of an AP-10K card.

    Attributes:
        seed: of every setting; the generator starts anew with it for each of the three.
        minimum_keypoints: an image whose ``num_keypoints`` is lower is left out.
        minimum_mutual_weight: a pair needs ``sum(v1/2 * v2/2)`` of at least this (v: COCO flags 0, 1, 2).
        crowd_list: file name of the list of images to leave out; empty when the dataset has none.
    """

    seed: int
    minimum_keypoints: Count
    minimum_mutual_weight: Annotated[float, Field(ge=0)]
    crowd_list: str = ""
    test: HeldOutSplit
    val: HeldOutSplit
    train: TrainSplit


@dataclass(frozen=True, eq=False)
class Species:
    """One species with its usable images (row numbers in the order of their names); there may be none."""

    family: str
    name: str
    rows: Rows

    def part(self, split: str, recipe: SplitRecipe) -> Rows:
        """Return the rows of ``train``, ``val`` or ``test``: test takes the last images, val those before."""
        n = len(self.rows)
        test_from = n - min(recipe.test.images_per_species, n)
        val_from = test_from - min(recipe.val.images_per_species, test_from)
        bounds = {"train": (0, val_from), "val": (val_from, test_from), "test": (test_from, n)}
        return self.rows[slice(*bounds[split])]


class PairSampler:
    """Draws the pairs of every split of a benchmark.

    Args:
        visibility: COCO flags of all usable images, [N, K].
        species: in the order of (family, name); those without usable images change nothing.
        recipe: numbers of images and pairs, and the seed.
    """

    def __init__(self, visibility: UInt8[np.ndarray, "n k"], species: Sequence[Species], recipe: SplitRecipe) -> None:
        # Sums of products of the flags 0, 1, 2 are small integers, exact in float32, which BLAS multiplies fast.
        self._flags = visibility.astype(np.float32)
        self._least = 4 * recipe.minimum_mutual_weight
        self._species = species
        self._families = [list(members) for _, members in groupby(species, key=lambda one: one.family)]
        self._recipe = recipe

    def splits(self) -> Iterator[tuple[str, Pairs]]:
        """Yield the seven splits by name; the generator state runs on from split to split within a setting."""
        rng = self._fresh_generator()
        for split in ("train", "test", "val"):
            yield split if split == "train" else f"{split}/intra-species", self._intra_species(rng, split)
        rng = self._fresh_generator()
        for split in ("val", "test"):
            yield f"{split}/cross-species", self._cross_species(rng, split)
        rng = self._fresh_generator()
        for split in ("test", "val"):
            yield f"{split}/cross-family", self._cross_family(rng, split)

    def _fresh_generator(self) -> Random:
        return Random(self._recipe.seed)

    def _part(self, species: Species, split: str) -> Rows:
        return species.part(split, self._recipe)

    def _held_out(self, split: str) -> HeldOutSplit:
        return self._recipe.test if split == "test" else self._recipe.val

    def _seen_together(self, source: Rows, target: Rows) -> np.ndarray:
        together: np.ndarray = self._flags[source] @ self._flags[target].T
        return together >= self._least

    def _intra_species(self, rng: Random, split: str) -> Pairs:
        found = []
        for species in self._species:
            shuffled = self._part(species, split).tolist()
            rng.shuffle(shuffled)
            rows = np.asarray(shuffled, dtype=np.int32)
            first, second = np.nonzero(np.triu(self._seen_together(rows, rows), k=1))
            limit = self._recipe.train.pairs_per_image * len(rows) if split == "train" else len(first)
            found.append((species.name, draw(rng, (rows[first], rows[second]), limit)))
        return _join(found)

    def _cross_species(self, rng: Random, split: str) -> Pairs:
        limit = self._held_out(split).cross_species_pairs_per_family
        found = []
        for family in self._families:
            blocks = []
            for one, other in combinations([self._part(species, split) for species in family], 2):
                # The notebook draws a swap for each pair and then forgets it; the draws must be spent all the same.
                for _ in range(len(one) * len(other)):
                    rng.random()
                blocks.append(self._product(one, other))
            found.append((family[0].family, draw(rng, _concatenate(blocks), limit)))
        return _join(found)

    def _cross_family(self, rng: Random, split: str) -> Pairs:
        limit = self._held_out(split).cross_family_pairs_per_family_pair
        rows = [np.concatenate([self._part(species, split) for species in family]) for family in self._families]
        drawn = [draw(rng, self._product(one, other), limit) for one, other in combinations(rows, 2)]
        return _join([(ALL_LABEL, pairs) for pairs in drawn])

    def _product(self, one: Rows, other: Rows) -> Candidates:
        first, second = np.nonzero(self._seen_together(one, other))
        return one[first], other[second]


def draw(rng: Random, candidates: Candidates, limit: int) -> Candidates:
    """Return at most ``limit`` of the candidates, in the order that ``rng.sample`` of a list of them would give."""
    source, target = candidates
    # sample() looks at the length only, so a range draws what the list of pairs would.
    chosen = np.asarray(rng.sample(range(len(source)), min(limit, len(source))), dtype=np.intp)
    return source[chosen], target[chosen]


def _concatenate(blocks: Sequence[Candidates]) -> Candidates:
    empty = np.zeros(0, np.int32)
    return (
        np.concatenate([empty, *(source for source, _ in blocks)]),
        np.concatenate([empty, *(target for _, target in blocks)]),
    )


def _join(found: Sequence[tuple[str, Candidates]]) -> Pairs:
    source, target = _concatenate([pairs for _, pairs in found])
    labels = np.asarray([label for label, _ in found], dtype=np.str_)
    counts: Any = [len(pairs[0]) for _, pairs in found]
    return Pairs(source, target, np.repeat(labels, counts) if len(labels) else np.zeros(0, np.str_))

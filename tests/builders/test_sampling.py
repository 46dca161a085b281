"""The sampler against a plain transcription of the procedure: loops over pairs, lists of tuples, one generator."""

from __future__ import annotations

import random
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from geobench.builders.sampling import PairSampler, Species, SplitRecipe, draw
from geobench.catalog import find_card

Plain = list[tuple[int, int, str]]


def recipe(seed: int = 42, held_out: int = 3, pairs: int = 7, per_image: int = 2) -> SplitRecipe:
    limits = {"cross_species_pairs_per_family": pairs, "cross_family_pairs_per_family_pair": pairs}
    return SplitRecipe.model_validate(
        {
            "seed": seed,
            "minimum_keypoints": 3,
            "minimum_mutual_weight": 3,
            "test": {"images_per_species": held_out + 1, **limits},
            "val": {"images_per_species": held_out, **limits},
            "train": {"pairs_per_image": per_image},
        }
    )


class Transcription:
    """The procedure of cells 2 to 5 of prepare_ap10k.ipynb, pair by pair."""

    def __init__(self, flags: np.ndarray, species: list[Species], limits: SplitRecipe) -> None:
        self.flags, self.species, self.limits = flags, species, limits

    def part(self, one: Species, split: str) -> list[int]:
        rows = one.rows.tolist()
        n = len(rows)
        test = min(self.limits.test.images_per_species, n)
        val = min(self.limits.val.images_per_species, n - test)
        train = n - test - val
        return {"train": rows[:train], "val": rows[train : train + val], "test": rows[train + val :]}[split]

    def enough(self, source: int, target: int) -> bool:
        return float((self.flags[source] / 2 * self.flags[target] / 2).sum()) >= 3

    def intra(self) -> dict[str, Plain]:
        random.seed(self.limits.seed)
        found: dict[str, Plain] = {"train": [], "test": [], "val": []}
        for split, pairs in found.items():
            for one in self.species:
                rows = self.part(one, split)
                random.shuffle(rows)
                possible = [pair for pair in combinations(rows, 2) if self.enough(*pair)]
                most = self.limits.train.pairs_per_image * len(rows) if split == "train" else len(possible)
                drawn = random.sample(possible, min(most, len(possible)))
                pairs += [(*pair, one.name) for pair in drawn]
        return found

    def families(self) -> dict[str, list[Species]]:
        found: dict[str, list[Species]] = {}
        for one in self.species:
            found.setdefault(one.family, []).append(one)
        return found

    def cross_species(self) -> dict[str, Plain]:
        random.seed(self.limits.seed)
        found: dict[str, Plain] = {"val": [], "test": []}
        for split, pairs in found.items():
            most = getattr(self.limits, split).cross_species_pairs_per_family
            for family, members in self.families().items():
                if len(members) == 1:
                    continue
                everything = []
                for first, second in combinations(members, 2):
                    block = list(product(self.part(first, split), self.part(second, split)))
                    for _ in block:
                        random.random()
                    everything += block
                possible = [pair for pair in everything if self.enough(*pair)]
                pairs += [(*pair, family) for pair in random.sample(possible, min(most, len(possible)))]
        return found

    def cross_family(self) -> dict[str, Plain]:
        random.seed(self.limits.seed)
        found: dict[str, Plain] = {"test": [], "val": []}
        for split, pairs in found.items():
            most = getattr(self.limits, split).cross_family_pairs_per_family_pair
            rows = [[row for one in members for row in self.part(one, split)] for members in self.families().values()]
            for first, second in combinations(rows, 2):
                possible = [pair for pair in product(first, second) if self.enough(*pair)]
                pairs += [(*pair, "all") for pair in random.sample(possible, min(most, len(possible)))]
        return found

    def splits(self) -> dict[str, Plain]:
        intra = self.intra()
        return {
            "train": intra["train"],
            "val/intra-species": intra["val"],
            "test/intra-species": intra["test"],
            **{f"{split}/cross-species": pairs for split, pairs in self.cross_species().items()},
            **{f"{split}/cross-family": pairs for split, pairs in self.cross_family().items()},
        }


def make_species(counts: list[int], families: int) -> list[Species]:
    ends = np.cumsum([0, *counts])
    members = sorted((f"family{i % families}", f"species{i:02d}", i) for i in range(len(counts)))
    return [Species(f, name, np.arange(ends[i], ends[i + 1], dtype=np.int32)) for f, name, i in members]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 14), min_size=1, max_size=6),
    families=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    visible=st.sampled_from([0.3, 0.6, 0.95]),
    limits=st.tuples(st.integers(0, 6), st.integers(0, 40), st.integers(0, 60)),
)
def test_pairs_are_those_of_the_plain_procedure(
    counts: list[int], families: int, seed: int, visible: float, limits: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    n = max(sum(counts), 1)
    flags = np.where(rng.random((n, 8)) < visible, rng.integers(1, 3, (n, 8)), 0).astype(np.uint8)
    species, wanted = make_species(counts, families), recipe(seed, *limits)
    ours = dict(PairSampler(flags, species, wanted).splits())
    plain = Transcription(flags, species, wanted).splits()
    assert set(ours) == set(plain)
    for name, pairs in ours.items():
        rows = list(zip(pairs.source.tolist(), pairs.target.tolist(), pairs.category.tolist(), strict=True))
        assert rows == plain[name], name


@given(n=st.integers(0, 6000), limit=st.integers(0, 1000), seed=st.integers(0, 99))
def test_draw_is_a_sample_of_the_list_of_pairs(n: int, limit: int, seed: int) -> None:
    pairs = (np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int32)[::-1].copy())
    source, target = draw(random.Random(seed), pairs, limit)
    expected = random.Random(seed).sample(list(zip(*pairs, strict=True)), min(limit, n))
    assert list(zip(source, target, strict=True)) == expected


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(0, (0, 0, 0)), (5, (0, 0, 5)), (30, (0, 0, 30)), (31, (0, 1, 30)), (50, (0, 20, 30)), (80, (30, 20, 30))],
)
def test_test_takes_the_last_images_then_val(n: int, sizes: tuple[int, int, int]) -> None:
    species = Species("family", "species", np.arange(n, dtype=np.int32))
    card = SplitRecipe.model_validate(find_card("ap10k").splits)
    parts = [species.part(split, card) for split in ("train", "val", "test")]
    assert tuple(len(part) for part in parts) == sizes
    assert np.concatenate(parts).tolist() == list(range(n))


def test_a_mutual_weight_of_exactly_three_is_enough() -> None:
    ones, twos = np.ones((2, 12), np.uint8), np.full((2, 3), 2, np.uint8)
    for flags, pairs in ((ones, 1), (ones[:, :11], 0), (twos, 1), (twos[:, :2], 0)):
        species = [Species("f", "s", np.arange(2, dtype=np.int32))]
        assert len(dict(PairSampler(flags, species, recipe()).splits())["test/intra-species"]) == pairs


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValidationError):
        recipe(per_image=-1)

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.builders.within_category import WithinCategoryRecipe, within_category_splits
from geobench.instances import Instances


def recipe(seed: int = 42, limit: int = 50, test: float = 0.4, val: float = 0.3) -> WithinCategoryRecipe:
    return WithinCategoryRecipe.model_validate(
        {
            "seed": seed,
            "minimum_mutual_keypoints": 3,
            "train": {"pairs_per_category": limit},
            "val": {"share": val, "pairs_per_category": limit},
            "test": {"share": test, "pairs_per_category": limit},
        }
    )


def random_instances(seed: int, n: int, order: np.ndarray | None = None) -> Instances:
    """Return ``n`` instances on about half as many images, its rows in ``order``."""
    rng = np.random.default_rng(seed)
    image = [f"{number}.jpg" for number in rng.integers(0, max(1, n // 2), n)]
    category = rng.choice(["cat", "dog", "cow"], n).tolist()
    visibility = 2 * (rng.random((n, 6)) < 0.7).astype(np.uint8)
    order = np.arange(n) if order is None else order
    return Instances.from_columns(
        id=[f"{image[row]}#{row}" for row in order],
        image=[image[row] for row in order],
        size=np.zeros((n, 2)),
        bbox=np.ones((n, 4)),
        category=[category[row] for row in order],
        keypoints=np.zeros((n, 6, 2)),
        visibility=visibility[order],
    )


def named(instances: Instances, found: WithinCategoryRecipe) -> dict[str, list[tuple[str, str]]]:
    ids = instances.id
    return {
        name: list(zip(ids[pairs.source].tolist(), ids[pairs.target].tolist(), strict=True))
        for name, pairs in within_category_splits(instances, found)
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), limit=st.integers(0, 60))
def test_pairs_are_usable_different_and_within_a_split(seed, n, limit):
    instances, found = random_instances(seed, n), recipe(limit=limit)
    owner = {}
    for name, pairs in within_category_splits(instances, found):
        image = instances.image
        assert (image[pairs.source] != image[pairs.target]).all()
        assert (instances.category[pairs.source] == pairs.category).all()
        assert (instances.category[pairs.target] == pairs.category).all()
        mutual = instances.visible[pairs.source] & instances.visible[pairs.target]
        assert (mutual.sum(axis=1) >= 3).all()
        assert len({frozenset(pair) for pair in zip(pairs.source, pairs.target, strict=True)}) == len(pairs)
        assert all(count <= limit for count in np.unique(pairs.category, return_counts=True)[1])
        for used in set(image[np.concatenate([pairs.source, pairs.target])].tolist()):
            assert owner.setdefault(used, name) == name


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40))
def test_the_order_of_the_rows_does_not_matter(seed, n):
    order = np.random.default_rng(seed + 1).permutation(n)
    assert named(random_instances(seed, n), recipe()) == named(random_instances(seed, n, order), recipe())


def test_without_a_limit_every_usable_pair_is_there_once():
    instances = random_instances(3, 50)
    pairs = dict(within_category_splits(instances, recipe(limit=10**6, test=1.0, val=0.0)))["test"]
    seen = instances.visible.astype(int)
    usable = (seen @ seen.T >= 3) & (instances.category[:, None] == instances.category)
    usable &= instances.image[:, None] != instances.image
    assert len(pairs) == np.triu(usable, k=1).sum() > 50


def test_both_directions_occur():
    pairs = dict(within_category_splits(random_instances(3, 50), recipe(limit=10**6, test=1.0, val=0.0)))["test"]
    share = (pairs.source < pairs.target).mean()
    assert 0.3 < share < 0.7


def test_more_images_move_no_other():
    images = np.array([f"{number}.jpg" for number in range(500)])
    split = recipe().split_of(images)
    np.testing.assert_array_equal(recipe().split_of(images[:100]), split[:100])
    assert 0.3 < (split == "test").mean() < 0.5
    assert 0.2 < (split == "val").mean() < 0.4
    assert (recipe(seed=1).split_of(images) != split).any()

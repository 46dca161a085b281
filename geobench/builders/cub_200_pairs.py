"""The pairs of CUB-200-2011, which publishes none: both recipes of the field, and lists of pairs that are published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Int64
from pydantic import Field

from geobench.benchmark import Pairs
from geobench.builders.notices import Notices
from geobench.builders.text_table import TextTable, read_text_table
from geobench.errors import InputError
from geobench.instances import Instances
from geobench.typed_toml import StrictModel

ANY_SPECIES = "all"  # the label of pairs that are not of one species, as in AP-10K's cross-family setting
SAME_SPLIT, ANY_SPLIT = "test/same-species", "test/any-species"
LISTS = {SAME_SPLIT: "class_pairs.txt", ANY_SPLIT: "random_pairs.txt"}  # names of Aygün & Mac Aodha, ECCV 2022


class SplitRecipe(StrictModel):
    """The table ``[splits]`` of the CUB card.

    Attributes:
        minimum_mutual_keypoints: a pair needs so many parts visible in both images.
        any_species_pairs: how many pairs of ``test/any-species`` are drawn.
        seed: of that drawing; the number of test images where it is absent, as in CSM.
        absent_images: ``keep`` pairs whose images are absent, or ``leave-out`` these images before pairs are formed.
    """

    minimum_mutual_keypoints: Annotated[int, Field(ge=1)]
    any_species_pairs: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    absent_images: Literal["keep", "leave-out"] = "keep"


def same_species(instances: Instances, rows: np.ndarray, recipe: SplitRecipe) -> Pairs:
    """Return every pair of ``rows`` of one species, each once, the earlier row as the source.

    Species come in the order of their first rows. Source of the recipe: DistillDIFT (Fundel et al., WACV 2025), class
    ``CUB`` of datasets/correspondence.py: all combinations of two images of a class, in the order of ``images.txt``.
    """
    labels = instances.category[rows]
    blocks = [np.zeros((0, 2), dtype=np.int64)]
    for label in dict.fromkeys(labels.tolist()):
        members = rows[labels == label]
        blocks.append(members[np.stack(np.triu_indices(len(members), k=1), axis=1)])
    return _usable(instances, np.concatenate(blocks), recipe, any_species=False)


def any_species(instances: Instances, rows: np.ndarray, recipe: SplitRecipe) -> Pairs:
    """Return random pairs of ``rows``: sources and targets are drawn independently, from all of them.

    Source of the recipe: CSM (Kulkarni et al., ICCV 2019), class ``CubTestDataset`` of csm/data/cub.py (NumPy's
    ``RandomState``, seeded with the number of images; two draws of ``choice``) and ``number_pairs`` of
    csm/data/base.py (10,000). Pairs of an image with itself, and repetitions of an earlier pair, are drawn there too;
    here they are left out.
    """
    count = recipe.any_species_pairs if len(rows) else 0
    rng = np.random.RandomState(len(rows) if recipe.seed is None else recipe.seed)
    drawn = [rng.choice(np.arange(len(rows)), count) if count else np.zeros(0, np.int64) for _ in range(2)]
    return _usable(instances, rows[np.stack(drawn, axis=1)], recipe, any_species=True)


def find_pair_lists(folder: Path) -> dict[str, Path]:
    """Return the test splits whose lists are in ``folder``: ``random_pairs.txt``, ``class_pairs.txt``, or both.

    Raises:
        InputError: neither list is there.
    """
    found = {split: folder / name for split, name in LISTS.items() if (folder / name).is_file()}
    if not found:
        raise InputError(f"{folder}: holds none of {', '.join(LISTS.values())}; give the folder of the pair lists")
    return found


def read_pair_list(path: Path, split: str, instances: Instances, recipe: SplitRecipe, notices: Notices) -> Pairs:
    """Return the pairs of a list of lines ``<source image_id> <target image_id>``.

    Source of the layout, and of reading the first 10,000 lines only (the recipe's ``any_species_pairs``): Aygün & Mac
    Aodha, ECCV 2022, evaluation/cub/data/cub.py.

    Args:
        path: of the list.
        split: ``test/same-species``, which refuses pairs of two species, or ``test/any-species``.
        instances: with the image ids as records, sorted.
        recipe: how many lines to read, and what a pair needs.
        notices: told how many pairs cannot be used.

    Raises:
        InputError: a line is malformed, names an image that is not in the dataset, or joins two species.
    """
    table = read_text_table(path, ("source", "target")).first(recipe.any_species_pairs)
    source, target = _rows(table, "source", instances), _rows(table, "target", instances)
    if split == SAME_SPLIT:
        species = instances.category
        table.refuse(
            species[source] != species[target], lambda row: f"joins {species[source[row]]} and {species[target[row]]}"
        )
    pairs = _usable(instances, np.stack([source, target], axis=1), recipe, any_species=split == ANY_SPLIT)
    if len(pairs) < len(table):
        notices.say(
            f"{path}: {len(table) - len(pairs)} of {len(table)} pairs are left out: they repeat an earlier one, join "
            f"an image with itself, or have fewer than {recipe.minimum_mutual_keypoints} parts visible in both"
        )
    return pairs


def _rows(table: TextTable, field: str, instances: Instances) -> Int64[np.ndarray, " p"]:
    given = table.integers(field)
    number = np.asarray(instances.record, dtype=str).astype(np.int64)
    rows = np.minimum(np.searchsorted(number, given), len(number) - 1)
    table.refuse(number[rows] != given, lambda row: f"{field} {given[row]} is not an image_id of the dataset")
    return rows


def _usable(instances: Instances, ends: Int64[np.ndarray, "p 2"], recipe: SplitRecipe, any_species: bool) -> Pairs:
    """Return the pairs, without repetitions, pairs of one image, and pairs with too few parts visible in both."""
    _, first = np.unique(ends[:, 0] * len(instances) + ends[:, 1], return_index=True)
    ends = ends[np.sort(first)]
    visible = instances.visible
    enough = (visible[ends[:, 0]] & visible[ends[:, 1]]).sum(axis=1) >= recipe.minimum_mutual_keypoints
    source, target = ends[enough & (ends[:, 0] != ends[:, 1])].astype(np.int32).T.copy()
    return Pairs(source, target, np.full(len(source), ANY_SPECIES) if any_species else instances.category[source])

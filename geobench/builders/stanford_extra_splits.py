"""The splits of StanfordExtra: the authors' lists of dogs where they are there, else a hash; pairs are ours.

The lists are those of WLDO (Biggs et al., ECCV 2020): ``<split>_stanford_StanfordExtra_v12.npy``, the numbers of the
records in the JSON file.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from geobench.benchmark import Pairs
from geobench.builders.within_category import SPLITS, WithinCategoryRecipe, within_category_splits
from geobench.errors import InputError
from geobench.instances import Instances

ANY_BREED = "all"  # the label of pairs that are not of one breed, as in AP-10K's cross-family setting
SAME_SPLIT, ANY_SPLIT = "test/same-breed", "test/any-breed"


class SplitRecipe(WithinCategoryRecipe):
    """The table ``[splits]`` of the StanfordExtra card; a category is a breed.

    Attributes:
        any_breed_pairs: how many pairs of ``test/any-breed`` are drawn at most.
    """

    any_breed_pairs: Annotated[int, Field(ge=0)]


def list_paths(folder: Path) -> dict[str, Path]:
    """Return the authors' lists in ``folder`` by split, or nothing where there is none.

    Raises:
        InputError: some of the three lists are there and others are not.
    """
    paths = {split: folder / f"{split}_stanford_StanfordExtra_v12.npy" for split in SPLITS}
    absent = [path for path in paths.values() if not path.is_file()]
    if absent and len(absent) < len(paths):
        raise InputError(f"{absent[0]}: no such file, but other lists of the split are there; fetch it, or remove them")
    return {} if absent else paths


def read_lists(paths: dict[str, Path], n: int) -> np.ndarray:
    """Return the split of each of ``n`` records, empty for one that is in no list.

    Raises:
        InputError: a list is not an array of record numbers, or names a record twice or one that there is not.
    """
    split = np.full(n, "", dtype="<U5")
    for name, path in paths.items():
        rows = _read_numbers(path)
        bad = np.flatnonzero((rows < 0) | (rows >= n))
        if len(bad):
            raise InputError(f"{path}: entry {bad[0]} is record {rows[bad[0]]}, there are {n}; fetch both files again")
        taken = np.flatnonzero(split[rows] != "")
        if len(taken) or len(np.unique(rows)) < len(rows):
            row = rows[taken[0]] if len(taken) else np.sort(rows)[:-1][np.diff(np.sort(rows)) == 0][0]
            raise InputError(f"{path}: record {row} is in the lists twice; fetch them again")
        split[rows] = name
    return split


def _read_numbers(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's on headers that Python 2 wrote
            numbers = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy's header parser raises nearly anything on damaged files
        raise InputError(f"{path}: not a readable array of numbers ({type(error).__name__}); fetch it again") from error
    if not isinstance(numbers, np.ndarray) or numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise InputError(f"{path}: must be one list of whole numbers; fetch it again")
    return numbers.astype(np.int64)


def make_splits(instances: Instances, recipe: SplitRecipe, split: np.ndarray) -> Iterator[tuple[str, Pairs]]:
    """Yield ``train``, ``val`` and ``test/same-breed``: pairs of one breed; then ``test/any-breed``: of any dogs.

    Args:
        instances: their categories are the breeds.
        recipe: seed and limits.
        split: of each instance.
    """
    for name, pairs in within_category_splits(instances, recipe, split):
        yield SAME_SPLIT if name == "test" else name, pairs
    anyhow = replace(instances, category=np.full(len(instances), ANY_BREED))
    limits = {"pairs_per_category": recipe.any_breed_pairs}
    drawn = recipe.model_copy(update={"test": recipe.test.model_copy(update=limits)})
    pairs = dict(within_category_splits(anyhow, drawn, np.where(split == "test", "test", "")))["test"]
    yield ANY_SPLIT, pairs

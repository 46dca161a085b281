"""CUB-200-2011 (Wah et al., 2011) -> Benchmark: birds of 200 species, 15 parts, two ways to pair them.

The dataset has images and a training and test set, but no pairs. Both recipes are in use elsewhere (see
``datasets/cub-200/README.md``): every pair of one species, and random pairs of any birds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.absent_images import refuse_absent
from geobench.builders.assembly import assemble
from geobench.builders.cub_200_files import FILES, Birds, read_birds
from geobench.builders.cub_200_pairs import (
    ANY_SPLIT,
    SAME_SPLIT,
    SplitRecipe,
    any_species,
    find_pair_lists,
    read_pair_list,
    same_species,
)
from geobench.builders.image_sizes import sizes_where_present
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions, split_recipe
from geobench.builders.outside import first_outside
from geobench.card import Card
from geobench.errors import InputError, UsageError
from geobench.files import sha256_of
from geobench.instances import Instances

OPTIONS = frozenset({"seed", "require_images", "pair_annotations"})
_VISIBLE = 2  # COCO's flag; CUB's 1 says "visible"
_FAMILY = "bird"


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the CUB-200-2011 files in ``source``.

    Width and height of an instance are 0 where its image is absent: the annotations do not tell them.

    Args:
        source: the folder ``CUB_200_2011`` (``images.txt``, ``parts/`` …, ``images/``), or the folder that holds it.
        card: with the split recipe (:class:`SplitRecipe`).
        options: those in ``OPTIONS``.

    Raises:
        InputError: a file or a line is missing or malformed, or an image is absent and required.
    """
    recipe = _split_recipe(card, options)
    if card.keypoints is None:
        raise InputError(f"card {card.name}: this builder needs one [keypoints] table shared by all species; add it")
    root = source / "CUB_200_2011" if (source / "CUB_200_2011").is_dir() else source
    notices = Notices(source)
    found = read_birds(root, card.keypoints.names, notices)
    found, size = _with_sizes(root / "images", found, recipe, options, notices)
    options.progress(1, 2)
    _tell_outside(found, size, card.keypoints.names, notices)
    instances = _instances(found, size)
    lists = _pair_lists(options)
    splits = _splits(instances, found.training, recipe) | {
        split: read_pair_list(path, split, instances, recipe, notices) for split, path in lists.items()
    }
    options.progress(2, 2)
    decided = {"procedure": "CUB-200-2011 pairs", **recipe.model_dump(mode="json")}
    origin = {
        "source_sha256": {name: sha256_of(root / name) for name in FILES}
        | {path.name: sha256_of(path) for path in lists.values()},
        "counts": _counts(found),
        "warnings": notices.sentences,
    }
    return assemble(card, instances, splits, root / "images", recipe=decided, provenance=origin)


def _split_recipe(card: Card, options: BuildOptions) -> SplitRecipe:
    if options.seed is not None and not 0 <= options.seed < 2**32:
        raise UsageError(f"--seed {options.seed}: NumPy's RandomState takes seeds from 0 to {2**32 - 1}")
    return split_recipe(card, options, SplitRecipe)


def _pair_lists(options: BuildOptions) -> dict[str, Path]:
    lists = find_pair_lists(options.pair_annotations) if options.pair_annotations is not None else {}
    if ANY_SPLIT in lists and options.seed is not None:
        raise UsageError(f"--seed draws {ANY_SPLIT}, but {lists[ANY_SPLIT]} lists it; leave one of them out")
    return lists


def _splits(instances: Instances, training: np.ndarray, recipe: SplitRecipe) -> dict[str, Pairs]:
    train, test = np.flatnonzero(training), np.flatnonzero(~training)
    return {
        "train": same_species(instances, train, recipe),
        SAME_SPLIT: same_species(instances, test, recipe),
        ANY_SPLIT: any_species(instances, test, recipe),
    }


def _counts(found: Birds) -> dict[str, int]:
    return {
        "train_images": int(found.training.sum()),
        "test_images": int((~found.training).sum()),
        "parts": found.labelled.shape[1],
    }


def _with_sizes(
    root: Path, found: Birds, recipe: SplitRecipe, options: BuildOptions, notices: Notices
) -> tuple[Birds, np.ndarray]:
    """Return the images to use, and their (width, height), 0 where the file is absent; tell of absent ones."""
    size = sizes_where_present(root, found.image.tolist())
    present = size[:, 0] > 0
    if present.all():
        return found, size
    first = root / str(found.image[~present][0])
    count = f"{int((~present).sum())} of {len(found)} images are absent"
    refuse_absent(first, count, options)
    if recipe.absent_images == "keep":
        notices.say(
            f"{first}: no such image; {count}; pairs are built all the same, the size of these images stays unknown "
            '(0), and the fingerprint is not that of a complete build; absent_images = "leave-out" in a copy of the '
            "card makes pairs of the others only"
        )
        return found, size
    if not present.any():
        raise InputError(f"{root}: none of the {len(found)} images is there; put them into {root}")
    notices.say(f"{first}: no such image; {count} and left out, as the card says")
    return found.take(present), size[present]


def _tell_outside(found: Birds, size: np.ndarray, names: tuple[str, ...], notices: Notices) -> None:
    first = first_outside(found.keypoints, found.labelled, size)
    if first is not None:
        row, part, x, y, total = first
        notices.say(
            f"parts/part_locs.txt: image_id {found.number[row]} ({found.image[row]}): {names[part]} at ({x:g}, {y:g}) "
            f"is outside the image ({total} such parts); they are kept"
        )


def _instances(found: Birds, size: np.ndarray) -> Instances:
    return Instances.from_columns(
        id=found.image.tolist(),
        image=found.image.tolist(),
        size=size,
        bbox=found.bbox,
        category=found.species.tolist(),
        family=[_FAMILY] * len(found),
        keypoints=found.keypoints,
        visibility=np.where(found.labelled, _VISIBLE, 0),
        record=[str(number) for number in found.number],
    )

"""StanfordExtra (Biggs et al., ECCV 2020) -> Benchmark: dogs of 120 breeds, 24 joints, pairs of a breed and of any."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark
from geobench.builders.absent_images import tell_absent
from geobench.builders.assembly import assemble
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions, split_recipe
from geobench.builders.outside import first_outside
from geobench.builders.stanford_extra_file import Dogs, read_dogs
from geobench.builders.stanford_extra_splits import SplitRecipe, list_paths, make_splits, read_lists
from geobench.card import Card
from geobench.errors import InputError, UsageError
from geobench.files import sha256_of
from geobench.instances import Instances

OPTIONS = frozenset({"seed", "require_images"})
IMAGE_FOLDERS = ("Images", "StanExtV12_Images", "sample_imgs")
"""The folder in the archive of Stanford Dogs, its name in BARC's code, that of the sample in the repository."""

_PLACES = (".", "labels", "StanfordExtra_V12", "StanfordExtra_V12/labels")
_VISIBLE = 2  # COCO's flag
_FAMILY = "dog"
_N_SPLITS = 4


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the StanfordExtra annotations in ``source``.

    Sizes are those of the annotations, so images may be absent.

    Args:
        source: holds ``StanfordExtra*.json`` (or ``StanfordExtra_V12`` with it), perhaps the authors' three lists
            beside it, and the images in one of ``IMAGE_FOLDERS``.
        card: with the split recipe (:class:`geobench.builders.stanford_extra_splits.SplitRecipe`).
        options: those in ``OPTIONS``; a seed draws other pairs, and deals the dogs anew where there are no lists.

    Raises:
        InputError: a file or a record is missing or malformed, or an image is absent and required.
    """
    recipe = split_recipe(card, options, SplitRecipe)
    if card.keypoints is None:
        raise InputError(f"card {card.name}: this builder needs one [keypoints] table shared by all breeds; add it")
    notices = Notices(source)
    path = _annotation_file(source)
    found = read_dogs(path, card.keypoints.names)
    root = _image_root(source)
    _tell_absent(root, found, options, notices)
    _tell_odd(path, found, card.keypoints.names, notices)
    lists = list_paths(path.parent)
    instances = _instances(found)
    split = read_lists(lists, len(found)) if lists else recipe.split_of(found.image)
    splits = {}
    for name, pairs in make_splits(instances, recipe, split):
        splits[name] = pairs
        options.progress(len(splits), _N_SPLITS)
    dealt = {"dogs": "the lists of the dataset" if lists else "dealt by hash"}
    decided = {"procedure": "geobench within-category", **dealt, **recipe.model_dump(mode="json")}
    hashes = {one.name: sha256_of(one) for one in (path, *lists.values())}
    origin = {"source_sha256": hashes, "warnings": notices.sentences}
    return assemble(card, instances, splits, root, recipe=decided, provenance=origin)


def _annotation_file(source: Path) -> Path:
    found = [path for place in _PLACES for path in sorted((source / place).glob("StanfordExtra*.json"))]
    if not found:
        raise InputError(f"{source}: holds no StanfordExtra*.json, nor in {', '.join(_PLACES[1:])}; put it there")
    if len(found) > 1:
        raise UsageError(f"{source}: holds {found[0].name} and {found[1].name}; leave only one of them there")
    return found[0]


def _image_root(source: Path) -> Path:
    folders = [source / name for name in IMAGE_FOLDERS if (source / name).is_dir()]
    return folders[0] if folders else source / IMAGE_FOLDERS[0]


def _tell_absent(root: Path, found: Dogs, options: BuildOptions, notices: Notices) -> None:
    names = np.unique(found.image).tolist()
    absent = [name for name in names if not (root / name).is_file()]
    if absent:
        count = f"{len(absent)} of {len(names)} annotated images are absent"
        tell_absent(root / absent[0], count, options, notices)


def _tell_odd(path: Path, found: Dogs, names: tuple[str, ...], notices: Notices) -> None:
    """Tell of joints outside their images, and of flags that are neither 0 nor 1."""
    first = first_outside(found.keypoints, found.labelled, found.size)
    if first is not None:
        row, joint, x, y, total = first
        notices.say(
            f"{path}: record {row} ({found.image[row]}): {names[joint]} at ({x:g}, {y:g}) is outside the image "
            f"({total} such joints); they are kept"
        )
    if found.odd:
        notices.say(f"{path}: {found.odd} flags of joints lie between 0 and 1; these joints count as not visible")


def _instances(found: Dogs) -> Instances:
    _, first = np.unique(found.image, return_index=True)
    again = ~np.isin(np.arange(len(found)), first)
    return Instances.from_columns(
        id=[f"{image}#{n}" if again[n] else image for n, image in enumerate(found.image.tolist())],
        image=found.image.tolist(),
        size=found.size,
        bbox=found.bbox,
        category=found.breed.tolist(),
        family=[_FAMILY] * len(found),
        keypoints=found.keypoints,
        visibility=np.where(found.labelled, _VISIBLE, 0),
        record=[str(record) for record in found.record],
    )

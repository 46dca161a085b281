"""Animal-Pose (Cao et al., ICCV 2019, Part I) -> Benchmark: five animals, 20 keypoints, pairs within an animal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int32

from geobench.benchmark import Benchmark
from geobench.builders.absent_images import refuse_absent
from geobench.builders.animal_pose_file import Annotations, read_annotations
from geobench.builders.assembly import assemble
from geobench.builders.image_sizes import sizes_where_present
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions, split_recipe
from geobench.builders.outside import first_outside
from geobench.builders.within_category import SPLITS, WithinCategoryRecipe, within_category_splits
from geobench.card import Card
from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.instances import Instances

OPTIONS = frozenset({"seed", "require_images"})
FILE = "keypoints.json"
_VISIBLE = 2  # COCO's flag; Animal-Pose's own 1 says "annotated and not occluded" (README of the repository)


class SplitRecipe(WithinCategoryRecipe):
    """The table ``[splits]`` of the Animal-Pose card.

    Attributes:
        absent_images: ``keep`` pairs whose images are absent, or ``leave-out`` their instances before any pair is
            drawn, for those who have only some of the images.
    """

    absent_images: Literal["keep", "leave-out"] = "keep"


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the Animal-Pose annotations in ``source``.

    Width and height of an instance are 0 where its image is absent: the annotations do not tell them.

    Args:
        source: holds ``keypoints.json``, and the images in ``images/``, or in the only folder there is.
        card: with the split recipe (:class:`SplitRecipe`).
        options: those in ``OPTIONS``.

    Raises:
        InputError: the file or a record is missing or malformed, or an image is absent and required.
    """
    recipe = split_recipe(card, options, SplitRecipe)
    if card.keypoints is None:
        raise InputError(f"card {card.name}: this builder needs one [keypoints] table shared by all animals; add it")
    notices = Notices(source)
    found = read_annotations(source / FILE, card.keypoints.names)
    root = _image_root(source)
    size = _sizes(root, found.image)
    present = size[:, 0] > 0
    _tell_absent(root, found, present, recipe, options, notices)
    if recipe.absent_images == "leave-out":
        found, size = found.take(present), size[present]
    _tell_outside(found, size, card.keypoints.names, notices)
    instances = _instances(found, size)
    splits = {}
    for name, pairs in within_category_splits(instances, recipe):
        splits[name] = pairs
        options.progress(len(splits), len(SPLITS))
    decided = {"procedure": "geobench within-category", **recipe.model_dump(mode="json")}
    origin = {"source_sha256": {FILE: sha256_of(source / FILE)}, "warnings": notices.sentences}
    return assemble(card, instances, splits, root, recipe=decided, provenance=origin)


def _image_root(source: Path) -> Path:
    folders = [path for path in sorted(source.iterdir()) if path.is_dir() and not path.name.startswith((".", "__"))]
    if source / "images" in folders:
        return source / "images"
    return folders[0] if len(folders) == 1 else source


def _sizes(root: Path, image: np.ndarray) -> Int32[np.ndarray, "a 2"]:
    names, inverse = np.unique(image, return_inverse=True)
    return sizes_where_present(root, names.tolist())[inverse]


def _tell_absent(
    root: Path, found: Annotations, present: np.ndarray, recipe: SplitRecipe, options: BuildOptions, notices: Notices
) -> None:
    absent = np.unique(found.image[~present])
    if not len(absent):
        return
    count = f"{len(absent)} of {len(np.unique(found.image))} annotated images are absent"
    refuse_absent(root / str(absent[0]), count, options)
    if recipe.absent_images == "keep":
        then = (
            "pairs are built all the same, the size of these images stays unknown (0), and the fingerprint is not that "
            'of a complete build; absent_images = "leave-out" in a copy of the card makes pairs of the others only'
        )
    elif present.any():
        then = f"their {int((~present).sum())} instances are left out, as the card says"
    else:
        raise InputError(f"{root}: none of the {len(absent)} annotated images is there; put them into {root}")
    notices.say(f"{root}: {count} (the first: {absent[0]}); {then}")


def _tell_outside(found: Annotations, size: np.ndarray, names: tuple[str, ...], notices: Notices) -> None:
    first = first_outside(found.keypoints, found.labelled, size)
    if first is not None:
        row, number, x, y, total = first
        notices.say(
            f"{FILE}: annotation {found.record[row]} (image {found.image[row]}): keypoint {names[number]} at "
            f"({x:g}, {y:g}) is outside the image ({total} such keypoints); they are kept"
        )


def _instances(found: Annotations, size: np.ndarray) -> Instances:
    return Instances.from_columns(
        id=[f"{image}#{record}" for image, record in zip(found.image, found.record, strict=True)],
        image=found.image.tolist(),
        size=size,
        bbox=found.bbox,
        category=found.category.tolist(),
        keypoints=found.keypoints,
        visibility=np.where(found.labelled, _VISIBLE, 0),
        record=[str(record) for record in found.record],
    )

"""PF-Willow -> Benchmark: ten classes of ten images, ten keypoints each, one split.

Source of the layout: PF-dataset.zip of Ham et al., Proposal Flow, CVPR 2016. Coordinates are (x, y) as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.assembly import assemble
from geobench.builders.image_sizes import image_size
from geobench.builders.matlab import read_points
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.builders.outside import first_outside
from geobench.builders.pair_list import find_pair_list, read_pair_list
from geobench.card import Card
from geobench.errors import InputError, nearest_names
from geobench.files import sha256_of
from geobench.instances import Instances
from geobench.skeleton import Skeleton
from geobench.typed_toml import StrictModel, validate

OPTIONS = frozenset({"require_images"})  # always insisted on: the sizes of the images are nowhere else
_FIELD = "pts_coord"


class TestSplit(StrictModel):
    """The classes of the only split, each a folder of the dataset named OBJECT(VARIANT)."""

    classes: tuple[str, ...]


class SplitRecipe(StrictModel):
    """The table ``[splits]`` of the PF-Willow card."""

    test: TestSplit


@dataclass(frozen=True)
class _Class:
    """One folder: its name, its skeleton, and the stems of its images, sorted."""

    name: str
    skeleton: Skeleton
    stems: tuple[str, ...]


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the PF-Willow folders in ``source``.

    The box of an instance is the box of its keypoints (smallest and largest x and y over all of them).

    Args:
        source: holds one folder per class with ``*.png`` and ``*.mat``, or ``PF-dataset`` with them; and perhaps a
            CSV file whose first two columns are the images of each pair.
        card: with one keypoint table per kind of object.
        options: ``require_images`` changes nothing, images are always required.

    Raises:
        InputError: a file is missing or malformed; the message names it and the field.
    """
    recipe = validate(card.splits, SplitRecipe, f"card {card.name}: [splits]")
    root = source / "PF-dataset" if (source / "PF-dataset").is_dir() else source
    notices = Notices(source)
    classes = _find_classes(root, card, recipe.test.classes, notices)
    instances = _instances(root, classes, notices)
    options.progress(1, 1)
    pair_list = find_pair_list(source, root)
    source_hashes = {pair_list.name: sha256_of(pair_list)} if pair_list else {}
    splits = {"test": read_pair_list(pair_list, instances, notices) if pair_list else ordered_pairs(instances)}
    skeletons = {one.name: one.skeleton for one in classes}
    origin = {
        "pairs": pair_list.name if pair_list else "every ordered pair within a class",
        "source_sha256": source_hashes,
        "warnings": notices.sentences,
    }
    return assemble(card, instances, splits, root, recipe={}, provenance=origin, skeletons=skeletons)


def _find_classes(root: Path, card: Card, names: tuple[str, ...], notices: Notices) -> list[_Class]:
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    unknown = [name for name in folders if name not in names and any((root / name).glob("*.mat"))]
    if unknown:
        raise InputError(f"{root / unknown[0]}: not a class of PF-Willow{nearest_names(unknown[0], names)}")
    found = [name for name in sorted(names) if name in folders]
    if not found:
        raise InputError(f"{root}: holds none of the class folders ({', '.join(names)}); name the unpacked PF-dataset")
    if len(found) < len(names):
        absent = ", ".join(sorted(set(names) - set(found)))
        notices.say(f"{root}: holds {len(found)} of {len(names)} classes; without {absent} this is a smaller benchmark")
    skeletons = card.skeletons()
    return [_Class(name, _skeleton(card, skeletons, name), _stems(root / name)) for name in found]


def _skeleton(card: Card, skeletons: dict[str, Skeleton], name: str) -> Skeleton:
    kind = name.partition("(")[0]
    if kind not in skeletons:
        raise InputError(f"card {card.name}: class {name} has no table [categories.{kind}]; add it")
    return skeletons[kind]


def _stems(folder: Path) -> tuple[str, ...]:
    """Return the stems of the images in ``folder``, sorted by file name; each has image and annotation."""
    images = {path.stem for path in folder.glob("[!.]*.png")}
    annotations = {path.stem for path in folder.glob("[!.]*.mat")}
    for stem in sorted(images ^ annotations):
        missing, what = (".mat", "keypoint file") if stem in images else (".png", "image")
        raise InputError(f"{folder / (stem + missing)}: no such {what}; fetch PF-dataset.zip again")
    if not images:
        raise InputError(f"{folder}: holds no images; fetch PF-dataset.zip again")
    return tuple(sorted(images))


def _instances(root: Path, classes: list[_Class], notices: Notices) -> Instances:
    ids = [f"{one.name}/{stem}" for one in classes for stem in one.stems]
    counts = [len(one.stems) for one in classes]
    names = [str(name) for name in np.repeat([one.name for one in classes], counts)]
    keypoints = _keypoints(root, classes)
    known = ~np.isnan(keypoints[..., 0])
    size = np.asarray([image_size(root / f"{one}.png") for one in ids], dtype=np.int32)
    _tell_outside(root, ids, keypoints, known, size, notices)
    low, high = np.nanmin(keypoints, axis=1), np.nanmax(keypoints, axis=1)
    flat = np.flatnonzero((high - low).max(axis=1) == 0)
    if len(flat):
        raise InputError(f"{root / ids[flat[0]]}.mat: {_FIELD}: all keypoints are one point; fetch the file again")
    return Instances.from_columns(
        id=ids,
        image=[f"{one}.png" for one in ids],
        size=size,
        bbox=np.concatenate([low, high - low], axis=1),
        category=names,
        family=[name.partition("(")[0] for name in names],
        keypoints=keypoints,
        visibility=np.where(known, 2, 0),
        record=[f"{one}.mat" for one in ids],
    )


def _keypoints(root: Path, classes: list[_Class]) -> Float32[np.ndarray, "n k 2"]:
    """Return the keypoints of all images; NaN in the columns that a smaller skeleton does not have."""
    width = max(len(one.skeleton) for one in classes)
    tables = [
        read_points(root / one.name / f"{stem}.mat", _FIELD, len(one.skeleton)) for one in classes for stem in one.stems
    ]
    padded = np.full((len(tables), width, 2), np.nan, dtype=np.float32)
    for row, table in enumerate(tables):
        padded[row, : len(table)] = table
    return padded


def _tell_outside(
    root: Path, ids: list[str], keypoints: np.ndarray, known: np.ndarray, size: np.ndarray, notices: Notices
) -> None:
    first = first_outside(keypoints, known, size)
    if first is not None:
        row, number, x, y, total = first
        frame = f"{size[row, 0]}x{size[row, 1]} image"
        notices.say(
            f"{root / ids[row]}.mat: {_FIELD}: keypoint {number} at ({x:g}, {y:g}) is outside the {frame} "
            f"({total} such keypoints); they are kept"
        )


def ordered_pairs(instances: Instances) -> Pairs:
    """Return every ordered pair of two images of the same category, in the order of the rows."""
    same = instances.category[:, None] == instances.category[None, :]
    source, target = np.nonzero(same & ~np.eye(len(instances), dtype=bool))
    return Pairs(source.astype(np.int32), target.astype(np.int32), instances.category[source])

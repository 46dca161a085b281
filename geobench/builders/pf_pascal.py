"""PF-Pascal (Ham et al., arXiv 1703.07144) -> Benchmark: 20 classes of PASCAL VOC, published pairs.

Coordinates are (x, y) as stored, from MATLAB, where the first pixel is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.assembly import assemble
from geobench.builders.image_sizes import sizes_where_present
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.builders.pf_pascal_annotations import Annotation, ImageKey, read_annotations
from geobench.builders.pf_pascal_notices import tell_absent_images, tell_annotations, tell_identity, tell_outside
from geobench.builders.pf_pascal_pairs import ListedPair, find_lists, read_list
from geobench.builders.pf_pascal_views import View, identify, views_of
from geobench.card import Card
from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.instances import Instances
from geobench.skeleton import Skeleton

OPTIONS = frozenset({"require_images"})
FOLDER = "PF-dataset-PASCAL"
_VISIBLE = 2


@dataclass(frozen=True, eq=False)
class _Raw:
    """What the files say: pairs by split, annotations by image, and the number of rows of each class."""

    lists: dict[str, list[ListedPair]]
    annotations: dict[ImageKey, Annotation]
    counts: dict[str, int]


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the PF-Pascal files in ``source``.

    The box of an instance is that of its ``.mat`` file, or else the box of its keypoints. Width and height are 0 where
    the image is absent: the annotations do not tell them. A pair whose keypoints are neither in its list nor in
    ``.mat`` files is kept without any.

    Args:
        source: ``PF-dataset-PASCAL`` or the folder that holds it; the lists of pairs are in either. ``Annotations``
            and ``JPEGImages`` may be absent.
        card: with one keypoint table per class, in the order of the rows of ``kps``.
        options: those in ``OPTIONS``.

    Raises:
        InputError: a file or a line is missing or malformed, or an image is absent and required.
    """
    if not card.categories:
        raise InputError(f"card {card.name}: this builder needs a table [categories.CLASS] for every class; add them")
    root = source / FOLDER if (source / FOLDER).is_dir() else source
    notices = Notices(source)
    paths = find_lists(source, root)
    raw = _read(root, paths, card)
    tell_annotations(root, card, raw.lists, raw.annotations, notices)
    known = identify(raw.lists, raw.annotations, raw.counts)
    tell_identity(paths, raw.lists, raw.annotations, known, notices)
    views, ends = views_of(raw.lists, raw.annotations, raw.counts, known)
    options.progress(1, 2)
    instances = _instances(root, views, raw.annotations)
    tell_absent_images(root, instances, options, notices)
    tell_outside(root, instances, notices)
    options.progress(2, 2)
    splits = {split: _pairs(pairs, ends[split]) for split, pairs in raw.lists.items()}
    decided = {"procedure": "published pair lists"}
    origin = {
        "source_sha256": {path.name: sha256_of(path) for path in paths.values()},
        "annotations": len(raw.annotations),
        "warnings": notices.sentences,
    }
    skeletons = _skeletons(card, views, raw.counts)
    return assemble(card, instances, splits, root, recipe=decided, provenance=origin, skeletons=skeletons)


def _read(root: Path, paths: Mapping[str, Path], card: Card) -> _Raw:
    classes = sorted(card.categories)
    lists = {split: read_list(path, classes, split == "train") for split, path in paths.items()}
    images = {(p.category, stem) for pairs in lists.values() for p in pairs for stem in (p.source, p.target)}
    annotations = read_annotations(root / "Annotations", sorted(images))
    counts = {category: len(table.names) for category, table in card.categories.items()}
    for (category, _), annotation in annotations.items():
        counts[category] = max(counts[category], len(annotation.points))
    for split, pairs in lists.items():
        for pair in pairs:
            if pair.points is not None and len(pair.points[0]) > counts[pair.category]:
                listed = f"{len(pair.points[0])} keypoints, but {pair.category} has {counts[pair.category]}"
                raise InputError(f"{paths[split]}: line {pair.line}: lists {listed}; correct the line or the card")
    return _Raw(lists, annotations, counts)


def _skeletons(card: Card, views: Sequence[View], counts: Mapping[str, int]) -> dict[str, Skeleton]:
    """Return the card's skeletons, each with a name more for every further column that a view of the class has."""
    last = dict.fromkeys(counts, 0)
    for view in views:
        category = view.image[0]
        last[category] = max(last[category], 1 + max(view.rows, default=-1))
    return {
        category: _extended(skeleton, counts[category], last[category])
        for category, skeleton in card.skeletons().items()
    }


def _extended(skeleton: Skeleton, count: int, length: int) -> Skeleton:
    if length <= len(skeleton):
        return skeleton
    unnamed = [f"row_{number}" for number in range(len(skeleton), min(count, length))]
    unknown = [f"unknown_{number}" for number in range(max(0, length - count))]
    names = (*skeleton.names, *unnamed, *unknown)
    return Skeleton(names, skeleton.groups, (*skeleton.mirror, *range(len(skeleton), len(names))))


def _instances(root: Path, views: Sequence[View], annotations: Mapping[ImageKey, Annotation]) -> Instances:
    width = 1 + max((row for view in views for row in view.rows), default=0)
    keypoints = np.zeros((len(views), width, 2))
    visibility = np.zeros((len(views), width), dtype=np.uint8)
    for number, view in enumerate(views):
        keypoints[number, list(view.rows)], visibility[number, list(view.rows)] = view.points, _VISIBLE
    images = [f"JPEGImages/{view.image[1]}.jpg" for view in views]
    names, inverse = np.unique(images, return_inverse=True)
    return Instances.from_columns(
        id=[view.name for view in views],
        image=images,
        size=sizes_where_present(root, names.tolist())[inverse],
        bbox=np.asarray([_box(view, annotations) for view in views]),
        category=[view.image[0] for view in views],
        keypoints=keypoints,
        visibility=visibility,
        record=["/".join(view.image) for view in views],
    )


def _box(view: View, annotations: Mapping[ImageKey, Annotation]) -> np.ndarray:
    """Return (x, y, w, h) of the annotated box, or of the box of the keypoints, or zeros where there are none."""
    if view.image in annotations:
        box = annotations[view.image].box
        return np.concatenate([box[:2], box[2:] - box[:2]])
    if not view.rows:
        return np.zeros(4)
    low, high = view.points.min(axis=0), view.points.max(axis=0)
    return np.concatenate([low, high - low])


def _pairs(listed: Sequence[ListedPair], ends: Sequence[tuple[int, int]]) -> Pairs:
    source, target = np.asarray(ends, dtype=np.int32).T
    flips = [pair.flip for pair in listed]
    attributes = {} if None in flips else {"flip": np.asarray(flips, dtype=np.int8)}
    return Pairs(source, target, np.asarray([pair.category for pair in listed], np.str_), attributes)

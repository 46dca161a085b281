"""A user's own image pairs -> Benchmark: a list of pairs with named points (see :mod:`geobench.builders.manifest`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.absent_images import tell_absent
from geobench.builders.image_sizes import sizes_where_present
from geobench.builders.manifest import Box, ManifestPair, Point, read_manifest
from geobench.builders.name_rules import skeleton_from_names
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.card import Card, ThresholdRule
from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.instances import Instances
from geobench.skeleton import Skeleton

OPTIONS = frozenset({"require_images"})
_VISIBLE = 2
# What makes an end of a pair an instance of its own: image, category, box, and the points it shows.
_End = tuple[str, str, Box | None, tuple[tuple[str, Point], ...]]


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the list ``pairs.jsonl`` or ``pairs.csv`` in ``source``.

    Skeletons are those of the card's categories; a category that the card does not list has the names in the order in
    which the list first uses them, and the subgroups and mirror partners that the names tell. PCK is measured by the
    box when every pair has boxes, and else by the image.

    Args:
        source: holds the list; image paths are relative to it.
        card: its keypoint tables, where it has some, fix names, subgroups and mirror partners.
        options: those in ``OPTIONS``.

    Raises:
        InputError: the list is malformed, a pair comes twice, or an image is absent and required.
    """
    path, listed = read_manifest(source)
    notices = Notices(source)
    skeletons = _skeletons(card, listed, path)
    _refuse_repetitions(listed, path)
    threshold = _threshold(listed, path)
    ends, rows = _ends(listed)
    instances = _instances(source, ends, skeletons, options, notices)
    return Benchmark(
        name=card.name,
        card=card,
        skeletons=skeletons,
        instances=instances,
        splits=_splits(listed, rows),
        threshold=threshold,
        image_root=source.resolve(),
        recipe={"procedure": "pair list"},
        provenance={"source_sha256": {path.name: sha256_of(path)}, "warnings": notices.sentences},
    )


def _skeletons(card: Card, listed: list[tuple[int, ManifestPair]], path: Path) -> dict[str, Skeleton]:
    given = card.skeletons()
    names: dict[str, dict[str, None]] = {}
    for number, pair in listed:
        known = given.get(pair.category) or given.get("*")
        for name in pair.keypoints:
            if known is not None and name not in known.names:
                raise InputError(f"{path}: line {number}: keypoint {name!r} is not in the card's table; correct either")
            names.setdefault(pair.category, {})[name] = None
    return {c: given.get(c) or given.get("*") or skeleton_from_names(tuple(used)) for c, used in sorted(names.items())}


def _refuse_repetitions(listed: list[tuple[int, ManifestPair]], path: Path) -> None:
    first: dict[tuple[str, str, str, str], int] = {}
    for number, pair in listed:
        earlier = first.setdefault((pair.split, pair.category, pair.source, pair.target), number)
        if earlier != number:
            raise InputError(
                f"{path}: line {number}: {pair.source} -> {pair.target} is already in line {earlier}; remove one"
            )


def _threshold(listed: list[tuple[int, ManifestPair]], path: Path) -> ThresholdRule:
    boxed = [pair.source_box is not None and pair.target_box is not None for _, pair in listed]
    if any(boxed) and not all(boxed):
        number = listed[boxed.index(False)][0]
        raise InputError(f"{path}: line {number}: lacks a box, which other pairs have; give all pairs boxes, or none")
    return "bbox" if all(boxed) else "image"


def _ends(listed: list[tuple[int, ManifestPair]]) -> tuple[list[_End], np.ndarray]:
    """Return the distinct ends of pairs, sorted, and the rows of each pair's source and target among them."""
    both = [(_end(pair, 0), _end(pair, 1)) for _, pair in listed]
    distinct = sorted({end for pair in both for end in pair}, key=repr)
    row = {end: number for number, end in enumerate(distinct)}
    return distinct, np.array([[row[end] for end in pair] for pair in both], dtype=np.int32)


def _end(pair: ManifestPair, side: int) -> _End:
    image, box = ((pair.source, pair.source_box), (pair.target, pair.target_box))[side]
    return image, pair.category, box, tuple(sorted((name, ends[side]) for name, ends in pair.keypoints.items()))


def _instances(
    source: Path, ends: list[_End], skeletons: dict[str, Skeleton], options: BuildOptions, notices: Notices
) -> Instances:
    size = sizes_where_present(source, [image for image, *_ in ends])
    absent = sorted({end[0] for end, (width, _) in zip(ends, size.tolist(), strict=True) if width == 0})
    if absent:
        count = f"{len(absent)} images of the list are absent"
        tell_absent(source / absent[0], count, options, notices, "their size stays unknown (0)")
    keypoints = np.zeros((len(ends), max(map(len, skeletons.values())), 2), np.float32)
    visibility = np.zeros(keypoints.shape[:2], np.uint8)
    for row, (image, category, _, points) in enumerate(ends):
        column = {name: k for k, name in enumerate(skeletons[category].names)}
        for name, point in points:
            keypoints[row, column[name]], visibility[row, column[name]] = point, _VISIBLE
        _tell_outside(image, points, size[row], notices)
    return Instances.from_columns(
        id=[f"{image}#{row}" for row, (image, *_) in enumerate(ends)],
        image=[image for image, *_ in ends],
        size=size,
        bbox=np.array([box or (0, 0, *size[row]) for row, (_, _, box, _) in enumerate(ends)], np.float32),
        category=[category for _, category, *_ in ends],
        keypoints=keypoints,
        visibility=visibility,
    )


def _tell_outside(image: str, points: tuple[tuple[str, Point], ...], size: np.ndarray, notices: Notices) -> None:
    width, height = size.tolist()
    for name, (x, y) in points:
        if width and not (0 <= x <= width and 0 <= y <= height):
            notices.say(
                f"{image}: keypoint {name} at ({x:g}, {y:g}) is outside the image of {width}x{height}; it is kept"
            )


def _splits(listed: list[tuple[int, ManifestPair]], rows: np.ndarray) -> dict[str, Pairs]:
    names = np.array([pair.split for _, pair in listed])
    category = np.array([pair.category for _, pair in listed], dtype=np.str_)
    return {
        name: Pairs(rows[names == name, 0].copy(), rows[names == name, 1].copy(), category[names == name])
        for name in sorted(set(names.tolist()))
    }

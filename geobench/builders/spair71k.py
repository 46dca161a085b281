"""SPair-71k (Min et al., arXiv 1908.10543) -> Benchmark: 18 categories, pairs within a category, 30 keypoint slots."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.absent_images import tell_absent
from geobench.builders.assembly import assemble
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.builders.spair_images import SpairLayout, read_spair_images
from geobench.builders.spair_pairs import SPLITS, NamedPair, read_flags, read_pair_names
from geobench.card import Card
from geobench.errors import InputError, nearest_names
from geobench.fingerprint import digest
from geobench.instances import Instances
from geobench.typed_toml import StrictModel, validate

OPTIONS = frozenset({"require_images", "layout"})
FOLDER = "SPair-71k"


class SplitRecipe(StrictModel):
    """The table ``[splits]`` of the SPair-71k card.

    Attributes:
        layout: which lists of pairs: ``large`` (70,958 pairs), or ``small``, a subset of them (14,160).
    """

    layout: Literal["large", "small"] = "large"


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the SPair-71k folder in ``source``.

    Boxes and keypoints are those of the image annotations, sizes too, so images may be absent.

    Args:
        source: ``SPair-71k``, or the folder that holds it.
        card: with one keypoint table per category, in the order of the raw keypoint ids.
        options: those in ``OPTIONS``.

    Raises:
        InputError: a file is missing or malformed; the message names it and the field.
    """
    recipe = validate(card.splits, SplitRecipe, f"card {card.name}: [splits]")
    size = options.layout or recipe.layout
    return build_spair(source, card, options, size, SpairLayout())


def build_spair(
    source: Path, card: Card, options: BuildOptions, size: str, layout: SpairLayout, pictures: Path | None = None
) -> Benchmark:
    """Return the benchmark made of a folder laid out like SPair-71k's; see :func:`build`.

    Args:
        source: ``SPair-71k``, or the folder that holds it.
        card: with one keypoint table per category.
        options: those in ``OPTIONS``.
        size: which ``Layout`` lists.
        layout: names of the annotation folders.
        pictures: the folder that holds ``JPEGImages``; by default the one that holds the annotations.
    """
    root = source / FOLDER if (source / FOLDER).is_dir() else source
    notices = Notices(source)
    named = {split: read_pair_names(root, split, size, layout) for split in SPLITS}
    named = {split: pairs for split, pairs in named.items() if pairs}
    if not named:
        lists = f"Layout/{size}/*.txt nor " if layout.listed else ""
        raise InputError(f"{root}: holds {'neither ' if lists else 'no '}{lists}{layout.pairs}/*/*.json; name {FOLDER}")
    _refuse_unknown(root, card, named)
    images = sorted({(p.category, stem) for pairs in named.values() for p in pairs for stem in (p.source, p.target)})
    instances = read_spair_images(root, images, card.skeletons(), layout)
    row = {name: number for number, name in enumerate(images)}
    splits = {}
    for done, (split, pairs) in enumerate(named.items(), 1):
        splits[split] = _pairs(root, split, pairs, row, instances, layout, notices)
        options.progress(done, len(named))
    pictures = pictures or root
    _tell_absent(pictures, instances, options, notices)
    decided = {"procedure": "published pair lists", "layout": size}
    origin = {"pair_lists_sha256": _digests(named), "warnings": notices.sentences}
    return assemble(card, instances, splits, pictures, recipe=decided, provenance=origin)


def _refuse_unknown(root: Path, card: Card, named: dict[str, list[NamedPair]]) -> None:
    for split, pairs in named.items():
        for pair in pairs:
            if pair.category not in card.categories:
                near = nearest_names(pair.category, card.categories)
                raise InputError(f"{root}: {split} pair {pair.stem}: unknown category {pair.category!r}{near}")


def _pairs(
    root: Path,
    split: str,
    pairs: list[NamedPair],
    row: dict[tuple[str, str], int],
    instances: Instances,
    layout: SpairLayout,
    notices: Notices,
) -> Pairs:
    flags, ids = read_flags(root, split, pairs, layout)
    source = np.array([row[pair.category, pair.source] for pair in pairs], np.int32)
    target = np.array([row[pair.category, pair.target] for pair in pairs], np.int32)
    mutual = instances.visible[source] & instances.visible[target]
    differ = [n for n, listed in enumerate(ids) if listed is not None and np.flatnonzero(mutual[n]).tolist() != listed]
    if differ:
        notices.say(
            f"{root / layout.pairs}: {split} pair {pairs[differ[0]].stem}: kps_ids are not the keypoints both image "
            f"annotations have ({len(differ)} such pairs); the image annotations count"
        )
    if not flags:
        notices.say(f"{root / layout.pairs / SPLITS[split]}: no annotations of pairs, so their difficulty is unknown")
    return Pairs(source, target, np.array([pair.category for pair in pairs], np.str_), flags)


def _tell_absent(root: Path, instances: Instances, options: BuildOptions, notices: Notices) -> None:
    absent = [name for name in np.unique(instances.image).tolist() if not (root / name).is_file()]
    if absent:
        tell_absent(root / absent[0], f"{len(absent)} images of the pairs are absent", options, notices)


def _digests(named: dict[str, list[NamedPair]]) -> dict[str, str]:
    return {split: digest([f"{pair.stem}:{pair.category}" for pair in pairs]) for split, pairs in named.items()}

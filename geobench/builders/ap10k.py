"""AP-10K annotations -> the three-setting correspondence benchmark.

Source of the procedure: prepare_ap10k.ipynb of GeoAware-SC (Zhang et al., CVPR 2024). One choice is ours: sorted
order wherever the notebook follows the file system, so that every machine gets the same pairs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.absent_images import refuse_absent
from geobench.builders.ap10k_files import PREPARED, RawAnnotations, read_annotations
from geobench.builders.ap10k_selection import Selection, select_images
from geobench.builders.assembly import assemble
from geobench.builders.coco import CocoKeypoints
from geobench.builders.crowd_list import find_crowd_list, read_crowd_list
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions, split_recipe
from geobench.builders.pair_annotations import read_pair_annotations
from geobench.builders.sampling import PairSampler, SplitRecipe
from geobench.card import Card
from geobench.errors import InputError, UsageError
from geobench.files import sha256_of
from geobench.instances import Instances

OPTIONS = frozenset({"seed", "require_images", "crowd_list", "skip_invalid", "pair_annotations"})
SPLITS = (
    "train",
    "val/intra-species",
    "test/intra-species",
    "val/cross-species",
    "test/cross-species",
    "val/cross-family",
    "test/cross-family",
)
_LARGEST_ID = 10**12 - 1  # images are named by 12 digits


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the AP-10K annotations in ``source``.

    Args:
        source: holds ``annotations/ap10k-{train,val,test}-split1.json`` (or these files directly), ``data/*.jpg``
            (may be absent) and the crowd list named on the card; or it is the folder that GeoAware-SC reads, with
            ``ImageAnnotation/`` and ``JPEGImages/``.
        card: with the split recipe (:class:`geobench.builders.sampling.SplitRecipe`).
        options: those in ``OPTIONS``.

    Raises:
        InputError: a file or record is missing or malformed.
    """
    recipe = _split_recipe(card, options)
    names = _keypoint_names(card)
    notices = Notices(source)
    raw = read_annotations(source, names, notices, options)
    coco = raw.coco
    crowd_path = find_crowd_list(source, recipe.crowd_list) if recipe.crowd_list and options.crowd_list else None
    crowd = read_crowd_list(crowd_path, coco.image_id, notices) if crowd_path else np.zeros(0, np.int64)
    selection = select_images(coco, crowd, recipe.minimum_keypoints)
    instances = _instances(raw, selection)
    _tell_absent_images(source, instances, options, notices)
    splits = _splits(instances, selection, recipe, options, notices)
    hashes = {**raw.sha256, **({crowd_path.name: sha256_of(crowd_path)} if crowd_path else {})}
    origin = {
        "source_sha256": dict(sorted(hashes.items())),
        "counts": _counts(coco, selection, crowd),
        "excluded": selection.excluded,
        "skipped": [skipped.sentence for skipped in coco.skipped],
        "warnings": notices.sentences,
    }
    decided = _recorded_recipe(recipe, options, crowd_path is not None, raw)
    return assemble(card, instances, splits, source, recipe=decided, provenance=origin)


def _counts(coco: CocoKeypoints, selection: Selection, crowd: np.ndarray) -> dict[str, int]:
    """Return what the raw files hold, under the names of the card's table of expected counts."""
    return {
        "images": len(np.unique(coco.image_id)),
        "annotations": len(coco.id),
        "families": len({species.family for species in selection.species}),
        "species": len(selection.species),
        "crowd_list": len(crowd),
    }


def _instances(raw: RawAnnotations, selection: Selection) -> Instances:
    coco, rows = raw.coco, selection.rows
    largest = int(coco.image_id.max(initial=0))
    if largest > _LARGEST_ID:
        raise InputError(f"image id {largest} has more than 12 digits, which AP-10K's names cannot hold; renumber it")
    if not len(rows):
        raise InputError("no usable image: all are crowded or have too few keypoints; check the crowd list")
    members = [(one.family, one.name, len(one.rows)) for one in selection.species]
    return Instances.from_columns(
        id=[f"{number:012d}" for number in coco.image_id[rows]],
        image=[f"{raw.image_folder}/{coco.file_name[row]}" for row in rows],
        size=coco.size[rows],
        bbox=coco.bbox[rows],
        category=[name for _, name, count in members for _ in range(count)],
        family=[family for family, _, count in members for _ in range(count)],
        keypoints=coco.keypoints[rows],
        visibility=coco.visibility[rows],
        mask=[coco.mask[row] for row in rows],
        azimuth=coco.azimuth[rows],
        record=[str(number) for number in coco.id[rows]],
    )


def _tell_absent_images(source: Path, instances: Instances, options: BuildOptions, notices: Notices) -> None:
    absent = [image for image in instances.image.tolist() if not (source / image).is_file()]
    if not absent:
        return
    count = f"{len(absent)} of {len(instances)} annotated images are absent"
    refuse_absent(source / absent[0], count, options)
    notices.say(f"{source}: {count} (the first: {absent[0]}); pairs are built, but methods will need the images")


def _splits(
    instances: Instances, selection: Selection, recipe: SplitRecipe, options: BuildOptions, notices: Notices
) -> dict[str, Pairs]:
    made: dict[str, Pairs] = {}
    if options.pair_annotations is not None:
        found = read_pair_annotations(options.pair_annotations, instances, selection.reason, notices)
    else:
        found = PairSampler(instances.visibility, selection.species, recipe).splits()
    for name, pairs in found:
        made[name] = pairs
        options.progress(len(made), len(SPLITS))
    return {name: made[name] for name in SPLITS}


def _split_recipe(card: Card, options: BuildOptions) -> SplitRecipe:
    if options.seed is not None and options.pair_annotations is not None:
        raise UsageError("--seed has no effect on imported pairs; leave out --seed or --pair-annotations")
    return split_recipe(card, options, SplitRecipe)


def _keypoint_names(card: Card) -> tuple[str, ...]:
    if card.keypoints is None:
        raise InputError(f"card {card.name}: this builder needs one [keypoints] table shared by all species; add it")
    return card.keypoints.names


def _recorded_recipe(
    recipe: SplitRecipe, options: BuildOptions, crowd_list_used: bool, raw: RawAnnotations
) -> dict[str, Any]:
    """Return what decides the content besides the data; it enters the fingerprint."""
    if options.pair_annotations is not None:
        pairs = {"pairs": "imported", "order": "file names", "minimum_keypoints": recipe.minimum_keypoints}
    else:
        pairs = {"pairs": "sampled", "order": "sorted", **recipe.model_dump(mode="json")}
    skipped = sorted((one.file, one.annotation, one.image) for one in raw.coco.skipped)
    return {
        "procedure": "geoaware-sc/prepare_ap10k",
        **({"annotations": PREPARED} if raw.prepared else {}),
        **pairs,
        "crowd_list": crowd_list_used,
        "skipped_annotations": len(skipped),
        "skipped": [list(one) for one in skipped],
    }

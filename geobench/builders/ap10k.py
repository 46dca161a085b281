"""AP-10K annotations -> the three-setting correspondence benchmark.

Source of the procedure: prepare_ap10k.ipynb of GeoAware-SC (Zhang et al., CVPR 2024). One choice is ours: sorted
order wherever the notebook follows the file system, so that every machine gets the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.coco import CocoKeypoints, read_coco
from geobench.builders.crowd_list import find_crowd_list, read_crowd_list
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.builders.pair_annotations import read_pair_annotations
from geobench.builders.sampling import PairSampler, Species, SplitRecipe
from geobench.card import Card
from geobench.errors import InputError, UsageError
from geobench.files import sha256_of
from geobench.instances import Instances
from geobench.typed_toml import validate

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
# The order in which the notebook reads them: the first annotation of an image is the one that is used.
ANNOTATION_FILES = ("ap10k-train-split1.json", "ap10k-test-split1.json", "ap10k-val-split1.json")
_LARGEST_ID = 10**12 - 1  # images are named by 12 digits


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the AP-10K annotations in ``source``.

    Args:
        source: holds ``annotations/ap10k-{train,val,test}-split1.json`` (or these files directly), ``data/*.jpg``
            (may be absent) and the crowd list named on the card.
        card: with the split recipe (:class:`geobench.builders.sampling.SplitRecipe`).
        options: those in ``OPTIONS``.

    Raises:
        InputError: a file or record is missing or malformed.
    """
    recipe = _split_recipe(card, options)
    names = _keypoint_names(card)
    notices = Notices(source)
    paths = find_annotation_files(source)
    coco = read_coco(paths, names, notices, options.skip_invalid)
    crowd_path = find_crowd_list(source, recipe.crowd_list) if recipe.crowd_list and options.crowd_list else None
    crowd = read_crowd_list(crowd_path, coco.image_id, notices) if crowd_path else np.zeros(0, np.int64)
    selection = select_images(coco, crowd, recipe.minimum_keypoints)
    instances = _instances(coco, selection)
    _tell_absent_images(source, instances, options.require_images, notices)
    splits = _splits(instances, selection, recipe, options, notices)
    hashed = [*paths, *([crowd_path] if crowd_path else [])]
    return Benchmark(
        name=card.name,
        card=card,
        skeletons=card.skeletons(),
        instances=instances,
        splits=splits,
        threshold=card.threshold,
        image_root=source.resolve(),
        recipe=_recorded_recipe(recipe, options, crowd_path is not None, coco),
        provenance={
            "source_sha256": {path.name: sha256_of(path) for path in sorted(hashed, key=lambda path: path.name)},
            "counts": _counts(coco, selection, crowd),
            "excluded": selection.excluded,
            "skipped": [skipped.sentence for skipped in coco.skipped],
            "warnings": notices.sentences,
        },
    )


def _counts(coco: CocoKeypoints, selection: Selection, crowd: np.ndarray) -> dict[str, int]:
    """Return what the raw files hold, under the names of the card's table of expected counts."""
    return {
        "images": len(np.unique(coco.image_id)),
        "annotations": len(coco.id),
        "families": len({species.family for species in selection.species}),
        "species": len(selection.species),
        "crowd_list": len(crowd),
    }


def find_annotation_files(source: Path) -> tuple[Path, ...]:
    """Return the three annotation files, in the order in which they are read.

    Raises:
        InputError: one of them is missing.
    """
    folders = [source / "annotations", source]
    found = [folder for folder in folders if any((folder / name).is_file() for name in ANNOTATION_FILES)]
    folder = found[0] if found else folders[0]
    for name in ANNOTATION_FILES:
        if not (folder / name).is_file():
            searched = folder if found else f"{folders[0]} and {folders[1]}"
            raise InputError(f"{folder / name}: no such file (searched {searched}); fetch the AP-10K annotations")
    return tuple(folder / name for name in ANNOTATION_FILES)


@dataclass(frozen=True, eq=False)
class Selection:
    """Which annotations become instances.

    Attributes:
        rows: of the annotations, sorted by family, species, image id.
        species: every species that has an image, usable or not; its rows number the selected annotations.
        reason: for each image id that was left out, why.
        excluded: how many records were left out, by reason.
    """

    rows: np.ndarray
    species: tuple[Species, ...]
    reason: Mapping[int, str]
    excluded: Mapping[str, int]


def select_images(coco: CocoKeypoints, crowd: np.ndarray, minimum_keypoints: int) -> Selection:
    """Return the usable images: the first annotation of each, not crowded, with enough keypoints.

    The first annotation counts in file order (train, test, val), before anything else is looked at, and the field
    ``num_keypoints`` decides, not a recount: both as in cells 0 and 2 of the notebook.
    """
    image_id, first = np.unique(coco.image_id, return_index=True)
    crowded = np.isin(image_id, crowd)
    scarce = ~crowded & (coco.num_keypoints[first] < minimum_keypoints)
    categories = [coco.categories[number] for number in coco.category_id[first].tolist()]
    families = np.asarray([category.supercategory for category in categories], np.str_)
    names = np.asarray([category.name for category in categories], np.str_)
    order = np.lexsort((image_id, names, families))
    order = order[~(crowded | scarce)[order]]
    reasons = {"crowd": crowded, f"fewer than {minimum_keypoints} keypoints": scarce}
    return Selection(
        rows=first[order],
        species=tuple(_species(families, names, families[order], names[order])),
        reason={int(number): reason for reason, mask in reasons.items() for number in image_id[mask]},
        excluded={
            **{reason: int(mask.sum()) for reason, mask in reasons.items()},
            "further annotations of an image": len(coco.image_id) - len(image_id),
        },
    )


def _species(
    families: np.ndarray, names: np.ndarray, used_families: np.ndarray, used_names: np.ndarray
) -> Iterator[Species]:
    for family, name in sorted(set(zip(families.tolist(), names.tolist(), strict=True))):
        rows = np.flatnonzero((used_families == family) & (used_names == name)).astype(np.int32)
        yield Species(family, name, rows)


def _instances(coco: CocoKeypoints, selection: Selection) -> Instances:
    rows = selection.rows
    largest = int(coco.image_id.max(initial=0))
    if largest > _LARGEST_ID:
        raise InputError(f"image id {largest} has more than 12 digits, which AP-10K's names cannot hold; renumber it")
    if not len(rows):
        raise InputError("no usable image: all are crowded or have too few keypoints; check the crowd list")
    members = [(one.family, one.name, len(one.rows)) for one in selection.species]
    return Instances.from_columns(
        id=[f"{number:012d}" for number in coco.image_id[rows]],
        image=[f"data/{coco.file_name[row]}" for row in rows],
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


def _tell_absent_images(source: Path, instances: Instances, required: bool, notices: Notices) -> None:
    absent = [image for image in instances.image.tolist() if not (source / image).is_file()]
    if not absent:
        return
    count = f"{len(absent)} of {len(instances)} annotated images are absent"
    if required:
        raise InputError(f"{source / absent[0]}: no such image; {count}; fetch them, or leave --require-images out")
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
    recipe = validate(card.splits, SplitRecipe, f"card {card.name}: [splits]")
    return recipe if options.seed is None else recipe.model_copy(update={"seed": options.seed})


def _keypoint_names(card: Card) -> tuple[str, ...]:
    if card.keypoints is None:
        raise InputError(f"card {card.name}: this builder needs one [keypoints] table shared by all species; add it")
    return card.keypoints.names


def _recorded_recipe(
    recipe: SplitRecipe, options: BuildOptions, crowd_list_used: bool, coco: CocoKeypoints
) -> dict[str, Any]:
    """Return what decides the content besides the data; it enters the fingerprint."""
    if options.pair_annotations is not None:
        pairs = {"pairs": "imported", "order": "file names", "minimum_keypoints": recipe.minimum_keypoints}
    else:
        pairs = {"pairs": "sampled", "order": "sorted", **recipe.model_dump(mode="json")}
    skipped = sorted((one.file, one.annotation, one.image) for one in coco.skipped)
    return {
        "procedure": "geoaware-sc/prepare_ap10k",
        **pairs,
        "crowd_list": crowd_list_used,
        "skipped_annotations": len(skipped),
        "skipped": [list(one) for one in skipped],
    }

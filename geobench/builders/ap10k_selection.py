"""Which of AP-10K's annotations become instances: one per image, not crowded, with enough keypoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from geobench.builders.coco import CocoKeypoints
from geobench.builders.sampling import Species


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

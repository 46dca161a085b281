"""What the user should know of a PF-Pascal that is incomplete, or whose files contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from geobench.builders.absent_images import tell_absent
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.builders.outside import first_outside
from geobench.builders.pf_pascal_annotations import Annotation, ImageKey, Rows
from geobench.builders.pf_pascal_views import Lists
from geobench.card import Card
from geobench.instances import Instances


def tell_annotations(
    root: Path, card: Card, lists: Lists, annotations: Mapping[ImageKey, Annotation], notices: Notices
) -> None:
    """Tell how many annotations are absent, and of the first whose number of rows is not that of the card."""
    images = sorted({(p.category, stem) for pairs in lists.values() for p in pairs for stem in (p.source, p.target)})
    absent = [image for image in images if image not in annotations]
    if absent:
        path = root / "Annotations" / absent[0][0] / f"{absent[0][1]}.mat"
        notices.say(
            f"{path}: no such annotation; {len(absent)} of {len(images)} images have none, so they have the keypoints "
            "that a list gives or none, and geometry-aware subsets are too small; fetch PF-dataset-PASCAL.zip for them"
        )
    other = [image for image, one in annotations.items() if len(one.points) != len(card.categories[image[0]].names)]
    if other:
        one, category = annotations[other[0]], other[0][0]
        notices.say(
            f"{one.path}: kps has {len(one.points)} rows, but the card names {len(card.categories[category].names)} "
            f"keypoints of {category} ({len(other)} such files); check the names before a geometry-aware figure is used"
        )


def tell_identity(
    paths: Mapping[str, Path],
    lists: Lists,
    annotations: Mapping[ImageKey, Annotation],
    known: Mapping[tuple[str, int], Rows],
    notices: Notices,
) -> None:
    """Tell of each split how many of its pairs have keypoints whose names are unknown, and why."""
    for split, pairs in lists.items():
        unknown = [pair for pair in pairs if pair.points is not None and (split, pair.line) not in known]
        if not unknown:
            continue
        strange = [p for p in unknown if any((p.category, stem) in annotations for stem in (p.source, p.target))]
        first = (strange or unknown)[0]
        reason = "the annotations do not have it there" if strange else "the order of the list alone does not tell"
        notices.say(
            f"{paths[split]}: line {first.line}: which keypoint is which is unknown, {reason} "
            f"({len(unknown)} of {len(pairs)} pairs); they count, but are never geometry-aware"
        )


def tell_absent_images(root: Path, instances: Instances, options: BuildOptions, notices: Notices) -> None:
    """Tell how many images are absent.

    Raises:
        InputError: there are some, and images are required.
    """
    images = np.unique(instances.image)
    absent = np.unique(instances.image[instances.width == 0])
    if not len(absent):
        return
    count = f"{len(absent)} of {len(images)} images are absent"
    then = "PCK's threshold, a share of the image's side, and all methods need them"
    tell_absent(root / str(absent[0]), count, options, notices, then)


def tell_outside(root: Path, instances: Instances, notices: Notices) -> None:
    """Tell of the first keypoint that is outside its image, and of how many there are."""
    size = np.stack([instances.width, instances.height], axis=1)
    first = first_outside(instances.keypoints, instances.visible, size)
    if first is not None:
        row, number, x, y, total = first
        notices.say(
            f"{root / str(instances.image[row])}: keypoint {number} of {instances.id[row]} at ({x:g}, {y:g}) is "
            f"outside the image ({total} such keypoints); they are kept"
        )

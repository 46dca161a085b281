"""What keypoint names say: mirror partners and geometry-aware subgroups, where nobody has written them down.

A side is one of the words ``left`` and ``right`` in a name, between spaces, dashes or underscores. Keypoints whose
names differ in nothing but the side are one subgroup and each other's mirror partners.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from geobench.skeleton import Skeleton

_WORDS = re.compile(r"[\s_-]+")
_SIDES = ("left", "right")


def skeleton_from_names(names: Sequence[str]) -> Skeleton:
    """Return the skeleton of ``names`` with the subgroups and mirror partners that the names tell.

    Raises:
        InputError: a name comes twice.
    """
    by_stem: dict[str, dict[str, str]] = {}
    for name in names:
        words = _WORDS.split(name.strip().lower())
        sides = [word for word in words if word in _SIDES]
        if len(sides) == 1:
            stem = "_".join(word for word in words if word not in _SIDES) or "side"
            by_stem.setdefault(stem, {}).setdefault(sides[0], name)
    couples = {stem: (both["left"], both["right"]) for stem, both in by_stem.items() if len(both) == len(_SIDES)}
    return Skeleton.from_names(names, couples, list(couples.values()))

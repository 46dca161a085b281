"""Skeleton: the keypoints of one category, their geometry-aware subgroups and their mirror partners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int64

from geobench.errors import InputError, nearest_names


@dataclass(frozen=True)
class Skeleton:
    """Keypoint names of a category, with what a mirror and a change of view do to them.

    Attributes:
        names: one name per keypoint, in the order of the keypoint columns.
        groups: geometry-aware subgroups, name -> keypoint numbers that look alike and differ only by where
            they sit on the object (left/right, front/back). A keypoint in none is never geometry-aware.
        mirror: ``mirror[i]`` is the keypoint that ``i`` becomes when the image is flipped horizontally.
    """

    names: tuple[str, ...]
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    mirror: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.mirror:
            object.__setattr__(self, "mirror", tuple(range(len(self.names))))
        if len(set(self.names)) != len(self.names):
            raise InputError(f"skeleton: a keypoint name is used twice in {list(self.names)}; make them unique")
        if len(self.mirror) != len(self) or any(self.mirror[self.mirror[i]] != i for i in range(len(self))):
            raise InputError("skeleton: mirror partners must come in pairs; check the [keypoints] mirror table")
        members = [i for group in self.groups.values() for i in group]
        if len(set(members)) != len(members) or any(not 0 <= i < len(self) for i in members):
            raise InputError("skeleton: a keypoint is in two subgroups or does not exist; check the groups table")

    def __len__(self) -> int:
        return len(self.names)

    def group_matrix(self, width: int | None = None) -> Bool[np.ndarray, "groups keypoints"]:
        """Return membership of keypoints in subgroups, padded with False to ``width`` columns."""
        matrix = np.zeros((len(self.groups), width or len(self)), dtype=bool)
        for row, group in enumerate(self.groups.values()):
            matrix[row, list(group)] = True
        return matrix

    def partner_rows(self, keypoints: Int[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """Return for each of ``keypoints`` (distinct numbers) the row of its mirror partner among them, or -1."""
        row_of = np.full(len(self), -1, dtype=np.int64)
        row_of[keypoints] = np.arange(len(keypoints))
        return row_of[np.asarray(self.mirror, dtype=np.int64)[keypoints]]

    @classmethod
    def from_names(
        cls,
        names: Sequence[str],
        groups: Mapping[str, Sequence[str]] | None = None,
        mirror: Sequence[Sequence[str]] = (),
    ) -> Skeleton:
        """Return a skeleton whose subgroups and mirror pairs are given by keypoint names.

        Raises:
            InputError: a name in ``groups`` or ``mirror`` is not among ``names``.
        """
        number = {name: i for i, name in enumerate(names)}

        def index(name: str) -> int:
            if name not in number:
                raise InputError(
                    f"keypoint {name!r} is not among the names of its skeleton{nearest_names(name, number)}"
                )
            return number[name]

        partners = list(range(len(names)))
        for left, right in mirror:
            partners[index(left)], partners[index(right)] = index(right), index(left)
        numbered = {group: tuple(index(n) for n in members) for group, members in (groups or {}).items()}
        return cls(tuple(names), numbered, tuple(partners))

    def to_dict(self) -> dict[str, Any]:
        """Return the skeleton as JSON-ready values."""
        return {
            "names": list(self.names),
            "groups": {k: list(v) for k, v in self.groups.items()},
            "mirror": list(self.mirror),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Skeleton:
        """Return the skeleton that :meth:`to_dict` described."""
        groups = {name: tuple(members) for name, members in values["groups"].items()}
        return cls(tuple(values["names"]), groups, tuple(values["mirror"]))

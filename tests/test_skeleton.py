from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import InputError
from geobench.geometry_aware import geometry_aware_keypoints
from geobench.skeleton import Skeleton

NAMES = ("nose", "left_paw", "right_paw")


def test_from_names_resolves_mirror_and_groups() -> None:
    skeleton = Skeleton.from_names(NAMES, {"paw": ["left_paw", "right_paw"]}, [("left_paw", "right_paw")])
    assert skeleton.mirror == (0, 2, 1)
    assert skeleton.groups == {"paw": (1, 2)}
    assert Skeleton.from_dict(skeleton.to_dict()) == skeleton


def test_unknown_name_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'left_pow'.*did you mean left_paw"):
        Skeleton.from_names(NAMES, {"paw": ["left_pow"]})


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"names": ("a", "a")}, "used twice"),
        ({"names": ("a", "b", "c"), "mirror": (1, 2, 0)}, "pairs"),
        ({"names": ("a", "b"), "groups": {"g": (0, 1), "h": (1,)}}, "two subgroups"),
        ({"names": ("a", "b"), "groups": {"g": (0, 5)}}, "does not exist"),
    ],
)
def test_inconsistent_skeletons_are_refused(keywords: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Skeleton(**keywords)


visibility = st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=8)


@given(visibility, visibility)
def test_geometry_aware_equals_its_definition_in_words(source: list, target: list) -> None:
    n = min(len(source), len(target))
    seen_source, seen_target = np.array(source[:n]), np.array(target[:n])
    skeleton = Skeleton(tuple("abcdef"), {"g": (0, 1), "h": (2, 3, 4)})
    tags = geometry_aware_keypoints(seen_source & seen_target, seen_target, skeleton.group_matrix())
    for pair in range(n):
        for keypoint in range(6):
            group = next((g for g in skeleton.groups.values() if keypoint in g), ())
            rivals = sum(bool(seen_target[pair, k]) for k in group)
            expected = seen_source[pair, keypoint] and seen_target[pair, keypoint] and rivals >= 2
            assert tags[pair, keypoint] == expected


def test_partner_rows() -> None:
    skeleton = Skeleton(("nose", "left", "right", "tail"), {}, (0, 2, 1, 3))
    assert skeleton.partner_rows(np.array([2, 0, 1])).tolist() == [2, 1, 0]
    assert skeleton.partner_rows(np.array([1, 3])).tolist() == [-1, 1]

"""Which keypoints of a pair are geometry-aware: the definition, vectorised over pairs.

Source of the rule: Zhang et al., CVPR 2024, section 3.1; utils/eval_spair.py:289-308 of GeoAware-SC.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


def geometry_aware_keypoints(
    mutual: Bool[np.ndarray, "pairs keypoints"],
    target_visible: Bool[np.ndarray, "pairs keypoints"],
    groups: Bool[np.ndarray, "groups keypoints"],
) -> Bool[np.ndarray, "pairs keypoints"]:
    """Return which mutually visible keypoints have a rival of their subgroup visible in the target.

    A keypoint is geometry-aware in a pair when it is visible in both images and its subgroup has at least
    two keypoints visible in the target image: only then can it be mistaken for its like.

    Args:
        mutual: visible in source and target.
        target_visible: visible in the target.
        groups: membership of keypoints in subgroups (:meth:`geobench.skeleton.Skeleton.group_matrix`).
    """
    members = groups.astype(np.uint8)
    contested = (target_visible.astype(np.uint8) @ members.T) >= 2
    return mutual & ((contested.astype(np.uint8) @ members) > 0)

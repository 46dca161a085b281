"""Which keypoint is which in PF-Pascal's lists of pairs: they give coordinates, in the order of the rows, not the rows.

With the ``.mat`` files a keypoint is the row with its coordinates. Without them only a pair that lists as many
keypoints as its class has rows tells which is which: all of them, in order. (What follows for other pairs of the same
images was tried on the real lists and names no further pair.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geobench.builders.pf_pascal_annotations import Annotation, ImageKey, Rows
from geobench.builders.pf_pascal_pairs import ListedPair, Points

_SAME = 0.01  # pixels; lists and files agree to all digits, copies of lists are rounded to four decimals


def rows_of_pair(pair: ListedPair, annotations: Mapping[ImageKey, Annotation], count: int) -> Rows | None:
    """Return the row of each keypoint that ``pair`` lists; None where that is unknown, or it lists none.

    Args:
        pair: a pair of a list.
        annotations: those there are; where one of its two images has one, it decides.
        count: number of rows of the class.
    """
    if pair.points is None:
        return None
    if any((pair.category, stem) in annotations for stem in (pair.source, pair.target)):
        return rows_by_annotation(pair, annotations)
    return tuple(range(count)) if len(pair.points[0]) == count else None


def rows_by_annotation(pair: ListedPair, annotations: Mapping[ImageKey, Annotation]) -> Rows | None:
    """Return the row of each keypoint that ``pair`` lists, by the coordinates in the files of its two images.

    Returns:
        Increasing rows; None where neither image has a file, or a keypoint is in no row of it.
    """
    assert pair.points is not None
    found = [annotations.get((pair.category, stem)) for stem in (pair.source, pair.target)]
    near = [_near(points, one) for points, one in zip(pair.points, found, strict=True) if one is not None]
    if not near:
        return None
    length = min(matrix.shape[1] for matrix in near)
    same = np.logical_and.reduce([matrix[:, :length] for matrix in near])
    rows: list[int] = []
    for candidates in same:
        later = np.flatnonzero(candidates[rows[-1] + 1 :]) + rows[-1] + 1 if rows else np.flatnonzero(candidates)
        if not len(later):
            return None
        rows.append(int(later[0]))
    return tuple(rows)


def _near(points: Points, annotation: Annotation) -> np.ndarray:
    """Return which row [rows] of the file each of ``points`` [points] may be."""
    return np.abs(points[:, None] - annotation.points).max(axis=2) <= _SAME

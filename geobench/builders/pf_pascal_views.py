"""What PF-Pascal's pairs see of their images: each view of an image becomes an instance.

An image is one view, with all keypoints that are known of it, for every pair that lists exactly what both its images
show. Another pair has a view of each of its images for itself, with the keypoints that it lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from geobench.builders.pf_pascal_annotations import Annotation, ImageKey, Rows
from geobench.builders.pf_pascal_identity import rows_of_pair
from geobench.builders.pf_pascal_pairs import ListedPair, Points

_SAME = 0.01  # pixels, as in pf_pascal_identity

Lists = Mapping[str, Sequence[ListedPair]]
_Marks = dict[int, np.ndarray]  # row -> (x, y)


@dataclass(frozen=True, eq=False)
class View:
    """An image as one or more pairs see it.

    Attributes:
        image: its class and stem.
        pair: the pair whose own view this is, as ``SPLIT:LINE``; empty for the view of the image as a whole; ``bare``
            for the view without keypoints of pairs that list none, where the image has no annotation.
        rows: numbers of its keypoints: rows of the class's table, or from its length on where they are unknown.
        points: (x, y) of each.
    """

    image: ImageKey
    pair: str
    rows: Rows
    points: Points

    @property
    def name(self) -> str:
        """Unique name: ``CLASS/IMAGE``, or ``CLASS/IMAGE#SPLIT:LINE``."""
        return "/".join(self.image) + (f"#{self.pair}" if self.pair else "")


def identify(
    lists: Lists, annotations: Mapping[ImageKey, Annotation], counts: Mapping[str, int]
) -> dict[tuple[str, int], Rows]:
    """Return the rows of the listed keypoints, by split and line of the pair, for the pairs where all are known.

    Args:
        lists: the pairs of each split.
        annotations: those there are.
        counts: number of rows of each class.
    """
    found = {
        (split, pair.line): rows_of_pair(pair, annotations, counts[pair.category])
        for split, pairs in lists.items()
        for pair in pairs
    }
    return {key: rows for key, rows in found.items() if rows is not None}


def views_of(
    lists: Lists,
    annotations: Mapping[ImageKey, Annotation],
    counts: Mapping[str, int],
    known: Mapping[tuple[str, int], Rows],
) -> tuple[list[View], dict[str, list[tuple[int, int]]]]:
    """Return the views, and by split for each pair the numbers of its two views.

    Args:
        lists: the pairs of each split.
        annotations: those there are.
        counts: number of rows of each class.
        known: what :func:`identify` returned.
    """
    whole = _whole_images(lists, annotations, known)
    views = [View(image, "", *_columns(marks)) for image, marks in sorted(whole.items())]
    views += [View(image, "bare", *_columns({})) for image in sorted(whole) if image not in annotations]
    number = {(view.image, view.pair): row for row, view in enumerate(views)}
    ends: dict[str, list[tuple[int, int]]] = {split: [] for split in lists}
    for split, pairs in lists.items():
        for pair in pairs:
            rows = known.get((split, pair.line))
            images = (pair.category, pair.source), (pair.category, pair.target)
            if pair.points is None or (rows and _shows(pair, rows, *(whole[image] for image in images))):
                bare = ["bare" if pair.points is None and image not in annotations else "" for image in images]
                ends[split].append((number[images[0], bare[0]], number[images[1], bare[1]]))
                continue
            first = counts[pair.category]
            columns = rows or tuple(range(first, first + len(pair.points[0])))
            ends[split].append((len(views), len(views) + 1))
            views += [
                View(image, f"{split}:{pair.line}", columns, points)
                for image, points in zip(images, pair.points, strict=True)
            ]
    return _used(views, ends)


def _whole_images(
    lists: Lists, annotations: Mapping[ImageKey, Annotation], known: Mapping[tuple[str, int], Rows]
) -> dict[ImageKey, _Marks]:
    """Return the keypoints of every image: those of its file, or else all that the lists tell."""
    whole: dict[ImageKey, _Marks] = {}
    for split, pairs in lists.items():
        for pair in pairs:
            for end, stem in enumerate((pair.source, pair.target)):
                marks = whole.setdefault((pair.category, stem), {})
                if pair.points is not None and (pair.category, stem) not in annotations:
                    for row, point in zip(known.get((split, pair.line), ()), pair.points[end], strict=False):
                        marks.setdefault(row, point)
    for image, annotation in annotations.items():
        whole[image] = {row: annotation.points[row] for row in annotation.visible}
    return whole


def _shows(pair: ListedPair, rows: Rows, source: _Marks, target: _Marks) -> bool:
    """Return whether both whole images show exactly the listed keypoints, at the listed places."""
    assert pair.points is not None
    if set(source) & set(target) != set(rows):
        return False
    return all(
        np.abs(marks[row] - point).max() <= _SAME
        for marks, points in zip((source, target), pair.points, strict=True)
        for row, point in zip(rows, points, strict=True)
    )


def _columns(marks: _Marks) -> tuple[Rows, Points]:
    rows = tuple(sorted(marks))
    return rows, np.asarray([marks[row] for row in rows], dtype=np.float64).reshape(len(rows), 2)


def _used(
    views: list[View], ends: dict[str, list[tuple[int, int]]]
) -> tuple[list[View], dict[str, list[tuple[int, int]]]]:
    """Return the views that pairs have, and their new numbers."""
    used = sorted({number for pairs in ends.values() for pair in pairs for number in pair})
    new = {number: row for row, number in enumerate(used)}
    renumbered = {split: [(new[one], new[other]) for one, other in pairs] for split, pairs in ends.items()}
    return [views[number] for number in used], renumbered

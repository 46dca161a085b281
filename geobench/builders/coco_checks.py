"""What every record of a COCO keypoint file must satisfy, and what is odd enough to be told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from geobench.builders import record_checks as check
from geobench.builders.record_checks import Complaint, Record

Check = Callable[[Sequence[Record]], Iterator[Complaint]]

_LARGEST_SIDE = 2**24  # pixels; beyond it float32 cannot tell neighbouring pixels apart
_BOX_NAMES = ("bbox x is", "bbox y is", "bbox width is", "bbox height is")


def category_checks() -> list[Check]:
    """Return the checks of category records: names that can be folders and labels."""
    return [
        partial(check.bad_integers, field="id"),
        partial(check.bad_texts, field="name"),
        partial(check.bad_names, field="name"),
        partial(check.bad_texts, field="supercategory", meaning=" (the family)"),
        partial(check.bad_names, field="supercategory"),
    ]


def image_checks() -> list[Check]:
    """Return the checks of image records: id, size in pixels, file name."""
    return [
        partial(check.bad_integers, field="id"),
        partial(check.bad_integers, field="width", least=1, most=_LARGEST_SIDE),
        partial(check.bad_integers, field="height", least=1, most=_LARGEST_SIDE),
        partial(check.bad_paths, field="file_name"),
    ]


def annotation_checks(names: Sequence[str], images: Collection[int], categories: Collection[int]) -> list[Check]:
    """Return the checks of annotation records; each relies on those before it.

    Args:
        names: keypoint names, in the order of the keypoint triples.
        images: known image ids.
        categories: known category ids.
    """
    no_image = "names no image in any of the annotation files"
    return [
        partial(check.bad_integers, field="id"),
        partial(check.bad_integers, field="image_id"),
        partial(check.unknown_ids, field="image_id", known=images, trouble=no_image),
        partial(check.bad_integers, field="category_id"),
        partial(check.unknown_ids, field="category_id", known=categories, trouble="is not defined in categories"),
        partial(check.bad_integers, field="num_keypoints"),
        partial(check.bad_number_lists, field="bbox", names=_BOX_NAMES, unit="(x, y, width, height)"),
        bad_boxes,
        partial(_bad_keypoint_lists, names=names),
        partial(bad_keypoints, names=names),
        partial(check.bad_paths, field="mask", required=False),
        partial(check.bad_optional_numbers, field="azimuth"),
    ]


def bad_boxes(records: Sequence[Record]) -> Iterator[Complaint]:
    """Complain about boxes that are not finite, negative in size, or empty."""
    boxes = box_array(records)
    bad = ~np.isfinite(boxes) | (boxes < 0) & np.array([False, False, True, True])
    empty = (boxes[:, 2:] == 0).all(axis=1)
    for row in np.flatnonzero(bad.any(axis=1) | empty).tolist():
        if bad[row].any():
            column = int(np.flatnonzero(bad[row])[0])
            fault = "negative" if np.isfinite(boxes[row, column]) else "not finite"
            yield row, f"{_BOX_NAMES[column]} {check.shown(records[row]['bbox'][column])}, which is {fault}"
        else:
            yield row, "bbox width and height are 0, so the PCK threshold would be 0"


def _place(names: Sequence[str], column: int) -> str:
    part = ("x =", "y =", "visibility")[column % 3]
    return f"keypoint {column // 3} ({names[column // 3]}) has {part}"


def _bad_keypoint_lists(records: Sequence[Record], names: Sequence[str]) -> Iterator[Complaint]:
    places = [_place(names, column) for column in range(3 * len(names))]
    unit = f"({len(names)} keypoints x 3)"
    for row, text in check.bad_number_lists(records, "keypoints", places, unit):
        yield row, text if text.startswith(("keypoints", "required")) else f"keypoints: {text}"


def bad_keypoints(records: Sequence[Record], names: Sequence[str]) -> Iterator[Complaint]:
    """Complain about coordinates that are not finite or, where labelled, negative, and about odd flags."""
    table = keypoint_array(records, len(names))
    bad = ~np.isfinite(table)
    bad[..., 2] |= ~np.isin(table[..., 2], (0, 1, 2))
    bad[..., :2] |= (table[..., :2] < 0) & (table[..., 2:] > 0)
    for row in np.flatnonzero(bad.any(axis=(1, 2))).tolist():
        column = int(np.flatnonzero(bad[row])[0])
        value = check.shown(records[row]["keypoints"][column])
        if column % 3 == 2:
            fault = "expected 0, 1 or 2"
        else:
            fault = (
                "a negative coordinate, outside the image"
                if np.isfinite(table[row].flat[column])
                else "which is not finite"
            )
        yield row, f"keypoints: {_place(names, column)} {value}, {fault}"


def box_array(records: Sequence[Record]) -> np.ndarray:
    """Return the boxes of valid records, (x, y, width, height) in pixels, float32 [A, 4]."""
    return _float32([record["bbox"] for record in records], 4)


def keypoint_array(records: Sequence[Record], count: int) -> np.ndarray:
    """Return the keypoints of valid records, (x, y, flag), coordinates in pixels, float32 [A, count, 3]."""
    return _float32([record["keypoints"] for record in records], 3 * count).reshape(len(records), count, 3)


def _float32(lists: list[Any], width: int) -> np.ndarray:
    with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, which the checks refuse
        return np.asarray(lists, dtype=np.float64).reshape(len(lists), width).astype(np.float32)


def odd_annotations(
    names: Sequence[str], bbox: np.ndarray, table: np.ndarray, counted: np.ndarray, size: np.ndarray
) -> Iterator[tuple[np.ndarray, Callable[[int], str]]]:
    """Yield what is odd but usable: the rows concerned, and a function that describes one row.

    Args:
        names: keypoint names.
        bbox: (x, y, width, height) in pixels, [A, 4].
        table: keypoints (x, y, flag), [A, K, 3].
        counted: the field ``num_keypoints``, [A].
        size: (width, height) of each annotation's image, [A, 2].
    """
    labelled = table[..., 2] > 0
    outside = labelled & (table[..., :2] > size[:, None]).any(axis=2)

    def place(row: int) -> str:
        number = int(np.flatnonzero(outside[row])[0])
        x, y = table[row, number, :2]
        frame = f"{size[row, 0]}x{size[row, 1]} image"
        return f"keypoints: keypoint {number} ({names[number]}) at ({x:g}, {y:g}) is outside the {frame}"

    def count(row: int) -> str:
        found = int(labelled[row].sum())
        return (
            f"num_keypoints is {counted[row]} but {found} keypoints are labelled (it decides whether the image is used)"
        )

    def side(row: int) -> str:
        return f"bbox {'width' if bbox[row, 2] == 0 else 'height'} is 0"

    yield np.flatnonzero(outside.any(axis=1)), place
    yield np.flatnonzero(labelled.sum(axis=1) != counted), count
    yield np.flatnonzero((bbox[:, 2:] == 0).any(axis=1)), side

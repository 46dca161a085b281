"""Reads Animal-Pose's ``keypoints.json`` into columns, every record checked.

Its traps: ``bbox`` is (x1, y1, x2, y2); ``num_keypoints`` is 20 in every record, so it is ignored; ``images`` is an
object id -> file name; flags are 0 and 1, and 1 means visible; unlabelled keypoints may have coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32

from geobench.builders import record_checks as check
from geobench.builders.record_checks import Complaint, Record, shown
from geobench.errors import InputError
from geobench.files import read_json_object

Check = Callable[[Sequence[Record]], Iterator[Complaint]]
_CORNERS = ("bbox x1 is", "bbox y1 is", "bbox x2 is", "bbox y2 is")
_LARGEST = 2**24  # pixels; beyond it float32 cannot tell neighbouring pixels apart


@dataclass(frozen=True, eq=False)
class Annotations:
    """The records of ``keypoints.json``, A rows in file order.

    Attributes:
        record: number of the record in the file, from 0.
        image: file name.
        category: name of the animal.
        bbox: (x, y, width, height) in pixels.
        keypoints: (x, y) in pixels of the original image.
        labelled: which keypoints are annotated.
    """

    record: Int32[np.ndarray, " a"]
    image: np.ndarray
    category: np.ndarray
    bbox: Float32[np.ndarray, "a 4"]
    keypoints: Float32[np.ndarray, "a k 2"]
    labelled: Bool[np.ndarray, "a k"]

    def __len__(self) -> int:
        return len(self.record)

    def take(self, rows: np.ndarray) -> Annotations:
        """Return the records at ``rows`` (numbers or a mask)."""
        return Annotations(**{name: column[rows] for name, column in vars(self).items()})


def read_annotations(path: Path, names: Sequence[str]) -> Annotations:
    """Return the records of the file at ``path``, whose categories all have the keypoints ``names``.

    Raises:
        InputError: the file or a record is malformed; the message names the record and the field.
    """
    content = read_json_object(path)
    images, categories = _images(path, content), _categories(path, content, names)
    records = _objects(path, content, "annotations")
    for checked in _annotation_checks(images, categories, names):
        _refuse_first(path, "annotation", records, checked)
    corners = _numbers(records, "bbox", 4)
    keypoints = _numbers(records, "keypoints", 3 * len(names)).reshape(len(records), len(names), 3)
    return Annotations(
        record=np.arange(len(records), dtype=np.int32),
        image=np.asarray([images[record["image_id"]] for record in records], dtype=np.str_),
        category=np.asarray([categories[record["category_id"]] for record in records], dtype=np.str_),
        bbox=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        keypoints=keypoints[..., :2],
        labelled=keypoints[..., 2] > 0,
    )


def _refuse_first(path: Path, what: str, records: Sequence[Record], checked: Check) -> None:
    for row, text in checked(records):
        raise InputError(f"{path}: {what} {row}: {text}; correct or remove it")


def _objects(path: Path, content: Mapping[str, Any], field: str) -> list[Record]:
    records = content.get(field)
    if not isinstance(records, list) or not records or any(type(record) is not dict for record in records):
        raise InputError(f"{path}: '{field}' must be a list of objects, at least one; fetch the file again")
    return records


def _images(path: Path, content: Mapping[str, Any]) -> dict[int, str]:
    images = content.get("images")
    if not isinstance(images, dict):
        raise InputError(f"{path}: 'images' must be an object id -> file name; fetch the Part I annotations")
    odd = [key for key in images if not (key.isascii() and key.isdigit())]
    if odd:
        raise InputError(f"{path}: images: the key {shown(odd[0])} is not an image id; correct it")
    records = [{f"file name of id {number}": name} for number, name in images.items()]
    for record in records:
        _refuse_first(path, "images: entry", [record], partial(check.bad_paths, field=next(iter(record))))
    return {int(number): name for number, name in images.items()}


def _categories(path: Path, content: Mapping[str, Any], names: Sequence[str]) -> dict[int, str]:
    records = _objects(path, content, "categories")
    for checked in (partial(check.bad_integers, field="id"), partial(check.bad_texts, field="name")):
        _refuse_first(path, "category", records, checked)
    for record in records:
        if record.get("keypoints") != list(names):
            raise InputError(
                f"{path}: category {record['name']}: keypoints must be the names of the card, in its order; mend it"
            )
    return {record["id"]: record["name"] for record in records}


def _annotation_checks(images: Mapping[int, str], categories: Mapping[int, str], names: Sequence[str]) -> list[Check]:
    """Return the checks of annotation records; each relies on those before it."""
    return [
        partial(check.bad_integers, field="image_id"),
        partial(check.unknown_ids, field="image_id", known=images, trouble="is not an id of 'images'"),
        partial(check.bad_integers, field="category_id"),
        partial(check.unknown_ids, field="category_id", known=categories, trouble="is not an id of 'categories'"),
        partial(check.bad_number_lists, field="bbox", names=_CORNERS, unit="(x1, y1, x2, y2)"),
        _bad_boxes,
        partial(_bad_keypoint_lists, names=names),
        partial(_bad_keypoints, names=names),
    ]


def _bad_boxes(records: Sequence[Record]) -> Iterator[Complaint]:
    corners = np.asarray([record["bbox"] for record in records], dtype=np.float64)
    good = (np.abs(corners) <= _LARGEST).all(axis=1) & (corners[:, 2:] > corners[:, :2]).all(axis=1)
    for row in np.flatnonzero(~good):
        yield int(row), f"bbox {shown(records[int(row)]['bbox'])} is not x1, y1, x2, y2 with x2 > x1 and y2 > y1"


def _bad_keypoint_lists(records: Sequence[Record], names: Sequence[str]) -> Iterator[Complaint]:
    triples = [f"{name} has {part} =" for name in names for part in ("x", "y", "flag")]
    for row, record in enumerate(records):
        listed = record.get("keypoints")
        if not isinstance(listed, list) or len(listed) != len(names):
            yield row, f"keypoints must be a list of {len(names)} keypoints (x, y, flag), found {shown(listed)}"
        elif any(type(one) is not list or len(one) != 3 for one in listed):
            yield row, f"keypoints: not every keypoint is a list x, y, flag in {shown(listed)}"
        else:
            flat = [{"keypoints": [number for one in listed for number in one]}]
            for _, text in check.bad_number_lists(flat, "keypoints", triples, "(x, y, flag of each keypoint)"):
                yield row, f"keypoints: {text}"


def _bad_keypoints(records: Sequence[Record], names: Sequence[str]) -> Iterator[Complaint]:
    table = np.asarray([record["keypoints"] for record in records], dtype=np.float64)
    bad = ~(np.abs(table) <= _LARGEST).all(axis=2) | ~np.isin(table[..., 2], (0, 1))
    for row, number in np.argwhere(bad):
        value = shown(records[int(row)]["keypoints"][number])
        yield int(row), f"keypoints: {names[number]} is {value}, expected finite x and y and a flag of 0 or 1"


def _numbers(records: Sequence[Record], field: str, width: int) -> Float32[np.ndarray, "a w"]:
    return np.asarray([record[field] for record in records], dtype=np.float32).reshape(len(records), width)

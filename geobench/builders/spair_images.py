"""Reads SPair-71k's ``ImageAnnotation/<category>/<image>.json``: one object with 30 numbered keypoint slots each.

Its traps: ``bndbox`` is (x1, y1, x2, y2); ``kps`` is an object "0" … "29" -> [x, y] or null; some slots of a category
are never used (bicycle 11 and 12, bus 8 and 9), and the ids of all others count them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from geobench.builders import record_checks as check
from geobench.builders.record_checks import Complaint, Record, shown
from geobench.errors import InputError
from geobench.files import read_json_object
from geobench.instances import Instances
from geobench.skeleton import Skeleton

AZIMUTH_STEP = 45.0
"""Degrees between two values of ``azimuth_id`` (0 to 7)."""

_VISIBLE = 2
_LARGEST = 2**24  # pixels; beyond it float32 cannot tell neighbouring pixels apart
_CORNERS = ("bndbox x1 is", "bndbox y1 is", "bndbox x2 is", "bndbox y2 is")


@dataclass(frozen=True)
class SpairLayout:
    """Names of SPair-71k's folders, which SPair-U partly renames.

    Attributes:
        images, pairs: folders of the annotations of images and of pairs.
        listed: whether ``Layout`` lists the pairs; otherwise all that are annotated are taken, whatever it lists.
    """

    images: str = "ImageAnnotation"
    pairs: str = "PairAnnotation"
    listed: bool = True


def image_path(category: str, stem: str) -> str:
    """Return the path of an image below the dataset's folder."""
    return f"JPEGImages/{category}/{stem}.jpg"


def read_spair_images(
    root: Path, names: Sequence[tuple[str, str]], skeletons: Mapping[str, Skeleton], layout: SpairLayout
) -> Instances:
    """Return the objects of images, one row per (category, image stem) in ``names``, in that order.

    Raises:
        InputError: a file is missing or malformed, or shows a keypoint that the category does not have.
    """
    paths = [root / layout.images / category / f"{stem}.json" for category, stem in names]
    records = [read_json_object(path) for path in paths]
    for checked in _checks():
        for row, text in checked(records):
            raise InputError(f"{paths[row]}: {text}; fetch the file again")
    keypoints, visibility = _keypoints(paths, records, [skeletons[category] for category, _ in names])
    corners = np.asarray([record["bndbox"] for record in records], np.float64).reshape(-1, 4)
    azimuth = [record.get("azimuth_id") for record in records]
    return Instances.from_columns(
        id=[f"{category}/{stem}" for category, stem in names],
        image=[image_path(category, stem) for category, stem in names],
        size=np.array([[r["image_width"], r["image_height"]] for r in records], np.int32).reshape(-1, 2),
        bbox=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        category=[category for category, _ in names],
        keypoints=keypoints,
        visibility=visibility,
        azimuth=np.array([np.nan if a is None else a * AZIMUTH_STEP for a in azimuth], np.float32),
    )


def _checks() -> list[Any]:
    return [
        partial(check.bad_integers, field="image_width", least=1),
        partial(check.bad_integers, field="image_height", least=1),
        partial(check.bad_number_lists, field="bndbox", names=_CORNERS, unit="(x1, y1, x2, y2)"),
        _bad_boxes,
        _bad_azimuths,
        _bad_slots,
    ]


def _bad_boxes(records: Sequence[Record]) -> Iterator[Complaint]:
    for row, record in enumerate(records):
        x1, y1, x2, y2 = record["bndbox"]
        if not (x1 < x2 and y1 < y2 and max(map(abs, record["bndbox"])) <= _LARGEST):
            yield row, f"bndbox {shown(record['bndbox'])} is not x1, y1, x2, y2 with x2 > x1 and y2 > y1"


def _bad_azimuths(records: Sequence[Record]) -> Iterator[Complaint]:
    for row, record in enumerate(records):
        azimuth = record.get("azimuth_id")
        if azimuth is not None and (type(azimuth) is not int or not 0 <= azimuth <= 7):
            yield row, f"azimuth_id is {shown(azimuth)}, expected an integer from 0 to 7"


def _bad_slots(records: Sequence[Record]) -> Iterator[Complaint]:
    for row, record in enumerate(records):
        slots = record.get("kps")
        if type(slots) is not dict:
            yield row, f"kps is {shown(slots)}, expected an object of numbered keypoints"
            continue
        for slot, point in slots.items():
            if not (slot.isascii() and slot.isdigit()):
                yield row, f"kps: {shown(slot)} is not a keypoint number"
            elif point is not None and not _is_point(point):
                yield row, f"kps {slot} is {shown(point)}, expected [x, y] or null"


def _is_point(point: Any) -> bool:
    good = type(point) is list and len(point) == 2 and all(type(value) in (int, float) for value in point)
    return good and all(abs(value) <= _LARGEST for value in point)  # also false for NaN


def _keypoints(
    paths: Sequence[Path], records: Sequence[Record], skeletons: Sequence[Skeleton]
) -> tuple[np.ndarray, np.ndarray]:
    width = max((len(skeleton) for skeleton in skeletons), default=0)
    keypoints = np.zeros((len(records), width, 2), np.float32)
    visibility = np.zeros((len(records), width), np.uint8)
    for row, (record, skeleton) in enumerate(zip(records, skeletons, strict=True)):
        for slot, point in record["kps"].items():
            if point is None:
                continue
            if int(slot) >= len(skeleton):
                raise InputError(
                    f"{paths[row]}: kps {slot} is annotated, the card has {len(skeleton)} keypoints for this category; "
                    "correct either"
                )
            keypoints[row, int(slot)], visibility[row, int(slot)] = point, _VISIBLE
    return keypoints, visibility

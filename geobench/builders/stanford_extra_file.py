"""Reads StanfordExtra's annotations, one JSON list of dogs, into columns, every record checked.

Source of the layout: demo.ipynb of benjiebob/StanfordExtra. ``img_bbox`` is (x, y, width, height), ``joints`` are 24
lists (x, y, flag), ``img_path`` is ``<breed folder>/<file>`` below the images of Stanford Dogs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32

from geobench.builders import record_checks as check
from geobench.builders.record_checks import Complaint, Record, shown
from geobench.errors import InputError
from geobench.files import read_json_list

_BOX = ("img_bbox x is", "img_bbox y is", "img_bbox width is", "img_bbox height is")
_LARGEST = 2**24  # pixels; beyond it float32 cannot tell neighbouring pixels apart


@dataclass(frozen=True, eq=False)
class Dogs:
    """The records of the file, A rows in file order.

    Attributes:
        record: number of the record in the file, from 0.
        image: path below the folder of the images.
        breed: such as ``Border terrier``.
        size: (width, height) of the image in pixels.
        bbox: (x, y, width, height) in pixels.
        keypoints: (x, y) in pixels of the original image.
        labelled: which joints have the flag 1.
        odd: how many flags are neither 0 nor 1.
    """

    record: Int32[np.ndarray, " a"]
    image: np.ndarray
    breed: np.ndarray
    size: Int32[np.ndarray, "a 2"]
    bbox: Float32[np.ndarray, "a 4"]
    keypoints: Float32[np.ndarray, "a k 2"]
    labelled: Bool[np.ndarray, "a k"]
    odd: int

    def __len__(self) -> int:
        return len(self.record)


def read_dogs(path: Path, names: Sequence[str]) -> Dogs:
    """Return the records of the file at ``path``, whose joints are ``names``.

    A joint counts as visible where its flag is 1, as in the evaluation of Aygün & Mac Aodha (ECCV 2022,
    evaluation/stanforddogs/data/stanforddogs.py).

    Raises:
        InputError: the file or a record is malformed; the message names the record and the field.
    """
    records = read_json_list(path)
    if not records or any(type(record) is not dict for record in records):
        raise InputError(f"{path}: must be a list of objects, at least one; fetch the file again")
    for checked in _checks(names):
        for row, text in checked(records):
            raise InputError(f"{path}: record {row}: {text}; correct or remove it")
    joints = np.asarray([record["joints"] for record in records], np.float64)
    return Dogs(
        record=np.arange(len(records), dtype=np.int32),
        image=np.asarray([record["img_path"] for record in records], np.str_),
        breed=np.asarray([breed_name(record["img_path"]) for record in records], np.str_),
        size=np.asarray([[record["img_width"], record["img_height"]] for record in records], np.int32),
        bbox=np.asarray([record["img_bbox"] for record in records], np.float32),
        keypoints=joints[..., :2].astype(np.float32),
        labelled=joints[..., 2] == 1,
        odd=int(((joints[..., 2] > 0) & (joints[..., 2] < 1)).sum()),
    )


def breed_name(path: str) -> str:
    """Return the breed of an image: ``n02093754-Border_terrier/n02093754_875.jpg`` is a ``Border terrier``."""
    folder = path.split("/")[0]
    return re.sub(r"^n[0-9]+-", "", folder).replace("_", " ").strip() or folder


def _checks(names: Sequence[str]) -> list[Callable[[Sequence[Record]], Iterator[Complaint]]]:
    """Return the checks of records; each relies on those before it."""
    return [
        partial(check.bad_paths, field="img_path"),
        _bad_folders,
        partial(check.bad_integers, field="img_width", least=1, most=_LARGEST),
        partial(check.bad_integers, field="img_height", least=1, most=_LARGEST),
        partial(check.bad_number_lists, field="img_bbox", names=_BOX, unit="(x, y, width, height)"),
        _bad_boxes,
        partial(_bad_lists, names=names),
        partial(_bad_joints, names=names),
    ]


def _bad_folders(records: Sequence[Record]) -> Iterator[Complaint]:
    for row, record in enumerate(records):
        path = record["img_path"]
        if not re.fullmatch(r"[^/\x00-\x1f]+/[^/\x00-\x1f]+", path):
            yield row, f"img_path {shown(path)} is not <breed folder>/<file>"


def _bad_boxes(records: Sequence[Record]) -> Iterator[Complaint]:
    boxes = np.asarray([record["img_bbox"] for record in records], np.float64)
    good = (np.abs(boxes) <= _LARGEST).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    for row in np.flatnonzero(~good):
        box = shown(records[int(row)]["img_bbox"])
        yield int(row), f"img_bbox {box} is not x, y, width, height with width and height above 0"


def _bad_lists(records: Sequence[Record], names: Sequence[str]) -> Iterator[Complaint]:
    parts = [f"{name} has {part} =" for name in names for part in ("x", "y", "flag")]
    for row, record in enumerate(records):
        listed = record.get("joints")
        if type(listed) is not list or len(listed) != len(names):
            yield row, f"joints must be a list of {len(names)} joints (x, y, flag), found {shown(listed)}"
        elif any(type(one) is not list or len(one) != 3 for one in listed):
            yield row, f"joints: not every joint is a list x, y, flag in {shown(listed)}"
        else:
            flat = [{"joints": [number for one in listed for number in one]}]
            for _, text in check.bad_number_lists(flat, "joints", parts, "(x, y, flag of each joint)"):
                yield row, f"joints: {text}"


def _bad_joints(records: Sequence[Record], names: Sequence[str]) -> Iterator[Complaint]:
    table = np.asarray([record["joints"] for record in records], np.float64)
    flag = table[..., 2]
    bad = ~((np.abs(table) <= _LARGEST).all(axis=2) & (flag >= 0) & (flag <= 1))
    for row, number in np.argwhere(bad):
        value = shown(records[int(row)]["joints"][number])
        yield int(row), f"joints: {names[number]} is {value}, expected finite x and y and a flag from 0 to 1"

"""Reads COCO keypoint annotation files into columns, every record validated.

Conventions are those of pycocotools: ``images``, ``annotations`` and ``categories`` are lists of objects keyed by
``id``; ``bbox`` is (x, y, width, height) in pixels; ``keypoints`` is x, y, v per keypoint with v = 0 not labelled,
1 labelled but hidden, 2 visible. Two optional fields are ours: ``mask`` (path) and ``azimuth`` (degrees).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geobench.builders import coco_checks
from geobench.builders.coco_checks import Check
from geobench.builders.notices import Notices
from geobench.builders.record_checks import Record, shown
from geobench.errors import InputError
from geobench.files import read_json_object

_PARTS = ("images", "annotations", "categories")
_SKIP = "fix or remove the annotation, or pass --skip-invalid to leave it out and record that"
Located = list[tuple[Path, Record]]


@dataclass(frozen=True)
class CocoCategory:
    """A category: AP-10K's species (``name``) and family (``supercategory``)."""

    name: str
    supercategory: str


@dataclass(frozen=True)
class Skipped:
    """An invalid annotation that was left out: its file, its ids as they stand there, and what is wrong with it."""

    file: str
    annotation: str
    image: str
    complaint: str

    @property
    def sentence(self) -> str:
        """The record and the complaint in words."""
        return f"{self.file}: annotation {self.annotation} (image {self.image}): {self.complaint}"


@dataclass(frozen=True, eq=False)
class CocoKeypoints:
    """Annotations of one or more COCO keypoint files, A rows in file order, K keypoints.

    Attributes:
        categories: by id.
        id, image_id, category_id: as in the files, int64 [A].
        file_name: of the annotation's image.
        size: (width, height) of the annotation's image in pixels, int32 [A, 2].
        bbox: (x, y, width, height) in pixels, float32 [A, 4].
        keypoints: (x, y) in pixels of the original image, float32 [A, K, 2].
        visibility: COCO flags, uint8 [A, K].
        num_keypoints: the field of this name, not a recount, int64 [A].
        mask: path of the instance mask; empty where there is none.
        azimuth: degrees, NaN where unknown, float32 [A].
        skipped: invalid annotations that were left out.
    """

    categories: Mapping[int, CocoCategory]
    id: np.ndarray
    image_id: np.ndarray
    category_id: np.ndarray
    file_name: list[str]
    size: np.ndarray
    bbox: np.ndarray
    keypoints: np.ndarray
    visibility: np.ndarray
    num_keypoints: np.ndarray
    mask: list[str]
    azimuth: np.ndarray
    skipped: tuple[Skipped, ...]


def read_coco(
    paths: Sequence[Path], names: Sequence[str], notices: Notices, skip_invalid: bool = False
) -> CocoKeypoints:
    """Return the annotations of the files at ``paths``, in that order.

    Args:
        paths: annotation files; their image and category records complement each other.
        names: the keypoint names every category must have.
        notices: told what is odd but usable.
        skip_invalid: leave malformed annotation records out, instead of stopping at the first.

    Raises:
        InputError: a file or record is malformed; the message names file, record, field and remedy.
    """
    return read_documents(
        [(path, _read_document(path)) for path in paths], names, notices, paths[0].parent, skip_invalid
    )


def read_documents(
    documents: Sequence[tuple[Path, dict[str, Any]]],
    names: Sequence[str],
    notices: Notices,
    folder: Path,
    skip_invalid: bool = False,
) -> CocoKeypoints:
    """Return the annotations of documents that have the lists ``images``, ``annotations`` and ``categories``.

    Args:
        documents: with the file that each is from.
        names: the keypoint names every category must have.
        notices: told what is odd but usable.
        folder: that holds the files, for the notice about what is left out.
        skip_invalid: leave malformed annotation records out, instead of stopping at the first.

    Raises:
        InputError: a record is malformed; the message names file, record, field and remedy.
    """
    categories = _categories(documents, names, notices)
    images = _images(documents, notices)
    records = _located(documents, "annotations")
    checks = coco_checks.annotation_checks(names, images, categories)
    records, faulty = _sift(records, checks, _annotation_name, _SKIP, skip_invalid)
    _refuse_shared_ids(records)
    skipped = tuple(
        Skipped(path.name, shown(record.get("id")), shown(record.get("image_id")), text)
        for path, record, text in faulty
    )
    if skipped:
        notices.say(f"{folder}: {len(skipped)} invalid annotations are left out (the first: {skipped[0].sentence})")
    return _columns(records, names, images, categories, skipped, notices)


def _read_document(path: Path) -> dict[str, Any]:
    document = read_json_object(path)
    for part in _PARTS:
        if part not in document:
            raise InputError(f"{path}: required top-level key '{part}' is missing; fetch the file again")
        records = document[part]
        if not isinstance(records, list) or any(type(record) is not dict for record in records):
            raise InputError(f"{path}: '{part}' must be a list of objects; fetch the file again")
    return document


def _located(documents: Sequence[tuple[Path, dict[str, Any]]], part: str) -> Located:
    return [(path, record) for path, document in documents for record in document[part]]


def _annotation_name(record: Record) -> str:
    return f"annotation {shown(record.get('id'))} (image {shown(record.get('image_id'))})"


def _sift(
    records: Located, checks: Sequence[Check], name: Callable[[Record], str], remedy: str, skip: bool = False
) -> tuple[Located, list[tuple[Path, Record, str]]]:
    """Return the valid records, and with their complaints those left out because ``skip`` is set."""
    faulty: list[tuple[Path, Record, str]] = []
    for check in checks:
        complaints = dict(check([record for _, record in records]))
        for row, text in complaints.items():
            path, record = records[row]
            if not skip:
                raise InputError(f"{path}: {name(record)}: {text}; {remedy}")
            faulty.append((path, record, text))
        if complaints:
            records = [located for row, located in enumerate(records) if row not in complaints]
    return records, faulty


def _categories(
    documents: Sequence[tuple[Path, dict[str, Any]]], names: Sequence[str], notices: Notices
) -> dict[int, CocoCategory]:
    records = _located(documents, "categories")
    if not records:
        raise InputError(f"{documents[0][0]}: categories is empty in every annotation file; fetch the files again")

    def name(record: Record) -> str:
        return f"category {shown(record.get('id'))}"

    records, _ = _sift(records, coco_checks.category_checks(), name, "mend the category in every file")
    first: dict[int, tuple[Path, CocoCategory]] = {}
    for path, record in records:
        category = CocoCategory(record["name"], record["supercategory"])
        before, known = first.setdefault(record["id"], (path, category))
        if known != category:
            raise InputError(
                f"{path}: category {record['id']}: the categories differ: name {known.supercategory}/{known.name} in "
                f"{before}, but {category.supercategory}/{category.name} here; use files of one release"
            )
        if before is path and known is category:
            _check_category(path, record, names, notices)
    return {number: category for number, (_, category) in first.items()}


def _check_category(path: Path, record: Record, names: Sequence[str], notices: Notices) -> None:
    where = f"{path}: category {record['id']}"
    for field in ("name", "supercategory"):
        if ":" in record[field]:
            notices.say(
                f"{where}: {field} {shown(record[field])} contains ':', which separates the label in pair file names "
                "and is not allowed on some file systems"
            )
    found = record.get("keypoints", list(names))
    if not isinstance(found, list) or len(found) != len(names):
        raise InputError(f"{where}: keypoints must be a list of {len(names)} names, as on the card; mend it")
    if found != list(names) and set(map(str, found)) == set(names):
        raise InputError(f"{where}: keypoints has the names of the card in another order; reorder them")


def _images(documents: Sequence[tuple[Path, dict[str, Any]]], notices: Notices) -> dict[int, Record]:
    def name(record: Record) -> str:
        return f"image {shown(record.get('id'))}"

    records, _ = _sift(_located(documents, "images"), coco_checks.image_checks(), name, "mend the image record")
    first: dict[int, tuple[Path, Record]] = {}
    twice: list[str] = []
    for path, record in records:
        before, known = first.setdefault(record["id"], (path, record))
        if known is record:
            continue
        differing = [field for field in ("width", "height", "file_name") if known[field] != record[field]]
        if differing:
            one, other = (", ".join(f"{field} {r[field]}" for field in differing) for r in (known, record))
            raise InputError(
                f"{path}: image id {record['id']} is also in {before} with another content ({one} there, {other} "
                "here); remove one of the two"
            )
        twice.append(f"{path}: image id {record['id']} is also listed in {before}; its first annotation is used")
    if twice:
        notices.say(_and_more(twice))
    return {number: record for number, (_, record) in first.items()}


def _and_more(sentences: Sequence[str]) -> str:
    more = len(sentences) - 1
    return f"{sentences[0]} (and {more} more like it)" if more else sentences[0]


def _refuse_shared_ids(records: Located) -> None:
    first: dict[int, tuple[Path, Record]] = {}
    for path, record in records:
        before, known = first.setdefault(record["id"], (path, record))
        if known is not record:
            raise InputError(
                f"{path}: annotation id {record['id']} is used twice: for image {record['image_id']} here and for "
                f"image {known['image_id']} in {before}; give each annotation its own id"
            )


def _columns(
    records: Located,
    names: Sequence[str],
    images: Mapping[int, Record],
    categories: Mapping[int, CocoCategory],
    skipped: tuple[Skipped, ...],
    notices: Notices,
) -> CocoKeypoints:
    plain = [record for _, record in records]
    pictures = [images[record["image_id"]] for record in plain]
    size = np.asarray([(one["width"], one["height"]) for one in pictures], np.int32).reshape(-1, 2)
    table = coco_checks.keypoint_array(plain, len(names))
    bbox = coco_checks.box_array(plain)
    counted = np.asarray([record["num_keypoints"] for record in plain], np.int64)
    for rows, describe in coco_checks.odd_annotations(names, bbox, table, counted, size):
        if len(rows):
            places = [f"{records[row][0]}: {_annotation_name(plain[row])}: {describe(row)}" for row in rows.tolist()]
            notices.say(_and_more(places))
    return CocoKeypoints(
        categories=categories,
        id=np.asarray([record["id"] for record in plain], np.int64),
        image_id=np.asarray([record["image_id"] for record in plain], np.int64),
        category_id=np.asarray([record["category_id"] for record in plain], np.int64),
        file_name=[one["file_name"] for one in pictures],
        size=size,
        bbox=bbox,
        keypoints=np.ascontiguousarray(table[..., :2]),
        visibility=table[..., 2].astype(np.uint8),
        num_keypoints=counted,
        mask=[record.get("mask") or "" for record in plain],
        azimuth=np.asarray([_or_nan(record.get("azimuth")) for record in plain], np.float32),
        skipped=skipped,
    )


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value

"""Reads the image annotations of GeoAware-SC: ``ImageAnnotation/<family>/<species>/<image id>.json``.

prepare_ap10k.ipynb (cell 0) writes one file per image: AP-10K's image record laid over its first annotation, with the
names of species and family. The ``id`` therefore is the image's; the annotation's own is lost. Our export keeps it as
``annotation_id``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geobench.builders.coco import CocoKeypoints, read_documents
from geobench.builders.notices import Notices
from geobench.builders.record_checks import Record, shown
from geobench.errors import InputError
from geobench.files import read_json_object

_IMAGE_FIELDS = ("id", "width", "height")
_ANNOTATION_FIELDS = ("bbox", "keypoints", "num_keypoints", "mask", "azimuth")


def find_image_annotations(folder: Path) -> tuple[Path, ...]:
    """Return the annotation files exactly two folders below ``folder``, where the authors look, sorted.

    Raises:
        InputError: there is none.
    """
    found = tuple(sorted(folder.glob("[!.]*/[!.]*/[!.]*.json")))
    if not found:
        raise InputError(f"{folder}: holds no <family>/<species>/<image id>.json; name the folder that was prepared")
    return found


def read_image_annotations(
    paths: Sequence[Path], folder: Path, names: Sequence[str], notices: Notices, skip_invalid: bool = False
) -> CocoKeypoints:
    """Return the annotations of the files at ``paths``; file names of images are ``<family>/<species>/<id>.jpg``.

    Args:
        paths: of :func:`find_image_annotations`.
        folder: that they lie in.
        names: the keypoint names, in the order of the keypoint triples.
        notices: told what is odd but usable.
        skip_invalid: leave malformed annotations out, instead of stopping at the first.

    Raises:
        InputError: a file is malformed, or its name or folders contradict what it says.
    """
    numbers: dict[tuple[str, str], int] = {}
    documents = []
    for path in paths:
        family, species = path.parts[-3:-1]
        record = read_json_object(path)
        _check_place(path, record)
        category = {"id": numbers.setdefault((family, species), len(numbers)), "name": species, "supercategory": family}
        documents.append((path, _document(record, category)))
    return read_documents(documents, names, notices, folder, skip_invalid)


def _check_place(path: Path, record: Record) -> None:
    family, species = path.parts[-3:-1]
    for field, expected in (("supercategory", family), ("name", species)):
        if record.get(field) != expected:
            raise InputError(
                f"{path}: {field} is {shown(record.get(field))}, but its folder is called {shown(expected)}; "
                "move the file, or prepare the folder again"
            )
    number = record.get("id")
    if type(number) is not int or path.stem != f"{number:012d}":
        raise InputError(f"{path}: id is {shown(number)}, but the file is called {path.name}; prepare the folder again")


def _document(record: Record, category: Record) -> dict[str, list[dict[str, Any]]]:
    """Return one image's record as the COCO document it was made from, as far as it is kept."""
    place = f"{category['supercategory']}/{category['name']}/{record['id']:012d}.jpg"
    image = {field: record[field] for field in _IMAGE_FIELDS if field in record}
    annotation = {field: record[field] for field in _ANNOTATION_FIELDS if field in record}
    ids = {"id": _annotation_id(record), "image_id": record["id"], "category_id": category["id"]}
    return {
        "images": [image | {"file_name": place}],
        "annotations": [annotation | ids],
        "categories": [category],
    }


def _annotation_id(record: Record) -> Any:
    """Return the annotation's own id where our export kept it, else the id in the record."""
    kept = record.get("annotation_id")
    return int(kept) if isinstance(kept, str) and re.fullmatch("[0-9]{1,15}", kept) else record["id"]

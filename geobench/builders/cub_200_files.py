"""Reads the seven text files of CUB-200-2011 into columns, every line checked.

``images.txt`` says which images there are. The other files may tell of more: a part of the dataset often comes with
the part locations and labels of all 11,788 images. Their further images are passed over, and that is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from geobench.builders import record_checks as check
from geobench.builders.notices import Notices
from geobench.builders.text_table import TextTable, read_text_table
from geobench.errors import InputError

IMAGES, CLASSES, LABELS = "images.txt", "classes.txt", "image_class_labels.txt"
BOXES, SPLIT = "bounding_boxes.txt", "train_test_split.txt"
PARTS, LOCATIONS = "parts/parts.txt", "parts/part_locs.txt"
FILES = (IMAGES, CLASSES, LABELS, BOXES, SPLIT, PARTS, LOCATIONS)


@dataclass(frozen=True, eq=False)
class Birds:
    """One row per image of ``images.txt``, in the order of the image ids.

    Attributes:
        number: image id.
        image: path below ``images/``.
        species: name of the class, such as ``Black footed Albatross``.
        bbox: (x, y, width, height) in pixels.
        training: whether the image is in the official training set; otherwise it is in the test set.
        keypoints: (x, y) in pixels of the original image, as stored.
        labelled: which parts are visible.
    """

    number: Int64[np.ndarray, " n"]
    image: np.ndarray
    species: np.ndarray
    bbox: Float32[np.ndarray, "n 4"]
    training: Bool[np.ndarray, " n"]
    keypoints: Float32[np.ndarray, "n k 2"]
    labelled: Bool[np.ndarray, "n k"]

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: np.ndarray) -> Birds:
        """Return the images at ``rows`` (numbers or a mask)."""
        return Birds(**{name: column[rows] for name, column in vars(self).items()})


def read_birds(root: Path, names: Sequence[str], notices: Notices) -> Birds:
    """Return the images that ``root`` tells of, whose parts are ``names`` (spaces read as underscores).

    Args:
        root: the folder ``CUB_200_2011``.
        names: the parts, in the order of ``parts/parts.txt``.
        notices: told which files tell of more images than ``images.txt``.

    Raises:
        InputError: a file or a line is missing or malformed.
    """
    number, image = _images(root / IMAGES)
    further: list[str] = []
    boxes, box_rows = _per_image(root / BOXES, ("x", "y", "width", "height"), number, further)
    flags, flag_rows = _per_image(root / SPLIT, ("is_training_image",), number, further)
    keypoints, labelled = _parts(root, number, names, further)
    found = Birds(
        number=number,
        image=image,
        species=_species(root, number, further),
        bbox=_boxes(boxes)[box_rows],
        training=_flags(flags, "is_training_image")[flag_rows],
        keypoints=keypoints,
        labelled=labelled,
    )
    if further:
        notices.say(f"{root / IMAGES}: lists {len(number)} images; passed over: {'; '.join(further)}")
    return found


def _images(path: Path) -> tuple[np.ndarray, np.ndarray]:
    table = read_text_table(path, ("image_id", "image_name"), free_text=True)
    number, names = table.integers("image_id"), [name.strip() for name in table.texts("image_name")]
    table.refuse_first(check.bad_paths([{"image_name": name} for name in names], "image_name"))
    table.refuse_repeated(number.tolist(), lambda row: f"image_id {number[row]}")
    table.refuse_repeated(names, lambda row: f"image_name {names[row]}")
    order = np.argsort(number)
    return number[order], np.asarray(names, dtype=np.str_)[order]


def _per_image(
    path: Path, fields: tuple[str, ...], number: np.ndarray, further: list[str]
) -> tuple[TextTable, np.ndarray]:
    """Return a file with one line per image, and the row of each of the images ``number`` in it."""
    table = read_text_table(path, ("image_id", *fields))
    given = table.integers("image_id")
    table.refuse_repeated(given.tolist(), lambda row: f"image_id {given[row]}")
    _tell_further(table, given, number, further)
    order = np.argsort(given)
    place = np.minimum(np.searchsorted(given, number, sorter=order), len(given) - 1)
    rows = order[place]
    absent = np.flatnonzero(given[rows] != number)
    if len(absent):
        raise InputError(
            f"{path}: no line for image_id {number[absent[0]]} of {IMAGES} ({len(absent)} such images); "
            "the file looks truncated, fetch it again"
        )
    return table, rows


def _tell_further(table: TextTable, given: np.ndarray, number: np.ndarray, further: list[str]) -> None:
    unknown = ~np.isin(given, number)
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        count = len(np.unique(given[unknown]))
        further.append(f"{count} images of {table.path.name} (line {table.line[row]}: image_id {given[row]})")


def _boxes(table: TextTable) -> np.ndarray:
    x, y, width, height = (table.numbers(field) for field in ("x", "y", "width", "height"))
    table.refuse(width <= 0, lambda row: f"width is {width[row]:g}, expected more than 0")
    table.refuse(height <= 0, lambda row: f"height is {height[row]:g}, expected more than 0")
    return np.stack([x, y, width, height], axis=1).astype(np.float32)


def _flags(table: TextTable, field: str) -> np.ndarray:
    values = table.integers(field)
    table.refuse(values > 1, lambda row: f"{field} is {values[row]}, expected 0 or 1")
    return values == 1


def _species(root: Path, number: np.ndarray, further: list[str]) -> np.ndarray:
    classes = read_text_table(root / CLASSES, ("class_id", "class_name"), free_text=True)
    known, names = classes.integers("class_id"), [name.strip() for name in classes.texts("class_name")]
    classes.refuse_repeated(known.tolist(), lambda row: f"class_id {known[row]}")
    species = [species_name(name) for name in names]
    classes.refuse_repeated(species, lambda row: f"class_name {species[row]}")
    classes.refuse_first(check.bad_names([{"class_name": name} for name in names], "class_name"))
    labels, rows = _per_image(root / LABELS, ("class_id",), number, further)
    given = labels.integers("class_id")
    labels.refuse(~np.isin(given, known), lambda row: f"class_id {given[row]} is not in {CLASSES}")
    order = np.argsort(known)
    return np.asarray(species, dtype=np.str_)[order][np.searchsorted(known[order], given[rows])]


def species_name(folder: str) -> str:
    """Return the species of a class: ``001.Black_footed_Albatross`` is ``Black footed Albatross``."""
    return re.sub(r"^[0-9]+\.", "", folder).replace("_", " ").strip() or folder


def _parts(root: Path, number: np.ndarray, names: Sequence[str], further: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the locations [N, K, 2] and flags [N, K] of the parts of the images ``number``, which are sorted."""
    part_id = _part_ids(root / PARTS, names)
    table = read_text_table(root / LOCATIONS, ("image_id", "part_id", "x", "y", "visible"))
    image, part = table.integers("image_id"), table.integers("part_id")
    table.refuse(~np.isin(part, part_id), lambda row: f"part_id {part[row]} is not in {PARTS}")
    table.refuse_repeated(
        zip(image.tolist(), part.tolist(), strict=True), lambda row: f"part_id {part[row]} of image_id {image[row]}"
    )
    points = np.stack([table.numbers("x"), table.numbers("y")], axis=1)
    visible = _flags(table, "visible")
    _tell_further(table, image, number, further)
    rows = _rows_of_parts(image, part, number, part_id)
    absent = np.argwhere(rows < 0)
    if len(absent):
        row, column = absent[0]
        raise InputError(
            f"{table.path}: no line for part_id {part_id[column]} ({names[column]}) of image_id {number[row]} "
            f"({len(absent)} such lines); the file looks truncated, fetch it again"
        )
    return points[rows].astype(np.float32), visible[rows]


def _rows_of_parts(image: np.ndarray, part: np.ndarray, number: np.ndarray, part_id: np.ndarray) -> np.ndarray:
    """Return the line [N, K] of each part of each of the images ``number``; -1 where there is none."""
    rows = np.full((len(number), len(part_id)), -1)
    known = np.flatnonzero(np.isin(image, number))
    order = np.argsort(part_id)
    column = order[np.searchsorted(part_id[order], part[known])]
    rows[np.searchsorted(number, image[known]), column] = known
    return rows


def _part_ids(path: Path, names: Sequence[str]) -> np.ndarray:
    table = read_text_table(path, ("part_id", "part_name"), free_text=True)
    numbers = table.integers("part_id")
    table.refuse_repeated(numbers.tolist(), lambda row: f"part_id {numbers[row]}")
    found = ["_".join(name.split()) for name in table.texts("part_name")]
    if found != list(names):
        raise InputError(f"{path}: part_name must be the names of the card, in its order ({', '.join(names)}); mend it")
    return numbers

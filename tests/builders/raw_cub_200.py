"""A miniature of CUB-200-2011's raw layout: its seven text files and tiny images, seeded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geobench.card import Card
from geobench.catalog import find_card

CARD = find_card("cub-200")
NAMES = CARD.keypoints.names
SPECIES = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")
SIZE = (70, 50)


def card_with(**splits: Any) -> Card:
    """Return the card with changed keys of ``[splits]``, as a user's copy of the file would have."""
    return Card.model_validate({**CARD.model_dump(), "splits": {**CARD.splits, **splits}})


def write_cub_200(root: Path, images_per_species: int = 5, seed: int = 0) -> Path:
    """Write the dataset below ``root`` and return it: images 0, 2, 4 … of a species are training images."""
    rng = np.random.default_rng(seed)
    names = [f"{species}/{species[4:]}_{number:04d}.jpg" for species in SPECIES for number in range(images_per_species)]
    (root / "parts").mkdir(parents=True)
    for name in names:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)).save(path)
    ids = range(1, len(names) + 1)
    write_lines(root / "images.txt", [f"{i} {name}" for i, name in zip(ids, names, strict=True)])
    write_lines(root / "classes.txt", [f"{number + 1} {species}" for number, species in enumerate(SPECIES)])
    write_lines(root / "image_class_labels.txt", [f"{i} {1 + (i - 1) // images_per_species}" for i in ids])
    write_lines(root / "train_test_split.txt", [f"{i} {1 - (i - 1) % images_per_species % 2}" for i in ids])
    write_lines(root / "bounding_boxes.txt", [_box(rng, i) for i in ids])
    write_lines(root / "parts" / "parts.txt", [f"{n + 1} {part.replace('_', ' ')}" for n, part in enumerate(NAMES)])
    write_lines(root / "parts" / "part_locs.txt", [line for i in ids for line in _part_lines(rng, i)])
    return root


def write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _box(rng: np.random.Generator, image: int) -> str:
    x, y = rng.integers(0, 20, 2)
    width, height = rng.integers(20, 30, 2)
    return f"{image} {x}.0 {y}.0 {width}.0 {height}.0"


def _part_lines(rng: np.random.Generator, image: int) -> list[str]:
    visible = rng.random(len(NAMES)) < 0.8
    points = rng.integers(1, SIZE, (len(NAMES), 2)) * visible[:, None]
    return [f"{image} {n + 1} {x}.0 {y}.0 {int(visible[n])}" for n, (x, y) in enumerate(points)]

"""A miniature of StanfordExtra's raw layout: its JSON list, the authors' three lists and tiny images, seeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geobench.card import Card
from geobench.catalog import find_card

CARD = find_card("stanford-extra")
NAMES = CARD.keypoints.names
BREEDS = ("n02085620-Chihuahua", "n02093754-Border_terrier", "n02099601-golden_retriever")
SIZE = (80, 60)
JOINTS = 20  # eyes, withers and throat are in the table, but are never annotated


def card_with(**splits: Any) -> Card:
    """Return the card with changed keys of ``[splits]``, as a user's copy of the file would have."""
    return Card.model_validate({**CARD.model_dump(), "splits": {**CARD.splits, **splits}})


def stanford_extra_content(images_per_breed: int = 6, seed: int = 0) -> list[dict[str, Any]]:
    """Return the content of the JSON file."""
    rng = np.random.default_rng(seed)
    stems = [f"{breed}/{breed.split('-')[0]}_{n}.jpg" for breed in BREEDS for n in range(images_per_breed)]
    return [_record(rng, path) for path in stems]


def _record(rng: np.random.Generator, path: str) -> dict[str, Any]:
    flags = (rng.random(len(NAMES)) < 0.75) & (np.arange(len(NAMES)) < JOINTS)
    points = rng.integers(3, [3 * side - 3 for side in SIZE], (len(NAMES), 2)) / 3 * flags[:, None]
    return {
        "img_path": path,
        "img_width": SIZE[0],
        "img_height": SIZE[1],
        "joints": np.column_stack([points, flags]).tolist(),
        "img_bbox": [*rng.integers(0, 20, 2).tolist(), *rng.integers(20, 40, 2).tolist()],
        "is_multiple_dogs": False,
        "seg": "PPYo1",
    }


def write_stanford_extra(root: Path, content: list[dict[str, Any]] | None = None, lists: bool = True) -> Path:
    """Write the dataset below ``root`` and return it: of six dogs of a breed, three train, one is for val, two test."""
    content = stanford_extra_content() if content is None else content
    (root / "StanfordExtra_V12").mkdir(parents=True)
    (root / "StanfordExtra_V12" / "StanfordExtra_v12.json").write_text(json.dumps(content))
    for name, places in (("train", (0, 2, 4)), ("val", (1,)), ("test", (3, 5))) if lists else ():
        rows = [row for row in range(len(content)) if row % 6 in places]
        np.save(root / "StanfordExtra_V12" / f"{name}_stanford_StanfordExtra_v12.npy", np.array(rows))
    for record in content:
        path = root / "Images" / record["img_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, (90, 120, 60)).save(path)
    return root

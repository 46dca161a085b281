"""A miniature of Animal-Pose's raw layout: ``keypoints.json`` and tiny images, seeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geobench.catalog import find_card

CARD = find_card("animal-pose")
NAMES = list(CARD.keypoints.names)
SIZE = (80, 60)


def animal_pose_content(seed: int = 0, animals: tuple[str, ...] = ("dog", "cow"), images: int = 12) -> dict[str, Any]:
    """Return the content of ``keypoints.json``: every third image holds two instances."""
    rng = np.random.default_rng(seed)
    content: dict[str, Any] = {
        "images": {str(number + 1): f"photo_{number:03d}.jpg" for number in range(images)},
        "categories": [{"id": n + 1, "name": name, "keypoints": NAMES} for n, name in enumerate(animals)],
        "annotations": [],
    }
    for number in range(images):
        for _ in range(2 if number % 3 == 0 else 1):
            content["annotations"].append(_annotation(rng, number + 1, 1 + number % len(animals)))
    return content


def _annotation(rng: np.random.Generator, image: int, category: int) -> dict[str, Any]:
    flags = (rng.random(len(NAMES)) < 0.6).astype(int)
    points = rng.integers(1, SIZE, (len(NAMES), 2))
    # As in the release, an unlabelled keypoint is (0, 0) as a rule, but not always.
    points[(flags == 0) & (rng.random(len(NAMES)) < 0.9)] = 0
    low = rng.integers(0, 20, 2)
    return {
        "image_id": image,
        "bbox": [*low.tolist(), *(low + rng.integers(20, 40, 2)).tolist()],
        "keypoints": np.column_stack([points, flags]).tolist(),
        "num_keypoints": 20,
        "category_id": category,
    }


def write_animal_pose(
    root: Path, content: dict[str, Any] | None = None, present: int | None = None, folder: str = "images"
) -> Path:
    """Write ``keypoints.json`` and the first ``present`` images (all by default) below ``root``; return ``root``."""
    content = animal_pose_content() if content is None else content
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "keypoints.json").write_text(json.dumps(content))
    for name in list(content["images"].values())[:present]:
        Image.new("RGB", SIZE, (90, 120, 60)).save(root / folder / name)
    return root

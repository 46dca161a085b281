"""Writes a miniature of the raw SPair-71k folder: three categories, one of them with slots nobody uses."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geobench.catalog import find_card

CATEGORIES = ("bicycle", "bus", "cat")
UNUSED = {"bicycle": (11, 12), "bus": (8, 9)}
_SPLITS = {"trn": (0, 1, 2), "val": (3, 4), "test": (3, 4, 5)}


def write_spair71k(
    folder: Path, *, seed: int = 0, images: str = "ImageAnnotation", pairs: str = "PairAnnotation"
) -> Path:
    """Write the miniature into ``folder`` and return it; ``images`` and ``pairs`` name the annotation folders."""
    rng = np.random.default_rng(seed)
    root = folder / "SPair-71k"
    records = {(c, n): _write_image(root, images, c, n, rng) for c in CATEGORIES for n in range(6)}
    for split, numbers in _SPLITS.items():
        names = []
        ends = [(c, s, t) for c in CATEGORIES for s, t in permutations(numbers, 2)]
        for number, (category, source, target) in enumerate(ends, 1):
            name = f"{number:06d}-2008_00000{source}-2008_00000{target}"
            names.append(f"{name}_{category}")
            record = _pair(records[category, source], records[category, target], category, number)
            _write(root / pairs / split / f"{name}:{category}.json", record)
        for size, kept in (("large", names), ("small", names[::3])):
            path = root / "Layout" / size / f"{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return folder


def _write_image(root: Path, folder: str, category: str, number: int, rng: np.random.Generator) -> dict[str, Any]:
    width, height = int(rng.integers(60, 90)), int(rng.integers(50, 80))
    stem = f"2008_00000{number}"
    path = root / "JPEGImages" / category / f"{stem}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    used = len(find_card("spair71k").categories[category].names)
    seen = [(k < used and k not in UNUSED.get(category, ()) and rng.random() < 0.7) or k == 0 for k in range(30)]
    record = {
        "filename": f"{stem}.jpg",
        "image_width": width,
        "image_height": height,
        "image_depth": 3,
        "category": category,
        "pose": "Left",
        "bndbox": [2, 3, width - 4, height - 5],
        "kps": {str(k): rng.integers(2, 48, 2).tolist() if seen[k] else None for k in range(30)},
        "azimuth_id": int(rng.integers(0, 8)),
    }
    _write(root / folder / category / f"{stem}.json", record)
    return record


def _pair(source: dict[str, Any], target: dict[str, Any], category: str, number: int) -> dict[str, Any]:
    both = [k for k in source["kps"] if source["kps"][k] is not None and target["kps"][k] is not None]
    return {
        "pair_id": number,
        "src_imname": source["filename"],
        "trg_imname": target["filename"],
        "src_imsize": [source["image_width"], source["image_height"], 3],
        "trg_imsize": [target["image_width"], target["image_height"], 3],
        "src_bndbox": source["bndbox"],
        "trg_bndbox": target["bndbox"],
        "category": category,
        "src_kps": [source["kps"][k] for k in both],
        "trg_kps": [target["kps"][k] for k in both],
        "kps_ids": both,
        "mirror": number % 2,
        "viewpoint_variation": number % 3,
        "scale_variation": (number + 1) % 3,
        "truncation": number % 4,
        "occlusion": (number + 1) % 4,
    }


def _write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")

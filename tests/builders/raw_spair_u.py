"""A miniature of SPair-U in both its layouts: four slots per category, some test pairs of the miniature SPair-71k."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.builders.raw_spair71k import write_spair71k

SLOTS = 4


def write_spair_u_extra(folder: Path, seed: int = 0) -> Path:
    """Write SPair-71k with the folders ``Extra…`` into ``folder`` and return it."""
    root = write_spair71k(folder, seed=seed) / "SPair-71k"
    rng = np.random.default_rng(seed)
    images = {
        path: _unseen(json.loads(path.read_text()), rng) for path in sorted(root.glob("ImageAnnotation/*/*.json"))
    }
    names = sorted(root.glob("PairAnnotation/test/*.json"))
    for path in (path for number, path in enumerate(names) if number % 3 != 2):
        pair = json.loads(path.read_text())
        ends = [
            root / "ImageAnnotation" / pair["category"] / f"{pair[end][:-4]}.json"
            for end in ("src_imname", "trg_imname")
        ]
        _write(root / "ExtraPairAnnotation" / "test" / path.name, pair | _common(*(images[end]["kps"] for end in ends)))
        for end in ends:
            _write(root / "ExtraImageAnnotation" / pair["category"] / end.name, images[end])
    return folder


def write_spair_u(folder: Path, seed: int = 0) -> Path:
    """Write the archive as unpacked, ``datasets/SPair-U``, and the images of its pairs into ``folder``; return it."""
    root = write_spair_u_extra(folder, seed) / "SPair-71k"
    own = folder / "datasets" / "SPair-U"
    own.mkdir(parents=True)
    for kind in ("PairAnnotation", "ImageAnnotation"):
        shutil.rmtree(root / kind)
        (root / f"Extra{kind}").rename(own / kind)
    shutil.rmtree(root / "Layout")
    for path in root.glob("JPEGImages/*/*.jpg"):
        if not (own / "ImageAnnotation" / path.parent.name / f"{path.stem}.json").is_file():
            path.unlink()
    return folder


def _unseen(record: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return an image annotation with other keypoints, the first of them always visible."""
    seen = [slot == 0 or (slot < SLOTS and rng.random() < 0.7) for slot in range(30)]
    points = {str(slot): rng.integers(2, 48, 2).tolist() if seen[slot] else None for slot in range(30)}
    return record | {"kps": points}


def _common(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    both = [slot for slot in source if source[slot] is not None and target[slot] is not None]
    return {"src_kps": [source[k] for k in both], "trg_kps": [target[k] for k in both], "kps_ids": both}


def _write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")

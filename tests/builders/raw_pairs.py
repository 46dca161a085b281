"""Writes a small list of a user's own pairs, in either form, with its images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("left_rim", "right_rim", "handle")


def make_raw_pairs(folder: Path, *, form: str = "jsonl", boxes: bool = True, seed: int = 0) -> Path:
    """Write six pairs of four images of two categories to ``folder`` and return it."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in "abcd":
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    points = {name: {key: rng.integers(1, 39, 2).tolist() for key in NAMES} for name in "abcd"}
    pairs = [
        {
            "source": f"{s}.png",
            "target": f"{t}.png",
            "category": "mug" if s in "ab" else "jug",
            "split": "train" if s == "a" else "test",
            "keypoints": {key: [points[s][key], points[t][key]] for key in NAMES[: 2 + (s < t)]},
            **({"source_box": [1, 1, 50, 30], "target_box": [2, 2, 40, 35]} if boxes else {}),
        }
        for s, t in ("ab", "ba", "cd", "dc", "bd", "ac")
    ]
    lines = [json.dumps(pair) for pair in pairs] if form == "jsonl" else _csv(pairs, boxes)
    (folder / f"pairs.{form}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _csv(pairs: list[dict[str, object]], boxes: bool) -> list[str]:
    fields = ["source", "target", "category", "split"]
    lines = [",".join([*fields, "keypoint,source_x,source_y,target_x,target_y", *["source_box,target_box"][:boxes]])]
    for pair in pairs:
        for name, ((sx, sy), (tx, ty)) in pair["keypoints"].items():  # type: ignore[attr-defined]
            cells = [*(str(pair[field]) for field in fields), name, *map(str, (sx, sy, tx, ty))]
            if boxes:
                cells += [" ".join(map(str, pair[box])) for box in ("source_box", "target_box")]  # type: ignore[call-overload]
            lines.append(",".join(cells))
    return lines

"""A contact sheet: many images on one, with their keypoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

LEFT, RIGHT, MIDDLE = (0, 114, 255), (255, 84, 20), (255, 255, 255)
"""Colours of keypoints on the animal's own left, on its right, and on neither."""


def contact_sheet(folder: Path, columns: int = 8, rows: int = 5, side: int = 256, gap: int = 4) -> Image.Image:
    """Return a picture of ``columns`` × ``rows`` images of a rendered dataset, evenly taken from its species.

    Keypoints on the animal's own left are blue, on its right orange, on neither white; limbs with both ends
    visible are joined. ``side`` and ``gap`` are in pixels.

    Raises:
        FileNotFoundError: ``folder`` holds no rendered dataset.
    """
    images, annotations, categories = _read(folder)
    chosen = _spread(images, annotations, columns * rows)
    sheet = Image.new("RGB", (columns * (side + gap) - gap, rows * (side + gap) - gap), (255, 255, 255))
    for i, image in enumerate(chosen):
        picture = Image.open(folder / "data" / image["file_name"]).convert("RGB")
        scale = 4 * side / image["width"]
        picture = picture.resize((4 * side, 4 * side), Image.Resampling.BICUBIC)
        for annotation in annotations[image["id"]]:
            _draw(picture, annotation, categories[annotation["category_id"]], scale)
        picture = picture.resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(picture, ((i % columns) * (side + gap), (i // columns) * (side + gap)))
    return sheet


def _read(folder: Path) -> tuple[list[dict[str, Any]], dict[int, list[dict[str, Any]]], dict[int, dict[str, Any]]]:
    images: list[dict[str, Any]] = []
    annotations: dict[int, list[dict[str, Any]]] = {}
    categories: dict[int, dict[str, Any]] = {}
    for name in ("train", "val", "test"):
        content = json.loads((folder / "annotations" / f"ap10k-{name}-split1.json").read_text(encoding="utf-8"))
        images += content["images"]
        categories.update({category["id"]: category for category in content["categories"]})
        for annotation in content["annotations"]:
            annotations.setdefault(annotation["image_id"], []).append(annotation)
    return sorted(images, key=lambda image: int(image["id"])), annotations, categories


def _spread(
    images: list[dict[str, Any]], annotations: dict[int, list[dict[str, Any]]], wanted: int
) -> list[dict[str, Any]]:
    """Return images with at least 8 keypoints, one species after another."""
    species: dict[int, list[dict[str, Any]]] = {}
    for image in images:
        first = annotations[image["id"]][0]
        if first["num_keypoints"] >= 8 and len(annotations[image["id"]]) == 1:
            species.setdefault(first["category_id"], []).append(image)
    queues = [members[:] for _, members in sorted(species.items())]
    chosen: list[dict[str, Any]] = []
    while len(chosen) < wanted and any(queues):
        chosen += [queue.pop(0) for queue in queues if queue]
    return chosen[:wanted]


def _draw(picture: Image.Image, annotation: dict[str, Any], category: dict[str, Any], scale: float) -> None:
    pen = ImageDraw.Draw(picture)
    values = annotation["keypoints"]
    points = [(scale * values[3 * k], scale * values[3 * k + 1], values[3 * k + 2]) for k in range(17)]
    names = category["keypoints"]
    for a, b in category["skeleton"]:
        (xa, ya, va), (xb, yb, vb) = points[a - 1], points[b - 1]
        if va and vb:
            tint = _tint(names[b - 1])
            pen.line((xa, ya, xb, yb), fill=tint, width=6)
    for name, (x, y, v) in zip(names, points, strict=True):
        if v:
            pen.ellipse((x - 12, y - 12, x + 12, y + 12), fill=_tint(name), outline=(20, 20, 20), width=3)


def _tint(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE

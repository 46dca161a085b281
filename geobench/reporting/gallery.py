"""A contact sheet of image pairs with their keypoints, so that a human sees at a glance whether a card is right.

Geometry-aware keypoints are yellow, the others blue, as in Figure 3 of "Telling Left from Right" (CVPR 2024). Each
keypoint carries its number in the skeleton; a grey frame is the instance's box.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw, ImageFont

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError, UsageError
from geobench.files import whole_file, write_text
from geobench.reporting.figures import GAP, PAPER, contact_sheet, scaled

GEOMETRY_AWARE = (250, 205, 20)
OTHER = (40, 110, 230)
_INK = (20, 20, 20)
_FRAME = (150, 150, 150)


def save_gallery(
    benchmark: Benchmark, folder: Path, *, split: str | None = None, pairs: int = 12, seed: int = 0, side: int = 320
) -> list[Path]:
    """Write a contact sheet per split and the table of keypoints that explains its numbers; return the files.

    Args:
        benchmark: where the pairs are.
        folder: where ``gallery-<split>.png`` and ``keypoints.md`` are written.
        split: one split; by default every test split that has pairs.
        pairs: how many pairs per sheet, drawn at random among those whose images are there.
        seed: of the drawing.
        side: length in pixels of the longer side of each image.

    Raises:
        UsageError: the benchmark has no such split, or fewer than one pair is asked for.
        InputError: no pair of the split has both images.
    """
    if pairs < 1:
        raise UsageError(f"--pairs must be at least 1, not {pairs}")
    written = []
    for name in (split,) if split else benchmark.test_splits():
        sheet = gallery_sheet(benchmark, benchmark.split(name), pairs, seed, side)
        path = folder / f"gallery-{name.replace('/', '-')}.png"
        with whole_file(path) as temporary:
            sheet.save(temporary, format="PNG")
        written.append(path)
    write_text(folder / "keypoints.md", keypoint_table(benchmark))
    return [*written, folder / "keypoints.md"]


def gallery_sheet(benchmark: Benchmark, pairs: Pairs, count: int, seed: int = 0, side: int = 320) -> Image.Image:
    """Return a contact sheet of ``count`` pairs drawn at random, sources on the left.

    Raises:
        InputError: no pair has both images.
    """
    chosen = pairs.take(_drawn(benchmark, pairs, count, seed))
    mutual, tags = chosen.mutual(benchmark), chosen.geometry_aware(benchmark)
    images, captions = [], []
    for n, ends in enumerate(zip(chosen.source.tolist(), chosen.target.tolist(), strict=True)):
        halves = [_instance(benchmark, row, mutual[n], tags[n], side) for row in ends]
        images.append(_beside(*halves))
        captions.append(f"{chosen.category[n]}: {tags[n].sum()} of {mutual[n].sum()} geometry-aware")
    return contact_sheet(images, captions, columns=3)


def keypoint_table(benchmark: Benchmark) -> str:
    """Return the skeletons as Markdown tables: number, name, subgroup, mirror partner of every keypoint."""
    parts = [f"# Keypoints of {benchmark.name}\n"]
    for category, skeleton in sorted(benchmark.skeletons.items()):
        group_of = {k: group for group, members in skeleton.groups.items() for k in members}
        rows = [
            f"| {k} | {name} | {group_of.get(k, '')} | {skeleton.names[partner] if partner != k else ''} |"
            for k, (name, partner) in enumerate(zip(skeleton.names, skeleton.mirror, strict=True))
        ]
        title = "every category" if category == "*" else category
        head = "| number | name | geometry-aware subgroup | mirror partner |\n|---|---|---|---|"
        parts.append(f"## {title}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _drawn(benchmark: Benchmark, pairs: Pairs, count: int, seed: int) -> np.ndarray:
    """Return the numbers of ``count`` pairs whose images are there, in their order in the split."""
    names, inverse = np.unique(benchmark.instances.image, return_inverse=True)
    there = np.array([(benchmark.image_root / str(name)).is_file() for name in names], dtype=bool)[inverse]
    rows = np.flatnonzero(there[pairs.source] & there[pairs.target])
    if not len(rows):
        raise InputError(
            f"{benchmark.image_root}: no pair has both its images; fetch them, or point --images at their folder"
        )
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def _instance(
    benchmark: Benchmark, row: int, shown: Bool[np.ndarray, " k"], tags: Bool[np.ndarray, " k"], side: int
) -> Image.Image:
    """Return the image of an instance with its box and the keypoints that are shown."""
    picture = benchmark.picture(row)
    pixels = picture.pixels
    image = scaled(pixels, side)
    scale = image.width / pixels.shape[1]
    pen = ImageDraw.Draw(image)
    x, y, width, height = (value * scale for value in picture.box)
    if width > 0 and height > 0:
        pen.rectangle((x, y, x + width, y + height), outline=_FRAME)
    points = benchmark.instances.keypoints[row] * scale
    for k in np.flatnonzero(shown).tolist():
        _dot(pen, points[k], GEOMETRY_AWARE if tags[k] else OTHER, str(k), side)
    return image


def _dot(
    pen: ImageDraw.ImageDraw, point: Float[np.ndarray, " 2"], colour: tuple[int, ...], name: str, side: int
) -> None:
    (x, y), radius, size = point.tolist(), side / 80, max(9, side // 28)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=_INK)
    font = ImageFont.load_default(size)
    pen.text((x + radius, y - size), name, fill=PAPER, font=font, stroke_width=1, stroke_fill=_INK)


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), PAPER)
    canvas.paste(left, (0, 0))
    canvas.paste(right, (left.width + GAP, 0))
    return canvas

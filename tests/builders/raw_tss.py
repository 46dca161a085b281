"""A miniature of TSS's raw layout: noise images, flows of shifted rectangles, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

PAIRS = (("FG3DCar", "001_005"), ("FG3DCar", "001_021"), ("JODS", "car_01_02"), ("PASCAL", "bike_01_02"))
MIRRORED = ("PASCAL", "bike_01_02")
UNKNOWN = 1e10


def flo_bytes(flow: np.ndarray) -> bytes:
    """Return a flow [height, width, 2] as a .flo file."""
    height, width = flow.shape[:2]
    head = np.array([202021.25], "<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    return head + flow.astype("<f4").tobytes()


def write_tss(folder: Path, seed: int = 0, pairs: Sequence[tuple[str, str]] = PAIRS) -> Path:
    """Write the dataset into ``folder`` and return it."""
    rng = np.random.default_rng(seed)
    for part, pair in pairs:
        place = folder / part / pair
        place.mkdir(parents=True)
        sizes = [(int(rng.integers(26, 34)), int(rng.integers(20, 28))) for _ in (1, 2)]
        flips = (part, pair) == MIRRORED
        (place / "flip_gt.txt").write_text("1" if flips else "0")
        (place / "pair.txt").write_text("Image1,Image2\na.jpg,b.jpg\n")
        boxes = [rng.integers(1, 6, 2) for _ in (1, 2)]
        for number in (0, 1):
            _write_view(place, number + 1, sizes[number], boxes[number], boxes[1 - number], flips, rng)
    return folder


def _write_view(
    place: Path,
    number: int,
    size: tuple[int, int],
    corner: np.ndarray,
    other: np.ndarray,
    flips: bool,
    rng: np.random.Generator,
) -> None:
    """Write one image: a foreground of 12 x 10 pixels at ``corner`` that lies at ``other`` in the other image."""
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    mask[corner[1] : corner[1] + 10, corner[0] : corner[0] + 12] = 255
    columns = np.arange(width) - corner[0]
    landing = np.where(flips, 11 - columns, columns) + other[0]
    flow = np.full((height, width, 2), UNKNOWN)
    shift = np.stack(np.broadcast_arrays(landing - np.arange(width), np.float64(other[1] - corner[1])), axis=-1)
    flow[mask > 0] = np.broadcast_to(shift, flow.shape)[mask > 0]
    (place / f"flow{number}.flo").write_bytes(flo_bytes(flow))
    Image.fromarray(mask).save(place / f"mask{number}.png")
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(place / f"image{number}.png")

"""Pairs of small pictures for tests of methods."""

from pathlib import Path

import numpy as np
from PIL import Image

from geobench.picture import Picture


def make_picture(folder: Path, key: str, size=(60, 40), box=(5.0, 5.0, 40.0, 30.0), seed=0) -> Picture:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path = folder / f"{key}.png"
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path)
    return Picture(key, path, size, "cat", box)


def make_pairs(folder: Path):
    a, b = make_picture(folder, "a", seed=1), make_picture(folder, "b", (50, 70), (10.0, 0.0, 30.0, 60.0), seed=2)
    points = np.array([[6, 6], [20, 10], [40, 30], [44.5, 34.5]], np.float32)
    truth = np.array([[11, 2], [20, 20], [30, 50], [39, 59]], np.float32)
    return [(a, b, points, truth), (b, a, truth, points)]

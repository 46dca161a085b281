"""A miniature of PF-Willow's raw layout: tiny PNGs and real ``.mat`` files, seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

CLASSES = ("car(G)", "duck(S)", "winebottle(wC)")
SIZE = (60, 40)


def write_pf_willow(root: Path, classes: tuple[str, ...] = CLASSES, images: int = 3, seed: int = 0) -> Path:
    """Write ``images`` images with keypoints per class below ``root`` and return it."""
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(images):
            stem = f"{name[:3]}_{number:03d}"
            pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{stem}.png")
            write_points(root / name / f"{stem}.mat", rng.uniform(1, np.array(SIZE)[:, None] - 1, (2, 10)))
    return root


def write_points(path: Path, points: np.ndarray) -> None:
    scipy.io.savemat(path, {"pts_coord": points})

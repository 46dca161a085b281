"""A miniature of PF-Willow's raw layout: tiny PNGs and real ``.mat`` files, seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

CLASSES = ("car(G)", "duck(S)", "winebottle(wC)")
SIZE = (60, 40)
_COLUMNS = [f"{axis}{end}{number}" for end in "AB" for axis in "XY" for number in range(1, 11)]
POINTS_HEAD = ",".join(["source_image", "target_image", *_COLUMNS])


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


def write_with_official_list(root: Path) -> Path:
    """Write the miniature and the list of its pairs."""
    write_official_list(write_pf_willow(root), root / "test_pairs_pf.csv")
    return root


def write_official_list(root: Path, path: Path) -> Path:
    """Write every ordered pair within a class, with the keypoints of both images, as ``test_pairs_pf.csv`` has them."""
    lines = [POINTS_HEAD]
    for folder in sorted(one for one in root.iterdir() if one.is_dir()):
        stems = sorted(one.stem for one in folder.glob("*.mat"))
        points = {stem: scipy.io.loadmat(folder / f"{stem}.mat")["pts_coord"].ravel() for stem in stems}
        for source, target in ((a, b) for a in stems for b in stems if a != b):
            numbers = [f"{value:.4f}" for stem in (source, target) for value in points[stem]]
            names = [f"PF-dataset/{folder.name}/{stem}.png" for stem in (source, target)]
            lines.append(",".join([*names, *numbers]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_points(path: Path, points: np.ndarray) -> None:
    scipy.io.savemat(path, {"pts_coord": points})

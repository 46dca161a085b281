"""A miniature of PF-Pascal's raw layout: images, real ``.mat`` files and the three lists of pairs, seeded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from geobench.catalog import find_card

CLASSES = ("bicycle", "bottle", "cow")
SIZE = (90, 60)
FOLDER = "PF-dataset-PASCAL"
HEAD = "source_image,target_image,class"
POINTS_HEAD = f"{HEAD},XA,YA,XB,YB"

Marks = dict[tuple[str, str], np.ndarray]  # (class, image) -> kps, NaN where not visible


def write_pf_pascal(folder: Path, images: int = 4, seed: int = 0) -> Path:
    """Write ``images`` images per class and the lists of their pairs below ``folder``, and return it."""
    rng = np.random.default_rng(seed)
    marks = random_marks(rng, images)
    for (category, stem), points in marks.items():
        write_image(folder, stem, rng)
        write_annotation(folder, category, stem, points)
    pairs = [(category, f"{category}_{one}", f"{category}_{one + 1}") for category in CLASSES for one in range(2)]
    write_list(folder / "test_pairs_pf_pascal.csv", [listed(marks, *pair) for pair in pairs], POINTS_HEAD)
    write_list(folder / "val_pairs_pf_pascal.csv", [listed(marks, *pair) for pair in pairs[:1]], POINTS_HEAD)
    flipped = [f"{bare(c, b, a)},{flip}" for c, a, b in pairs for flip in (0, 1)]
    write_list(folder / "train_pairs_pf_pascal.csv", flipped, f"{HEAD},flip")
    return folder


def random_marks(rng: np.random.Generator, images: int) -> Marks:
    """Return keypoints of every image: the first two and the last always visible, the others mostly."""
    marks = {}
    for category in CLASSES:
        count = len(find_card("pf-pascal").categories[category].names)
        for number in range(images):
            points = rng.uniform(1, np.array(SIZE) - 1, (count, 2))
            hidden = rng.random(count) < 0.3
            hidden[[0, 1, -1]] = False
            points[hidden] = np.nan
            marks[category, f"{category}_{number}"] = points
    return marks


def write_image(folder: Path, stem: str, rng: np.random.Generator, size: tuple[int, int] = SIZE) -> None:
    path = folder / FOLDER / "JPEGImages" / f"{stem}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)


def write_annotation(
    folder: Path, category: str, stem: str, points: np.ndarray, box: Iterable[float] = (1, 2, 80, 50)
) -> Path:
    path = folder / FOLDER / "Annotations" / category / f"{stem}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"kps": points, "bbox": np.array([list(box)], dtype=float)})
    return path


def listed(marks: Marks, category: str, source: str, target: str) -> str:
    """Return the line of a pair with the keypoints visible in both images, in the order of their rows."""
    ends = marks[category, source], marks[category, target]
    both = ~np.isnan(ends[0][:, 0]) & ~np.isnan(ends[1][:, 0])
    columns = [";".join(f"{v:.10f}" for v in points[both, axis]) for points in ends for axis in (0, 1)]
    return f"{bare(category, source, target)},{','.join(columns)}"


def bare(category: str, source: str, target: str) -> str:
    """Return the first three fields of a line."""
    number = sorted(find_card("pf-pascal").categories).index(category) + 1
    return f"{FOLDER}/JPEGImages/{source}.jpg,{FOLDER}/JPEGImages/{target}.jpg,{number}"


def write_list(path: Path, lines: list[str], head: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")

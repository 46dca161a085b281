"""Finds and reads the pairs of TSS: ``<part>/<pair>/{image,flow,mask}{1,2}`` and ``flip_gt.txt``.

``flow1.flo`` has the size of ``image1.png`` and leads from it into ``image2.png``; ``flow2.flo`` the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from geobench.builders.image_sizes import image_size
from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.flow_file import known_pixels, read_flow
from geobench.image_file import read_image


@dataclass(frozen=True, eq=False)
class View:
    """One image of a pair.

    Attributes:
        name: ``<part>/<pair>/<1 or 2>``.
        image, flow, mask: paths below the folder of the dataset.
        size: (width, height) in pixels.
        box: of the mask: (x, y, width, height) in pixels.
        starts, ends: (x, y) of a few foreground pixels, and of where they lie in the other image of the pair.
        digest: SHA-256 of the flow file, and that of the mask file.
    """

    name: str
    image: str
    flow: str
    mask: str
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    starts: Float32[np.ndarray, "k 2"]
    ends: Float32[np.ndarray, "k 2"]
    digest: tuple[str, str]


def find_pairs(root: Path, parts: Sequence[str]) -> list[tuple[str, str]]:
    """Return (part, pair) of every folder of pairs below ``root``, sorted."""
    folders = [(part, path) for part in sorted(parts) if (root / part).is_dir() for path in (root / part).iterdir()]
    return sorted((part, path.name) for part, path in folders if path.is_dir() and not path.name.startswith((".", "_")))


def read_view(root: Path, part: str, pair: str, number: int, target: tuple[int, int], samples: int) -> View:
    """Return image ``number`` (1 or 2) of a pair.

    Args:
        root: folder of the dataset.
        part: name of the folder of pairs.
        pair: name of the pair's folder in it.
        number: which image.
        target: (width, height) of the other one.
        samples: how many pixels are to be starts.

    Raises:
        InputError: a file is missing or damaged, or the sizes of image, flow and mask differ.
    """
    folder = f"{part}/{pair}"
    flow_name, mask_name = f"{folder}/flow{number}.flo", f"{folder}/mask{number}.png"
    flow, mask = read_flow(root / flow_name), read_image(root / mask_name, "L") > 127
    size = (flow.shape[1], flow.shape[0])
    image = f"{folder}/image{number}.png"
    others = {mask_name: mask.shape[::-1]} | ({image: image_size(root / image)} if (root / image).is_file() else {})
    for name, found in others.items():
        if tuple(found) != size:
            raise InputError(
                f"{root / name}: is {found[0]}x{found[1]} pixels, {flow_name} is {size[0]}x{size[1]}; fetch both again"
            )
    starts, ends = sample_points(flow, target, samples, root / flow_name)
    return View(
        name=f"{folder}/{number}",
        image=image,
        flow=flow_name,
        mask=mask_name,
        size=size,
        box=_box(mask, root / mask_name),
        starts=starts,
        ends=ends,
        digest=(sha256_of(root / flow_name), sha256_of(root / mask_name)),
    )


def sample_points(
    flow: Float32[np.ndarray, "h w 2"], target: tuple[int, int], count: int, path: Path
) -> tuple[Float32[np.ndarray, "k 2"], Float32[np.ndarray, "k 2"]]:
    """Return centres (x, y) of ``count`` pixels with a known displacement, and where they lie in the other image.

    They are evenly spaced in the list, row by row, of those pixels that lie inside the other image.

    Raises:
        InputError: there is no such pixel.
    """
    rows, columns = np.nonzero(known_pixels(flow))
    starts = np.stack([columns, rows], axis=1).astype(np.float32) + np.float32(0.5)
    ends = starts + flow[rows, columns]
    inside = ((ends >= 0) & (ends <= np.asarray(target, np.float32))).all(axis=1)
    if not inside.any():
        raise InputError(f"{path}: no displacement leads into the other image; fetch it again")
    chosen = np.flatnonzero(inside)[np.linspace(0, inside.sum() - 1, count + 2).round().astype(int)[1:-1]]
    return starts[chosen], ends[chosen]


def read_flip(path: Path) -> int:
    """Return whether the second image shows the object mirrored, 0 or 1; 0 where there is no file, as the authors do.

    Raises:
        InputError: the file holds something else.
    """
    if not path.is_file():
        return 0
    text = path.read_bytes().strip()
    if text not in (b"0", b"1"):
        raise InputError(f"{path}: holds {text[:20]!r}, expected 0 or 1; fetch it again")
    return int(text)


def _box(mask: Bool[np.ndarray, "h w"], path: Path) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise InputError(f"{path}: the mask has no foreground; fetch it again")
    x, y = float(columns[0]), float(rows[0])
    return x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y

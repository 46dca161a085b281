"""The authors' losses and what they were computed from."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geobench.training.views import View, ViewPair, mirrored_keypoints

TESTS = Path(__file__).parents[1]
GOLDENS = TESTS / "goldens" / "geoaware_training"
SIDE, CELLS = 840, 60
NAMES = ("desc1", "desc2", "desc1_flip", "desc2_flip")
FACTS: dict[str, Any] = json.loads((GOLDENS / "losses.json").read_text())


@cache
def stored() -> dict[str, torch.Tensor]:
    with np.load(GOLDENS / "losses.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@cache
def mirror() -> list[int]:
    """The mirror partners of SPair-71k's cat, padded to the 30 keypoints of the golden with partners of their own."""
    with gzip.open(TESTS / "goldens" / "geoaware" / "index_tables.json.gz", "rt") as file:
        known = json.load(file)["flip_perm_train"]["cat"]
    return [*known, *range(len(known), 30)]


@dataclass
class Case:
    """The four images of the golden, their descriptors as leaves that gather gradients."""

    leaves: dict[str, torch.Tensor]
    pair: ViewPair
    scale: torch.Tensor


def case(size: float = 22.0) -> Case:
    """Return the golden's pair; ``size`` is the longer side of the target's box in cells."""
    leaves = {name: stored()[name].float().requires_grad_() for name in NAMES}
    images = []
    for row, name in enumerate(("kps1", "kps2")):
        known = stored()[name]
        points, visible = known[:, :2], known[:, 2] > 0
        images.append(view(leaves[NAMES[row]], points, visible, size))
        moved = mirrored_keypoints(points, visible, mirror(), (SIDE, SIDE))
        images.append(view(leaves[NAMES[row + 2]], *moved, size))
    source, source_mirrored, target, target_mirrored = images
    scale = torch.tensor(FACTS["logit_scale"]).exp().requires_grad_()
    return Case(leaves, ViewPair(source, target, source_mirrored, target_mirrored), scale)


def view(descriptors: torch.Tensor, points: torch.Tensor, visible: torch.Tensor, size: float) -> View:
    places = points * (CELLS / SIDE)
    column, row = places.long().clamp(0, CELLS - 1).unbind(1)
    return View(descriptors.T, None, (CELLS, CELLS), places, row * CELLS + column, visible, size)

"""The features that the fusion goldens were made from, generated anew, and the goldens (see goldens/fusion)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels

FOLDER = Path(__file__).parents[1] / "goldens" / "fusion"
CHANNELS = {"s5": (1280, 3.0), "s4": (1280, 4.0), "s3": (640, 2.0), "dino": (768, 1.5)}
SIDES = {"s5": 15, "s4": 30, "s3": 60, "dino": 60}
IMAGE = (840, 840)


@cache
def stored() -> dict[str, Tensor]:
    """Return the tensors of the golden."""
    return load_file(FOLDER / "fusion_golden.safetensors")


@cache
def facts() -> dict[str, Any]:
    """Return the JSON of the golden: seed and checksums."""
    values: dict[str, Any] = json.loads((FOLDER / "fusion_golden.json").read_text(encoding="utf-8"))
    return values


@cache
def features() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the features [c, n, n] of the two images, by level: shared noise, moved by (8, 4) cells, and own noise."""
    generator = torch.Generator().manual_seed(facts()["seed"])

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    coarse = F.interpolate(normal(1, 24, 12, 12), size=(60, 60), mode="bicubic", align_corners=False)
    base = coarse + 0.3 * normal(1, 24, 60, 60)
    mixing = {level: normal(count, 24) / 24**0.5 * size for level, (count, size) in CHANNELS.items()}
    images: list[dict[str, Tensor]] = []
    for content in (base, torch.roll(base, (4, 8), (2, 3))):
        images.append({})
        for level, side in SIDES.items():
            seen = F.avg_pool2d(content, 60 // side) if side < 60 else content
            mixed = torch.einsum("oc,bchw->bohw", mixing[level], seen)
            images[-1][level] = (mixed + 0.8 * mixed.std() * normal(*mixed.shape))[0]
    return images[0], images[1]


def diffusion_levels(image: int, side: int = 960) -> Levels:
    """Return s3, s4 and s5 of image 0 or 1 in a frame of ``side``, 960 as the diffusion model gives them."""
    letterbox = Letterbox.pad(IMAGE, side)
    return Levels([FeatureMap(features()[image][level], letterbox) for level in ("s3", "s4", "s5")])


def dino_map(image: int) -> FeatureMap:
    """Return the DINOv2 features of image 0 or 1, in a frame of 840."""
    return FeatureMap(features()[image]["dino"], Letterbox.pad(IMAGE, 840))

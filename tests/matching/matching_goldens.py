"""Stored similarities, predictions and features of the authors' code (see goldens/matching), as feature maps."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox

GOLDENS = Path(__file__).parents[1] / "goldens"
FOLDER = GOLDENS / "matching"
SIDE = 840


@cache
def archive(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of ``<name>.npz``; the features of the SPair-71k images lie in ``goldens/geoaware``."""
    with np.load((GOLDENS / "geoaware" if name == "features_spair" else FOLDER) / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def as_fed(descriptors: np.ndarray) -> FeatureMap:
    """Return descriptors [3600, c], row by row, as they were fed to the authors' code: not normalised again."""
    features = torch.from_numpy(descriptors.astype(np.float32)).T.reshape(-1, 60, 60).contiguous()
    return FeatureMap(features, Letterbox.pad((SIDE, SIDE), SIDE))


def normalised(features: np.ndarray, size: tuple[int, int]) -> FeatureMap:
    """Return features [c, 60, 60] of an image of ``size`` divided by (norm + 1e-10), as pck_train.py:25-39 does."""
    raw = torch.from_numpy(features.astype(np.float32))
    return FeatureMap(raw / (raw.norm(dim=0, keepdim=True) + 1e-10), Letterbox.pad(size, SIDE))


@cache
def dift_features() -> dict[str, torch.Tensor]:
    """Return the maps [c, h, w] of ``dift_features.safetensors``: a JSON header, then float32 arrays."""
    content = (FOLDER / "dift_features.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    maps = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        start, stop = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[start:stop], "<f4").reshape(entry["shape"])
        maps[name.removeprefix("ft.")] = torch.from_numpy(values[0].copy())
    return maps


def dift_pairs() -> list[dict[str, Any]]:
    """Return the pairs of DIFT's evaluation with its predictions and how clear each maximum was."""
    pairs: list[dict[str, Any]] = json.loads((FOLDER / "dift_eval.json").read_text(encoding="utf-8"))["pairs"]
    return pairs

"""Seeds every random generator from what is being computed, so that order, resume and sharding change nothing."""

from __future__ import annotations

import hashlib
import random

import numpy as np


def seed_for(seed: int, *names: str) -> int:
    """Return a 32-bit seed made of ``seed`` and the names of the images at hand."""
    text = "\x00".join([str(seed), *names]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "little")


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, which a user's method may draw from."""
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)

"""Seeds every random generator from what is being computed, so that order, resume and sharding change nothing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

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
    if _has_accelerator():
        torch.manual_seed(seed)
    else:  # without its look for devices, which takes as long as matching a pair
        torch.default_generator.manual_seed(seed)


@cache
def _has_accelerator() -> bool:
    import torch

    return torch.accelerator.is_available() or torch.cuda.is_available()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators for a while, and afterwards leave them as they were."""
    import torch

    kept = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        seed_everything(seed)
        try:
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])  # noqa: NPY002

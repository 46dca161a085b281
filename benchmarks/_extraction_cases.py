"""The cases that extraction.py measures: an extractor, its settings, and the straightforward way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from _extraction_counts import Row
from _extraction_counts import dift as count_dift
from _extraction_counts import dinov2 as count_dinov2
from _extraction_counts import stable_diffusion as count_sd
from _extraction_plain import PlainDift, PlainStableDiffusion

from geobench.features import dift, dinov2, stable_diffusion
from geobench.features.weights import Weights


@dataclass(frozen=True)
class Case:
    """An extractor at one size.

    Attributes:
        row: its counts.
        module: the extractor's.
        given: its settings.
        plain: makes the straightforward way, on a device; it takes a picture and returns its maps.
    """

    row: Row
    module: ModuleType
    given: dict[str, Any]
    plain: Callable[[str], Callable[..., Any]]

    def ours(self, device: str, dtype: str) -> Any:
        """Return the extractor with random weights of true size."""
        settings = self.module.Settings(**self.given, dtype=dtype)
        return self.module.Extractor(settings, device, Weights(random="full"))


def cases(reduced: bool) -> list[Case]:
    """Return the three cases, at true resolution or reduced."""
    side, crops, (small, noises) = (518, 1, (512, 2)) if reduced else (840, 4, (768, 8))
    sd = {"setting": "geoaware-sc", "side": 512 if reduced else 960}
    noisy = {"side": small, "ensemble": noises}
    return [
        Case(count_dinov2(side), dinov2, {"side": side}, partial(_one_by_one, dinov2, {"side": side})),
        Case(count_sd(crops), stable_diffusion, sd, partial(_plain, PlainStableDiffusion, stable_diffusion, sd)),
        Case(count_dift(small, noises), dift, noisy, partial(_plain, PlainDift, dift, noisy)),
    ]


def _plain(cls: Any, module: ModuleType, given: dict[str, Any], device: str) -> Callable[..., Any]:
    made: Callable[..., Any] = cls(module.Settings(**given), device, Weights(random="full"))
    return made


def _one_by_one(module: ModuleType, given: dict[str, Any], device: str) -> Callable[..., Any]:
    """Return an extractor of which nothing can be left out, for one image at a time."""
    extractor = module.Extractor(module.Settings(**given, batch=1), device, Weights(random="full"))
    return lambda picture: [extractor(picture).features]

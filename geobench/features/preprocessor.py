"""The colours that a checkpoint was trained with, from the preprocessor configuration beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geobench.errors import InputError
from geobench.files import read_json_object

Colour = tuple[float, float, float]
FILES = ("preprocessor_config.json", "processor_config.json")
"""Where transformers keeps it: of an image processor alone, and of one joined with others."""


def colours_of(folder: Path) -> tuple[Colour, Colour] | None:
    """Return mean and standard deviation of RGB, 0 to 1, that a checkpoint's images are normalised with.

    Args:
        folder: the checkpoint's; without a configuration of its preprocessor the answer is None.

    Raises:
        InputError: the configuration cannot be read, or does not say it in three numbers each.
    """
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        return None
    held = read_json_object(path)
    told = held.get("image_processor", held)
    if not isinstance(told, dict) or "image_mean" not in told:
        return None
    mean, std = (_colour(told, key, path) for key in ("image_mean", "image_std"))
    if told.get("do_normalize") is False:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if min(std) <= 0:
        raise InputError(f"{path}: image_std is {list(std)}, and nothing can be divided by that; fetch it again")
    return mean, std


def _colour(told: dict[str, Any], key: str, path: Path) -> Colour:
    found = told.get(key)
    if not isinstance(found, list) or len(found) != 3 or not all(type(one) in (int, float) for one in found):
        raise InputError(f"{path}: {key} is {found!r}, and not three numbers; fetch it again")
    red, green, blue = map(float, found)
    return red, green, blue

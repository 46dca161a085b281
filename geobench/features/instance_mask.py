"""Where the instance is in the model frame: the dataset's mask, Segment Anything's, or the box.

What is asked for may not be there; the order of what takes its place:

- ``dataset``: the dataset's mask; for a picture without one, its box.
- ``sam``: Segment Anything prompted with the box; where that finds nothing, the box.
- ``box``: the box.

A box outside the image gives an empty mask, which the distances take as the whole frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from geobench.errors import InputError
from geobench.features.letterbox import Letterbox
from geobench.features.sam_mask import SamMasks
from geobench.features.weights import Weights
from geobench.picture import Picture

MaskSource = Literal["dataset", "box", "sam"]
MaskMaker = Callable[[Picture, Letterbox], Bool[Tensor, "rows columns"]]
"""Picture and model frame to the instance's mask over the whole model frame, padding False."""


def mask_maker(source: MaskSource, sam_model: str, device: str = "cpu", weights: Weights | None = None) -> MaskMaker:
    """Return what makes masks of one ``source``; see the module for what takes the place of a missing mask.

    Args:
        source: ``dataset``, ``box`` or ``sam``.
        sam_model: name or folder of Segment Anything's weights; read only for ``sam``.
        device: where Segment Anything runs.
        weights: where its weights come from; part ``sam``.

    Raises:
        InputError: Segment Anything is asked for, and its weights are absent or damaged.
    """
    if source == "sam":
        masks = SamMasks(sam_model, device, weights)
        return lambda picture, letterbox: in_frame(_or_box(masks(picture), picture), letterbox)
    if source == "dataset":
        return lambda picture, letterbox: in_frame(_or_box(dataset_mask(picture), picture), letterbox)
    return lambda picture, letterbox: in_frame(box_mask(picture), letterbox)


def dataset_mask(picture: Picture) -> Bool[np.ndarray, "h w"] | None:
    """Return the dataset's mask of a picture, or None where it has none.

    Raises:
        InputError: the mask is not as large as the image.
    """
    mask = picture.mask
    if mask is not None and mask.shape[::-1] != picture.size:
        raise InputError(
            f"{picture.mask_path}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels in its image's pose, the image "
            f"{picture.size[0]}x{picture.size[1]}; fetch the original mask"
        )
    return mask


def box_mask(picture: Picture) -> Bool[np.ndarray, "h w"]:
    """Return the pixels whose centres lie in the picture's box."""
    x, y, width, height = picture.box
    columns, rows = (np.arange(size) + 0.5 for size in picture.size)
    in_rows = (rows >= y) & (rows <= y + height)
    return in_rows[:, None] & ((columns >= x) & (columns <= x + width))


def in_frame(mask: Bool[np.ndarray, "h w"], letterbox: Letterbox) -> Bool[Tensor, "rows columns"]:
    """Return a mask of the image as a mask of the model frame: nearest neighbour, False in the padding."""
    (left, top), (width, height) = (int(v) for v in letterbox.offset), letterbox.content
    rows = (2 * np.arange(height) + 1) * mask.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * mask.shape[1] // (2 * width)
    frame = torch.zeros(letterbox.size[::-1], dtype=torch.bool)
    frame[top : top + height, left : left + width] = torch.from_numpy(mask[rows][:, columns])
    return frame


def _or_box(mask: Bool[np.ndarray, "h w"] | None, picture: Picture) -> Bool[np.ndarray, "h w"]:
    return mask if mask is not None and bool(mask.any()) else box_mask(picture)

"""Perturbation of the ground truth: annotators are not exact, so the dense objective should not learn their noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from geobench.features.feature_map import FeatureMap


def perturbed(
    truth: Float[Tensor, "n 2"], size: float, share: float, generator: torch.Generator | None = None
) -> Float[Tensor, "n 2"]:
    """Return true places moved by Gaussian noise.

    Zhang et al., section 3.3: two standard deviations are the PCK threshold ``share`` of the box
    (utils/utils_losses.py:161-164: ``GAUSSIAN_AUGMENT * threshold / 2``).

    Args:
        truth: places in cells.
        size: longer side of the target's box in cells.
        share: 0.1 in the paper's runs; 0 moves nothing and draws nothing.
        generator: on the CPU, where the noise is drawn, so that every device gets the same; by default torch's own.
    """
    if share == 0:
        return truth
    noise = torch.randn(truth.shape, generator=generator)
    return truth + noise.to(truth) * (share * size / 2)


def published_image_size(features: FeatureMap) -> float:
    """Return the :attr:`Shown.size` that reproduces the authors' code where the threshold is the image's size.

    It forgets to turn the 840 model pixels into cells (pck_train.py:299 with ``--IMG_THRESHOLD`` or PF-Pascal), so
    that the noise has a standard deviation of 42 cells of 60: the frame's side in cells, times the pixels of a cell.

    Args:
        features: any map of the image.
    """
    frame = features.letterbox
    per_pixel = max(frame.scale[0] / features.cell[0], frame.scale[1] / features.cell[1])
    return max(frame.size) / per_pixel

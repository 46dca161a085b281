"""Batches of views: turned, scaled, moved, mirrored and recoloured, with their truth brought along."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float, Int64
from torch import Tensor

from geobench.features.quadnet_network import SIDE, STRIDE
from geobench.training.quadnet.views import Views

TURN, SCALE, SHIFT = radians(6), (0.95, 1.2), 0.08
"""Most a view is turned (radians), least and most it is shrunk, most it is moved (share of half its side)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Views as the network is given them, and their truth per cell.

    Attributes:
        pixels: RGB, -1 to 1.
        animal: 1 on the animal, 0 elsewhere.
        place: (x, |y|, z) on the template, body units.
        nearness: how much nearer to the camera than the animal's middle, body units.
        heading: unit vector from tail to head in the camera's axes (right, down, forward).
    """

    pixels: Float[Tensor, "n 3 side side"]
    animal: Float[Tensor, "n h w"]
    place: Float[Tensor, "n 3 h w"]
    nearness: Float[Tensor, "n h w"]
    heading: Float[Tensor, "n 3"]


def augmented(views: Views, rows: Int64[Tensor, " n"], generator: torch.Generator) -> Batch:
    """Return some of the views, each changed at random.

    Args:
        views: all views.
        rows: which ones.
        generator: where the randomness comes from.
    """
    pictures = torch.from_numpy(views.pictures[rows.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
    truth = torch.from_numpy(views.truth[rows.numpy()]).float()
    heading = torch.from_numpy(views.heading[rows.numpy()])
    moved, heading = _moves(heading, generator)
    cells = SIDE // STRIDE
    grid = F.affine_grid(moved, [len(rows), 3, SIDE, SIDE], align_corners=False)
    # Beyond the picture its border goes on, or all is black as in a letterbox, for half of the batches each.
    if torch.rand((), generator=generator) < 0.5:
        pixels = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    else:
        pixels = F.grid_sample(pictures + 1, grid, align_corners=False) - 1
    coarse = F.affine_grid(moved, [len(rows), 5, cells, cells], align_corners=False)
    known = F.grid_sample(truth, coarse, mode="nearest", align_corners=False)
    return Batch(_recoloured(pixels, generator), known[:, 0], known[:, 1:4], known[:, 4], heading)


def _moves(
    heading: Float[Tensor, "n 3"], generator: torch.Generator
) -> tuple[Float[Tensor, "n 2 3"], Float[Tensor, "n 3"]]:
    """Return where each output place is read from, and the heading as it looks then."""
    count = len(heading)
    angle = TURN * _between(-1.0, 1.0, count, generator)
    size = _between(*SCALE, count, generator)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    shift = SHIFT * _between(-1.0, 1.0, 2 * count, generator).reshape(count, 2)
    # Reads output place p at mirror * size * R p + shift, so that what was seen at q comes to Rᵀ (mirror q) / size.
    rows = [torch.stack([mirror * size * cos, -mirror * size * sin, shift[:, 0]], 1)]
    rows.append(torch.stack([size * sin, size * cos, shift[:, 1]], 1))
    right, down = mirror * heading[:, 0], heading[:, 1]
    seen = torch.stack([cos * right + sin * down, -sin * right + cos * down, heading[:, 2]], 1)
    return torch.stack(rows, 1), seen


def _recoloured(pixels: Float[Tensor, "n 3 h w"], generator: torch.Generator) -> Float[Tensor, "n 3 h w"]:
    """Return the pictures with other brightness, contrast, colour balance and grain; a tenth of them grey."""
    count = len(pixels)
    gain = _between(0.85, 1.15, 3 * count, generator).reshape(count, 3, 1, 1)
    level = _between(-0.12, 0.12, count, generator).reshape(-1, 1, 1, 1)
    grey = (torch.rand(count, 1, 1, 1, generator=generator) < 0.1).float()
    pixels = pixels + grey * (pixels.mean(1, keepdim=True) - pixels)
    grain = 0.03 * torch.randn(pixels.shape, generator=generator)
    return (pixels * gain + level + grain).clamp(-1, 1)


def _between(low: float, high: float, count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
    return low + (high - low) * torch.rand(count, generator=generator)

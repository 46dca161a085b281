"""What quadnet is trained for: parts that correspond look alike, and every cell knows how the animal stands.

*Semantic* channels: contrast between cells of different pictures, whose targets fall off with the distance of their
places on the template, left and right merged (InfoNCE of van den Oord et al. 2018 with soft targets). Cells beside the
animal are negatives only. *All* channels, through a linear map thrown away afterwards: which cells show the animal,
how near each is to the camera, and which way the animal heads. None of it says what is left or right.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Bool, Float
from torch import Tensor, nn

from geobench.features.quadnet_network import CONTEXT, SEMANTIC
from geobench.training.quadnet.augment import Batch

TEMPERATURE = 0.1
REACH = 0.1
"""Standard deviation (body units) of the targets' fall-off; PCK@0.1 allows about 0.2."""

ON, OFF = 48, 16
"""Cells drawn per picture on the animal and beside it."""


class Heads(nn.Module):
    """Linear maps to eight numbers per cell: on the animal or not, nearness, heading (3); and the place (3)."""

    def __init__(self) -> None:
        super().__init__()
        self.stance = nn.Conv2d(SEMANTIC + CONTEXT, 5, 1)
        self.place = nn.Conv2d(SEMANTIC, 3, 1)

    def forward(self, channels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 8 h w"]:
        """Return the numbers of every cell, the place from its semantic channels alone; in body units."""
        return torch.cat([self.stance(channels), self.place(channels[:, :SEMANTIC])], dim=1)


def contrast(channels: Float[Tensor, "n c h w"], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
    """Return the contrastive loss of the semantic channels, over cells drawn at random.

    Args:
        channels: all channels of the network.
        batch: the views and their truth.
        generator: draws the cells.
    """
    count = len(channels)
    flat = F.normalize(channels[:, :SEMANTIC].flatten(2), dim=1)
    on, off = (
        _drawn(mask.flatten(1), number, generator)
        for mask, number in ((batch.animal > 0, ON), (batch.animal == 0, OFF))
    )
    here, beside = (flat.gather(2, at[:, None].expand(-1, SEMANTIC, -1)) for at in (on, off))
    rows = here.transpose(1, 2).flatten(0, 1)
    columns = torch.cat([rows, beside.transpose(1, 2).flatten(0, 1)])
    place = batch.place.flatten(2).gather(2, on[:, None].expand(-1, 3, -1)).transpose(1, 2).flatten(0, 1)
    picture = torch.arange(count).repeat_interleave(ON)
    others = picture[:, None] != torch.cat([picture, torch.arange(count).repeat_interleave(OFF)])[None]
    wanted = torch.exp(-torch.cdist(place, place).square() / (2 * REACH**2)) * others[:, : len(rows)]
    logits = (rows @ columns.T / TEMPERATURE).masked_fill(~others, float("-inf"))
    logs = logits.log_softmax(dim=1)[:, : len(rows)].masked_fill(~others[:, : len(rows)], 0.0)
    weight = wanted.sum(1)
    found = weight > 0.1  # a place that no other picture of the batch shows has nothing to be like
    return -((wanted * logs).sum(1)[found] / weight[found]).mean()


def bearing(told: Float[Tensor, "n 8 h w"], batch: Batch) -> Float[Tensor, ""]:
    """Return the loss of the numbers of the heads."""
    animal = batch.animal
    total = animal.sum().clamp(min=1)
    shown = F.binary_cross_entropy_with_logits(told[:, 0], animal)
    near = (F.smooth_l1_loss(told[:, 1], batch.nearness, reduction="none", beta=0.2) * animal).sum() / total
    wanted = batch.heading[:, :, None, None].expand_as(told[:, 2:5])
    heads = (F.mse_loss(told[:, 2:5], wanted, reduction="none").sum(1) * animal).sum() / total
    place = F.smooth_l1_loss(told[:, 5:], batch.place, reduction="none", beta=REACH).sum(1)
    return shown + near + heads + 2 * (place * animal).sum() / total


def _drawn(mask: Bool[Tensor, "n cells"], number: int, generator: torch.Generator) -> Tensor:
    """Return the numbers of cells drawn with replacement where ``mask`` is true (anywhere if it never is)."""
    weights = mask.float() + 1e-9
    return torch.multinomial(weights, number, replacement=True, generator=generator)

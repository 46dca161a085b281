"""A UNet that ends where the last feature has been read: later blocks are neither run nor kept in memory."""

from __future__ import annotations

from typing import Any

from diffusers import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn


def truncated(unet: UNet2DConditionModel, block: int, resnets: int | None = None) -> UNet2DConditionModel:
    """Return the UNet cut off after an up block, or inside it; its output is that block's.

    Args:
        unet: changed in place.
        block: number of the last up block that runs, from 0.
        resnets: run only so many resnets (each with its attention) of that block, and not its upsampler; by default
            the whole block.
    """
    further = block + 1 < len(unet.up_blocks)
    unet.up_blocks = unet.up_blocks[: block + 1]
    last = unet.up_blocks[block]
    if resnets is None and further:
        unet.up_blocks.append(_End())
    if resnets is not None:
        last.resnets = last.resnets[:resnets]
        if getattr(last, "attentions", None) is not None:
            last.attentions = last.attentions[:resnets]
        last.upsamplers = None
    unet.conv_norm_out, unet.conv_act, unet.conv_out = None, nn.Identity(), nn.Identity()
    return unet


class _End(nn.Module):
    """Stands where further up blocks were, so that the block before it upsamples to the size they would have needed."""

    has_cross_attention = False
    resnets = ()

    def forward(self, hidden_states: Tensor, **_: Any) -> Tensor:
        """Return the hidden states as they are."""
        return hidden_states


class UpBlock(nn.Module):
    """Noisy latents to the output of an up block, float32.

    Args:
        unet: cut off after the block, in place.
        block: number of the up block, from 0.
    """

    def __init__(self, unet: UNet2DConditionModel, block: int) -> None:
        super().__init__()
        self.unet: Any = truncated(unet, block)

    def forward(
        self, latents: Float[Tensor, "n 4 h w"], timestep: int, condition: Float[Tensor, "n tokens c"]
    ) -> Float[Tensor, "n channels rows columns"]:
        """Return the features of latents under a condition, at a timestep of 0 to 999."""
        dtype = self.unet.dtype
        found: Tensor = self.unet(latents.to(dtype), timestep, encoder_hidden_states=condition.to(dtype)).sample
        return found.float()

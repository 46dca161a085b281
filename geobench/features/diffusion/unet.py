"""A UNet that ends where the last feature has been read: later blocks are neither run nor kept in memory."""

from __future__ import annotations

from diffusers import UNet2DConditionModel
from torch import nn


def truncated(unet: UNet2DConditionModel, block: int, resnets: int | None = None) -> UNet2DConditionModel:
    """Return the UNet cut off after an up block, or inside it; its output is that block's.

    Args:
        unet: changed in place.
        block: number of the last up block that runs, from 0.
        resnets: run only so many resnets (each with its attention) of that block, and not its upsampler; by default
            the whole block.
    """
    unet.up_blocks = unet.up_blocks[: block + 1]
    last = unet.up_blocks[block]
    if resnets is not None:
        last.resnets = last.resnets[:resnets]
        if getattr(last, "attentions", None) is not None:
            last.attentions = last.attentions[:resnets]
        last.upsamplers = None
    unet.conv_norm_out, unet.conv_act, unet.conv_out = None, nn.Identity(), nn.Identity()
    return unet

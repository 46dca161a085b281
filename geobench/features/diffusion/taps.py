"""The levels of a Stable Diffusion UNet that ODISE reads: features of the up blocks before a skip connection joins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn

from geobench.features.diffusion.freeu import FreeU
from geobench.features.diffusion.unet import truncated

Level = Literal["s2", "s3", "s4", "s5"]
_RESNETS = 2


@dataclass(frozen=True)
class Tap:
    """Where a level is read.

    Attributes:
        block: number of the up block, from 0; the level is what its second resnet, with its attention, gives.
        stride: pixels of the image per cell.
    """

    block: int
    stride: int

    def module(self, unet: UNet2DConditionModel) -> nn.Module:
        """Return the module whose output the level is."""
        block: Any = unet.up_blocks[self.block]
        attentions = getattr(block, "attentions", None)
        layers = block.resnets if attentions is None else attentions
        found: nn.Module = layers[_RESNETS - 1]
        return found


TAPS: dict[Level, Tap] = {"s5": Tap(0, 64), "s4": Tap(1, 32), "s3": Tap(2, 16), "s2": Tap(3, 8)}
"""Inputs of output blocks 2, 5, 8 and 11 before their skip connections (ODISE, meta_arch/ldm.py:681-683)."""


class TappedUNet(nn.Module):
    """A UNet that returns some of its levels and runs no further than the deepest of them.

    With FreeU, levels come out with their first half amplified, as GeoAware-SC's did: its code stores a tensor and then
    multiplies that same tensor in place (docs/errata.md, "FreeU in the stored features").

    Args:
        unet: changed in place.
        levels: which, in the order in which they are returned.
        freeu: FreeU; None leaves the UNet as it is.
    """

    def __init__(self, unet: UNet2DConditionModel, levels: Sequence[Level], freeu: FreeU | None = None) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.freeu = freeu
        self.unet: Any = truncated(unet, max(TAPS[level].block for level in levels), _RESNETS)
        # As class_embed_type="identity" of diffusers: what is passed as class_labels is added to the time embedding.
        self.unet.class_embedding = nn.Identity()
        if freeu is not None:
            freeu.install(self.unet)
        self._found: dict[Level, Tensor] = {}
        for level in set(levels):
            TAPS[level].module(self.unet).register_forward_hook(self._keeper(level))

    def forward(
        self,
        latents: Float[Tensor, "n 4 side side"],
        timestep: int,
        condition: Float[Tensor, "n tokens c"],
        time_offset: Float[Tensor, "n t"],
    ) -> list[Float[Tensor, "n _ _ _"]]:
        """Return the levels, float32 whatever the precision of the UNet.

        Args:
            latents: with noise.
            timestep: how much noise, 0 to 999.
            condition: what the cross-attention reads.
            time_offset: added to the embedding of the timestep.
        """
        step = torch.full((len(latents),), timestep, device=latents.device)
        latents, condition, time_offset = (given.to(self.unet.dtype) for given in (latents, condition, time_offset))
        self.unet(latents, step, condition, class_labels=time_offset, return_dict=False)
        found = [self._found[level].float() for level in self.levels]
        self._found.clear()
        return found if self.freeu is None else [self.freeu.backbone(level) for level in found]

    def _keeper(self, level: Level) -> Any:
        def keep(_module: nn.Module, _given: Any, output: Any) -> None:
            self._found[level] = output[0] if isinstance(output, tuple) else output

        return keep

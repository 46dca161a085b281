"""FreeU as GeoAware-SC runs it: at every up-block resnet by the width of the backbone, not by the block's number.

FreeU (Si et al., CVPR 2024) amplifies half of the backbone's channels and damps the low frequencies of the skip
connection before the two are concatenated. GeoAware-SC (ODISE's meta_arch/ldm.py:432-436, 684-694 in its fork) does so
wherever the backbone has 1280 or 640 channels, which in SD 1.5 are output blocks 0 to 9; ``enable_freeu`` of diffusers
does so in the first two up blocks only, output blocks 0 to 5, and gives the second one the other factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn

FACTORS = {1280: (1.2, 0.9), 640: (1.4, 0.2)}
"""By channels of the backbone: factor of its first half, and of the skip connection's low frequencies."""


class FreeU:
    """Changes what the resnets of a UNet's up blocks read.

    Args:
        factors: by channels of the backbone (see ``FACTORS``); other widths are left alone.
    """

    def __init__(self, factors: Mapping[int, tuple[float, float]] = FACTORS) -> None:
        self.factors = dict(factors)

    def install(self, unet: UNet2DConditionModel) -> None:
        """Register itself at every resnet of the up blocks that reads a backbone of such a width."""
        for resnet, width in _backbone_widths(unet):
            if width in self.factors:
                resnet.register_forward_pre_hook(self._hook(width))

    def backbone(self, hidden: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the backbone's features with their first half amplified."""
        if hidden.shape[1] not in self.factors:
            return hidden
        half = hidden.shape[1] // 2
        return torch.cat([hidden[:, :half] * self.factors[hidden.shape[1]][0], hidden[:, half:]], dim=1)

    def _hook(self, width: int) -> Any:
        def change(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
            both = given[0]
            skip = damped(both[:, width:], self.factors[width][1])
            return (torch.cat([self.backbone(both[:, :width]), skip], dim=1), *given[1:])

        return change


def damped(features: Float[Tensor, "n c h w"], factor: float) -> Float[Tensor, "n c h w"]:
    """Return features with their lowest frequencies, 0 and -1 along each axis, multiplied by ``factor``.

    The frequencies are those of FreeU's Fourier filter with threshold 1; the result is its real part. Computed in
    float32, returned in the type that came in.
    """
    spectrum = torch.fft.fft2(features.float())
    low = torch.ones(features.shape[-2:], device=features.device)
    for row in (0, -1):
        for column in (0, -1):
            low[row, column] = factor
    return torch.fft.ifft2(spectrum * low).real.to(features.dtype)


def _backbone_widths(unet: UNet2DConditionModel) -> list[tuple[nn.Module, int]]:
    """Return every resnet of the up blocks with how many of its input's channels are the backbone's."""
    found = []
    width = unet.mid_block.resnets[-1].out_channels
    for block in unet.up_blocks:
        for resnet in block.resnets:
            found.append((resnet, width))
            width = resnet.out_channels  # an upsampler keeps it
    return found

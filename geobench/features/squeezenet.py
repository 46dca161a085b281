"""SqueezeNet 1.0 without its classifier (Iandola et al., arXiv 1602.07360, Table 1), in torchvision's numbering."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Fire(nn.Module):
    """A squeeze of 1 x 1 convolutions, and an expansion of 1 x 1 and 3 x 3 convolutions side by side.

    Args:
        channels: that come in.
        squeezed: after the squeeze.
        expanded: of each half of the expansion.
    """

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, given: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
        """Return both halves of the expansion, rectified."""
        squeezed = self.squeeze(given).relu()
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], dim=1).relu()


def squeezenet_features() -> nn.Sequential:
    """Return the thirteen stages of SqueezeNet 1.0, with fresh weights."""
    fires = [Fire(96, 16, 64), Fire(128, 16, 64), Fire(128, 32, 128), Fire(256, 32, 128)]
    fires += [Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)]
    stem = [nn.Conv2d(3, 96, 7, stride=2), nn.ReLU(), _pool()]
    return nn.Sequential(*stem, *fires[:3], _pool(), *fires[3:7], _pool(), fires[7])


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)

"""The network of ``quadnet``: convolutions to stride 16, attention over the whole image there, and back to stride 4.

Two groups of channels leave it: *semantic* ones (which part of an animal) and *context* ones (how the animal stands).
Attention joins all 8 x 8 cells of stride 16 with each other, so that every output cell depends on every pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from torch import Tensor, nn

SIDE, STRIDE = 128, 4
"""Side of the square model frame, and model pixels per cell of the features."""

SEMANTIC, CONTEXT = 96, 32
"""Channels of the two groups, in this order."""

_WIDTHS = (24, 48, 96, 144)  # at strides 2, 4, 8 and 16
_DECODED = 96


class QuadNet(nn.Module):
    """Pixels to the channels of both groups, 1.4 million weights."""

    def __init__(self) -> None:
        super().__init__()
        stem, fine, middle, coarse = _WIDTHS
        self.stem = _convolved(3, stem, stride=2)
        self.fine = nn.Sequential(_convolved(stem, fine, stride=2), _Residual(fine))
        self.middle = nn.Sequential(_convolved(fine, middle, stride=2), _Residual(middle))
        self.coarse = nn.Sequential(_convolved(middle, coarse, stride=2), _Residual(coarse))
        self.places = nn.Parameter(torch.zeros(1, (SIDE // 16) ** 2, coarse))
        self.attention = nn.Sequential(*(_Attention(coarse) for _ in range(2)))
        self.from_coarse = nn.Conv2d(coarse, _DECODED, 1)
        self.from_middle = nn.Conv2d(middle, _DECODED, 1)
        self.from_fine = nn.Conv2d(fine, _DECODED, 1)
        self.mix_middle = _Residual(_DECODED)
        self.mix_fine = _Residual(_DECODED, single=True)
        self.out = nn.Conv2d(_DECODED, SEMANTIC + CONTEXT, 1)

    def forward(self, pixels: Float[Tensor, "n 3 128 128"]) -> Float[Tensor, "n 128 32 32"]:
        """Return the channels of every cell, as they come.

        Args:
            pixels: RGB, -1 to 1.
        """
        fine = self.fine(self.stem(pixels))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        tokens = self.attention(coarse.flatten(2).transpose(1, 2) + self.places)
        seen = tokens.transpose(1, 2).unflatten(2, coarse.shape[2:])
        given = self.mix_middle(_doubled(self.from_coarse(seen)) + self.from_middle(middle))
        out: Tensor = self.out(self.mix_fine(_doubled(given) + self.from_fine(fine)))
        return out


class _Residual(nn.Module):
    """One or two convolutions around which the input is led and added."""

    def __init__(self, channels: int, single: bool = False) -> None:
        super().__init__()
        last = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.inner = last if single else nn.Sequential(_convolved(channels, channels), *last)

    def forward(self, given: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return F.relu(given + self.inner(given))


class _Attention(nn.Module):
    """A transformer block with the norm first and an inner width of twice the channels."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.queries_keys_values = nn.Linear(channels, 3 * channels)
        self.joined = nn.Linear(channels, channels)
        self.inner = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, tokens: Float[Tensor, "n t c"]) -> Float[Tensor, "n t c"]:
        parts = self.queries_keys_values(self.before(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        tokens = tokens + self.joined(seen.transpose(1, 2).flatten(2))
        return tokens + self.inner(self.between(tokens))


def _convolved(into: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def _doubled(given: Tensor) -> Tensor:
    return F.interpolate(given, scale_factor=2.0, mode="bilinear", align_corners=False)

"""Latents and noise of Stable Diffusion as DIFT has them: sampled, noised with draws of its own for every image."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn

from geobench.features.diffusion.shared_noise import alpha_bars


def signal_and_noise(timestep: int) -> tuple[float, float]:
    """Return the factors of latents and of noise at a timestep, 0 to 999 (DDPM, eq. 4)."""
    kept = float(alpha_bars()[timestep])
    return kept**0.5, (1 - kept) ** 0.5


class Posterior(nn.Module):
    """Pixels to the mean and the standard deviation of the autoencoder's posterior, each [n, 4, h, w], float32.

    Args:
        vae: the autoencoder; its decoder may be gone.
    """

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae: Any = vae
        self.factor = float(vae.config.scaling_factor)

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation for RGB images, 0 to 1; not scaled."""
        found = self.vae.encode(((pixels - 0.5) * 2).to(self.vae.dtype)).latent_dist
        return found.mean.float(), found.std.float()


def draw_noise(shape: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    """Return standard normal noise for the latents and for the diffusion, each of ``shape``, drawn in this order.

    On the CPU whatever the device, so that a run repeats everywhere.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)

"""The noise that ODISE adds to latents: one fixed draw for every crop of every image, so that features repeat."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

STEPS = 1000
_SEED = 42


class SharedNoise(nn.Module):
    """Latents with the noise of one timestep: ``sqrt(a) latent + sqrt(1 - a) noise`` (DDPM, eq. 4, a its alpha-bar).

    The noise is drawn once, on the CPU, with seed 42 (ODISE, modeling/meta_arch/ldm.py:453-460 at 2b187e4).

    Args:
        timestep: from 0 (hardly any noise) to 999.
        side: rows and columns of a latent.
    """

    noise: Float[Tensor, "1 4 side side"]

    def __init__(self, timestep: int, side: int = 64) -> None:
        super().__init__()
        kept = float(alpha_bars()[timestep])
        self.signal, self.spread = math.sqrt(kept), math.sqrt(1 - kept)
        drawn = torch.randn(1, 4, side, side, generator=torch.Generator("cpu").manual_seed(_SEED))
        self.register_buffer("noise", drawn, persistent=False)

    def forward(self, latents: Float[Tensor, "n 4 side side"]) -> Float[Tensor, "n 4 side side"]:
        """Return the latents with noise."""
        return self.signal * latents + self.spread * self.noise


def alpha_bars() -> Float64[Tensor, " steps"]:
    """Return the share of the signal's variance that is left at each timestep.

    Stable Diffusion's "scaled linear" schedule: square roots of the betas from sqrt(0.00085) to sqrt(0.012) in equal
    steps (configs/stable-diffusion/v1-inference.yaml of CompVis/stable-diffusion; in float64 as ODISE has them,
    modeling/diffusion/gaussian_diffusion.py).
    """
    betas = torch.linspace(math.sqrt(0.00085), math.sqrt(0.012), STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0)

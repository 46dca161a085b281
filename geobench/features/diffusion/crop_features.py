"""From crops of an image to the levels of Stable Diffusion's UNet, as sd-dino and GeoAware-SC have them from ODISE."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from geobench.features.diffusion.noise import Posterior
from geobench.features.diffusion.odise import Captioner, ImageEmbedding
from geobench.features.diffusion.shared_noise import SharedNoise
from geobench.features.diffusion.taps import TappedUNet


@dataclass(frozen=True, eq=False)
class CropFeatures:
    """What is run on each crop, in this order; no crop is aware of another.

    Attributes:
        posterior: pixels to latents; their mean is taken, nothing is sampled (ODISE, meta_arch/ldm.py:653-661).
        embedding: pixels to CLIP's embedding.
        captioner: the embedding to the UNet's condition.
        noise: adds the noise of ``timestep``.
        unet: latents and condition to levels.
        timestep: 0 to 999.
    """

    posterior: Posterior
    embedding: ImageEmbedding
    captioner: Captioner
    noise: SharedNoise
    unet: TappedUNet
    timestep: int

    def __call__(self, crops: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        """Return the levels, float32, of RGB crops, 0 to 1."""
        condition, time_offset = self.captioner(self.embedding(crops))
        latents = self.posterior(crops)[0] * self.posterior.factor
        levels: list[Tensor] = self.unet(self.noise(latents), self.timestep, condition, time_offset)
        return levels

"""DIFT (Tang et al., NeurIPS 2023): features of Stable Diffusion 2.1's UNet on a noised image, averaged over noises.

Computed as in src/models/dift_sd.py of Tsingularity/dift at 9421eb2 (defaults: t = 261, up block 1, 8 noises, 768 x 768
bicubic, prompt "a photo of a {category}"), equal to it on seeded random weights with the noise given
(tests/goldens/dift); nothing has been run with the real ones. The authors seed nothing, so their published features do
not repeat; here the noise of an image follows from the run's seed and the image's key.

Only what is needed is computed: the autoencoder's encoder once per image instead of once per noise, the UNet up to the
block that is read, no decoder, the text encoder once per prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from geobench.features.diffusion.networks import VERSIONS, load_unet
from geobench.features.diffusion.noise import draw_noise, signal_and_noise
from geobench.features.diffusion.up_block import VERSION, UpBlockExtractor, UpBlockSettings
from geobench.features.feature_map import FeatureMap
from geobench.features.network import Batches
from geobench.features.weights import Weights
from geobench.picture import Picture


class Settings(UpBlockSettings):
    """Settings of ``extractor = "dift"``.

    Attributes:
        timestep: how much noise the latents get, of 1000 steps.
        ensemble: over how many noises features are averaged.
        ids: places of a Stable Diffusion 2.1 checkpoint, tried in order.
    """

    ensemble: Annotated[int, Field(ge=1, le=64)] = 8
    ids: Annotated[tuple[str, ...], Field(min_length=1)] = VERSIONS[VERSION].ids


class Extractor(UpBlockExtractor[Settings]):
    """Image to the output of an up block of Stable Diffusion's UNet, averaged over noises, not normalised.

    Args:
        settings: which features, and how they are computed.
        device: where the networks run and the maps are.
        weights: where the networks' weights come from; part ``stable-diffusion``.

    Raises:
        InputError: weights are absent, damaged, or of another architecture.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        weights = weights or Weights()
        super().__init__(settings, device, weights, settings.ids, lambda: load_unet(weights, settings.ids, VERSION))
        self._images = Batches(self.batch)
        self._noises = Batches(self.batch * settings.ensemble, "noise")

    def __call__(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image, over the stretched image."""
        return self.many([picture], [torch.initial_seed() % 2**32])[0]

    @torch.no_grad()
    def many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture, with the noises of its own seed.

        Raises:
            InputError: a picture's category has no prompt.
        """
        prompts = [self.settings.prompt_for(picture) for picture in pictures]
        boxes, pixels = self.placed(pictures)
        mean, std = self._images(self.posterior, pixels)
        shape = (self.settings.ensemble, *mean.shape[1:])
        drawn = [draw_noise(shape, seed) for seed in seeds]
        noises = [torch.cat([one[which] for one in drawn]).to(self.device) for which in (0, 1)]
        found = self.features(mean, std, noises[0], noises[1], self.text(prompts).to(self.device))
        return [FeatureMap(one, box) for one, box in zip(found, boxes, strict=True)]

    def features(
        self,
        mean: Float[Tensor, "n 4 h w"],
        std: Float[Tensor, "n 4 h w"],
        latent_noise: Float[Tensor, "n_ensemble 4 h w"],
        noise: Float[Tensor, "n_ensemble 4 h w"],
        condition: Float[Tensor, "n 77 c"],
    ) -> Float[Tensor, "n channels rows columns"]:
        """Return the features of images for noises that are given, the ensemble of an image together.

        Args:
            mean: of the autoencoder's posterior, one per image.
            std: standard deviation of the same.
            latent_noise: with which latents are sampled, ``ensemble`` rows per image.
            noise: which is added at the timestep.
            condition: of each image's prompt.
        """
        times = self.settings.ensemble
        kept, added = signal_and_noise(self.settings.timestep)
        mean, std, condition = (one.repeat_interleave(times, dim=0) for one in (mean, std, condition))
        latents = (mean + std * latent_noise) * self.posterior.factor
        (found,) = self._noises(self._one_pass, kept * latents + added * noise, condition)
        return found.reshape(-1, times, *found.shape[1:]).mean(dim=1)

    def _one_pass(self, noisy: Tensor, condition: Tensor) -> Tensor:
        found: Tensor = self.unet(noisy, self.settings.timestep, condition)
        return found

"""The extractors' networks run the straightforward way: one crop or noise at a time, whole UNet, decoder, float32.

What the authors' code runs for SD 1.5 (docs/features.md), and DIFT as a diffusers pipeline would run
it. Random weights are those of the extractors, so that features must agree.
"""

from __future__ import annotations

from typing import Any

import torch
from _extraction_counts import whole_autoencoder
from diffusers import AutoencoderKL, DDPMScheduler
from torch import Tensor, nn

from geobench.features import dift, stable_diffusion
from geobench.features.diffusion.crops import averaged, cut
from geobench.features.diffusion.freeu import FreeU
from geobench.features.diffusion.networks import PART, load_unet
from geobench.features.diffusion.odise import ImageEmbedding, load_captioner, load_clip
from geobench.features.diffusion.taps import TAPS
from geobench.features.diffusion.text import TextEncoder
from geobench.features.letterbox import Letterbox
from geobench.features.weights import Weights
from geobench.picture import Picture


def _ready(network: nn.Module, device: str) -> Any:
    return network.eval().requires_grad_(False).to(device)


def _autoencoder(weights: Weights, ids: tuple[str, ...]) -> AutoencoderKL:
    return weights.network(PART, AutoencoderKL, ids, lambda _: whole_autoencoder(), "vae")


def _noised(latents: Tensor, noise: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
    """Return latents with the noise of a timestep, and the timestep, by diffusers' scheduler."""
    schedule = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    step = torch.tensor([timestep], device=latents.device)
    return schedule.add_noise(latents, noise, step), step


class PlainStableDiffusion:
    """SD 1.5 features of one image after the other.

    Args:
        settings: of the extractor.
        device: where it runs.
        weights: random, full size.
    """

    def __init__(self, settings: stable_diffusion.Settings, device: str, weights: Weights) -> None:
        self.settings, self.device = settings, device
        self.vae = _ready(_autoencoder(weights, settings.ids), device)
        self.unet = _ready(load_unet(weights, settings.ids, "1.5"), device)
        self.unet.class_embedding = nn.Identity()
        self.freeu = FreeU()
        self.freeu.install(self.unet)
        clip = load_clip(weights, settings.clip_ids)
        empty = TextEncoder(weights, settings.ids, "1.5")([""])
        width = self.unet.time_embedding.linear_2.out_features
        self.captioner = _ready(load_captioner(weights, clip.config.projection_dim, 768, width, empty), device)
        self.embedding = _ready(ImageEmbedding(clip), device)
        self.noise = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(42)).to(device)
        self.found: dict[str, Tensor] = {}
        for level in settings.levels:
            TAPS[level].module(self.unet).register_forward_hook(self._keep(level))

    def _keep(self, level: str) -> Any:
        def keep(_: nn.Module, __: Any, output: Any) -> None:
            self.found[level] = output[0] if isinstance(output, tuple) else output

        return keep

    @torch.no_grad()
    def __call__(self, picture: Picture) -> list[Tensor]:
        """Return the levels of an image."""
        box = Letterbox.pad(picture.size, self.settings.side)
        pixels = torch.from_numpy(box.place(picture.pixels)).to(self.device).permute(2, 0, 1).float() / 255
        per_crop = [self._crop(one[None]) for one in cut(pixels)]
        return [
            averaged(torch.cat(parts), self.settings.side, TAPS[level].stride)
            for level, parts in zip(self.settings.levels, zip(*per_crop, strict=True), strict=True)
        ]

    def _crop(self, crop: Tensor) -> list[Tensor]:
        condition, time = self.captioner(self.embedding(crop))
        mean = self.vae.encode(crop * 2 - 1).latent_dist.mean
        noisy, step = _noised(mean * self.vae.config.scaling_factor, self.noise, self.settings.timestep)
        self.unet(noisy, step, condition, class_labels=time)
        self.vae.decode(mean)
        return [self.freeu.backbone(self.found[level]) for level in self.settings.levels]


class PlainDift:
    """DIFT's features of one image after the other.

    Args:
        settings: of the extractor.
        device: where it runs.
        weights: random, full size.
    """

    def __init__(self, settings: dift.Settings, device: str, weights: Weights) -> None:
        self.settings, self.device = settings, device
        self.vae = _ready(_autoencoder(weights, settings.ids), device)
        self.unet = _ready(load_unet(weights, settings.ids, "2.1"), device)
        self.text = TextEncoder(weights, settings.ids, "2.1")
        self.unet.up_blocks[settings.up_block].register_forward_hook(self._keep)

    def _keep(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.found = output

    @torch.no_grad()
    def __call__(self, picture: Picture) -> list[Tensor]:
        """Return the map of an image, with the noises of seed 0."""
        box = Letterbox.squash(picture.size, self.settings.side)
        placed = box.place(picture.pixels, resample="bicubic")
        pixels = torch.from_numpy(placed).permute(2, 0, 1)[None].to(self.device).float() / 255
        condition = self.text([self.settings.prompt_for(picture)]).to(self.device)
        shape, generator = (self.settings.ensemble, 4, *[self.settings.side // 8] * 2), torch.Generator().manual_seed(0)
        noises = zip(*(torch.randn(shape, generator=generator).to(self.device).split(1) for _ in "zx"), strict=True)
        return [torch.stack([self._pass(pixels, condition, *pair) for pair in noises]).mean(dim=0)]

    def _pass(self, pixels: Tensor, condition: Tensor, latent_noise: Tensor, noise: Tensor) -> Tensor:
        found = self.vae.encode(pixels * 2 - 1).latent_dist
        latent = (found.mean + found.std * latent_noise) * self.vae.config.scaling_factor
        noisy, step = _noised(latent, noise, self.settings.timestep)
        answer = self.unet(noisy, step, condition).sample
        self.vae.decode(answer / self.vae.config.scaling_factor)
        return self.found[0]

"""What DIFT and CleanDIFT share: a stretched image and a prompt to an up block of Stable Diffusion 2.1's UNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from geobench.features.diffusion.networks import load_vae_encoder
from geobench.features.diffusion.noise import Posterior
from geobench.features.diffusion.prompts import PromptSettings
from geobench.features.diffusion.shared_noise import STEPS
from geobench.features.diffusion.text import TextEncoder
from geobench.features.diffusion.unet import UpBlock
from geobench.features.letterbox import Letterbox
from geobench.features.weights import Weights
from geobench.picture import Picture

VERSION = "2.1"


class UpBlockSettings(PromptSettings):
    """Settings of extractors that read an up block.

    Attributes:
        side: the image is stretched to a square of this many model pixels.
        timestep: what the UNet is told, of 1000 steps.
        up_block: the up block of the UNet whose output is read, from 0; 1 has 1280 channels and side / 16 cells.
    """

    side: Annotated[int, Field(ge=64, le=4096, multiple_of=8)] = 768
    timestep: Annotated[int, Field(ge=0, lt=STEPS)] = 261
    up_block: Annotated[int, Field(ge=0, le=3)] = 1


SettingsT = TypeVar("SettingsT", bound=UpBlockSettings)


class UpBlockExtractor(Generic[SettingsT]):
    """The networks and the placing of pictures; what becomes of the latents is the subclass's.

    Args:
        settings: which features, and how they are computed.
        device: where the networks run.
        weights: where the networks' weights come from; part ``stable-diffusion``.
        ids: places of a Stable Diffusion 2.1 checkpoint, tried in order.
        load_unet: returns the whole UNet; called last.

    Raises:
        InputError: weights are absent, damaged, or of another architecture.
    """

    def __init__(
        self,
        settings: SettingsT,
        device: str,
        weights: Weights,
        ids: Sequence[str],
        load_unet: Callable[[], UNet2DConditionModel],
    ) -> None:
        self.settings = settings
        self.device = device
        self.batch = settings.batch_on(device)
        self.text = TextEncoder(weights, ids, VERSION)
        self.posterior = settings.place(Posterior(load_vae_encoder(weights, ids)), device)
        self.unet = settings.place(UpBlock(load_unet(), settings.up_block), device)

    def placed(self, pictures: Sequence[Picture]) -> tuple[list[Letterbox], Float[Tensor, "n 3 side side"]]:
        """Return the model frame of each picture and its pixels there, RGB from 0 to 1, by Pillow's bicubic filter."""
        boxes = [Letterbox.squash(picture.size, self.settings.side) for picture in pictures]
        placed = [box.place(one.pixels, resample="bicubic") for one, box in zip(pictures, boxes, strict=True)]
        pixels = torch.stack([torch.from_numpy(one).permute(2, 0, 1) for one in placed]).to(self.device).float() / 255
        return boxes, pixels

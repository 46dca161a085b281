"""Stable Diffusion features of sd-dino and GeoAware-SC: no ODISE, detectron2 or ldm, the same numbers.

The image is padded to a square of 960 and cut into overlapping crops of 512. Each crop is encoded, gets the same noise,
and passes the UNet under a condition made of the crop itself (ODISE's implicit captioner); levels of the UNet are
averaged where crops overlap. Equal to the authors' code on seeded random weights (tests/goldens/odise); nothing has
been run with the real ones.

Only what is needed is computed: one pass of the UNet up to the last level, no decoder, no text but the empty prompt.
Nothing is drawn at random, so that an image's features depend on nothing but its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from geobench.features.diffusion.crop_features import CropFeatures
from geobench.features.diffusion.crops import CROP, averaged, corners, cut
from geobench.features.diffusion.freeu import FreeU
from geobench.features.diffusion.networks import VERSIONS, load_unet, load_vae_encoder
from geobench.features.diffusion.noise import Posterior
from geobench.features.diffusion.odise import CLIP_IDS, ImageEmbedding, load_captioner, load_clip
from geobench.features.diffusion.shared_noise import STEPS, SharedNoise
from geobench.features.diffusion.taps import TAPS, Level, TappedUNet
from geobench.features.diffusion.text import TextEncoder
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels
from geobench.features.network import Batches, NetworkSettings
from geobench.features.weights import Weights
from geobench.picture import Picture

VERSION = "1.5"
SETTINGS: dict[str, dict[str, Any]] = {
    "sd-dino": {"timestep": 100, "freeu": False},
    "geoaware-sc": {"timestep": 50, "freeu": True},
}
"""What the two papers' code bases have different: pck_spair_pascal.py:554 of sd-dino at b85df18, and preprocess_map.py
with ODISE's meta_arch/ldm.py:432-436 of GeoAware-SC at 99fd6b6."""


class Settings(NetworkSettings):
    """Settings of ``extractor = "stable-diffusion"``.

    Attributes:
        setting: whose features; gives ``timestep`` and ``freeu`` where the recipe does not.
        timestep: how much noise the latents get, of 1000 steps.
        freeu: run FreeU in the UNet and return levels changed by it.
        levels: which levels, finest ``s2`` to coarsest ``s5``, in the order of their channels when joined.
        side: the image is padded with black to a square of this many model pixels.
        ids: places of a Stable Diffusion 1 checkpoint, tried in order.
        clip_ids: places of CLIP ViT-L/14 at 336 pixels, tried in order.
    """

    setting: Literal["sd-dino", "geoaware-sc"] = "geoaware-sc"
    timestep: Annotated[int, Field(ge=0, lt=STEPS)] = 50
    freeu: bool = True
    levels: Annotated[tuple[Level, ...], Field(min_length=1)] = ("s3", "s4", "s5")
    side: Annotated[int, Field(ge=CROP, le=4096, multiple_of=64)] = 960
    ids: Annotated[tuple[str, ...], Field(min_length=1)] = VERSIONS[VERSION].ids
    clip_ids: Annotated[tuple[str, ...], Field(min_length=1)] = CLIP_IDS

    @model_validator(mode="before")
    @classmethod
    def _fill_from_setting(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        named = given.get("setting", cls.model_fields["setting"].default)
        return {**(SETTINGS.get(named, {}) if isinstance(named, str) else {}), **given}


class Extractor:
    """Image to levels of a Stable Diffusion UNet: 640 (s3), 1280 (s4) and 1280 (s5) channels, not normalised.

    Args:
        settings: which features, and how they are computed.
        device: where the networks run and the maps are.
        weights: where the networks' weights come from; parts ``stable-diffusion``, ``odise-clip`` and ``odise``.

    Raises:
        InputError: weights are absent, damaged, or of another architecture.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        self.settings = settings
        self.device = device
        self.batch = settings.batch_on(device)
        self.network = load_crop_features(settings, device, weights or Weights())
        self._batches = Batches(self.batch * len(corners(settings.side)), "crop")

    def __call__(self, picture: Picture) -> Levels:
        """Return the levels of one image; grids of 60, 30 and 15 cells per side for a side of 960."""
        return self.many([picture], [0])[0]

    @torch.no_grad()
    def many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Levels]:
        """Return the levels of each picture; ``seeds`` change nothing."""
        boxes = [Letterbox.pad(picture.size, self.settings.side) for picture in pictures]
        crops = torch.cat([self._crops(one, box) for one, box in zip(pictures, boxes, strict=True)])
        found = self._batches(self.network, crops)
        per_level = [level.reshape(len(pictures), -1, *level.shape[1:]) for level in found]
        return [
            Levels(
                [self._map(name, level[row], box) for name, level in zip(self.settings.levels, per_level, strict=True)]
            )
            for row, box in enumerate(boxes)
        ]

    def _crops(self, picture: Picture, box: Letterbox) -> Float[Tensor, "n 3 crop crop"]:
        """Return the crops of one image, RGB, 0 to 1."""
        pixels = torch.from_numpy(box.place(picture.pixels)).to(self.device).permute(2, 0, 1)
        return torch.stack(cut(pixels)).float() / 255

    def _map(self, level: Level, parts: Float[Tensor, "crops c h w"], box: Letterbox) -> FeatureMap:
        return FeatureMap(averaged(parts, self.settings.side, TAPS[level].stride), box)


def load_crop_features(settings: Settings, device: str, weights: Weights) -> CropFeatures:
    """Return the networks, loaded, on the device and in the precision that the settings ask for.

    Raises:
        InputError: weights are absent, damaged, or of another architecture.
    """
    unet, vae = load_unet(weights, settings.ids, VERSION), load_vae_encoder(weights, settings.ids)
    clip = load_clip(weights, settings.clip_ids)
    width, context = clip.config.projection_dim, unet.config.cross_attention_dim
    empty_prompt = TextEncoder(weights, settings.ids, VERSION)([""])
    captioner = load_captioner(weights, width, context, unet.time_embedding.linear_2.out_features, empty_prompt)
    tapped = TappedUNet(unet, settings.levels, FreeU() if settings.freeu else None)
    return CropFeatures(
        posterior=settings.place(Posterior(vae), device),
        embedding=ImageEmbedding(settings.place(clip, device)).to(device),
        captioner=captioner.requires_grad_(False).to(device),
        noise=SharedNoise(settings.timestep).to(device),
        unet=settings.place(tapped, device),
        timestep=settings.timestep,
    )

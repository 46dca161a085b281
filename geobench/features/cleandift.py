"""CleanDIFT (Stracke et al., CVPR 2025): a UNet fine-tuned to give DIFT-like features of the clean image in one pass.

The UNet's weights are one file of https://huggingface.co/CompVis/cleandift, everything else is Stable Diffusion 2.1's.
Facts from CompVis/cleandift at b070976, notebooks/get_correspondences.ipynb and what it calls: 768 x 768 (Pillow's
bicubic), prompt "A photo of a dog", nothing added to the latents, no adapters (``t=None``), and "us6", the output of
the whole up block 1 (src/min_sd21.py:342-345, 1280 channels).

The UNet is told timestep 261 although the latents are clean: in training a parameter that starts there
(src/sd_feature_extraction.py:248,324), in the authors' evaluation, of SD 1.5, 261 itself (branch geoaware-sc-eval at
6bc34e1, third_party/ODISE/odise/modeling/meta_arch/ldm.py:881-883). Where training left the parameter could not be
checked: it is in the file of all weights ("full") alone. With Adam at 1e-5 (configs/sd21_feature_extractor.yaml) it
should hardly have moved.

Latents are the mean of the autoencoder's posterior, so that features repeat. The notebook draws one sample
(src/ae.py:20), the evaluation takes the mean (ldm.py:652-661). The notebook computes in bfloat16, where 261 is 260.

The authors' UNet (src/min_sd21.py), run with random weights of true size, gives the same "us6" bit for bit
(docs/errata.md). Nothing has been run with the real weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from diffusers import UNet2DConditionModel
from pydantic import Field
from torch import Tensor

from geobench.features.diffusion.networks import VERSIONS, load_unet, unet_from_file
from geobench.features.diffusion.up_block import VERSION, UpBlockExtractor, UpBlockSettings
from geobench.features.feature_map import FeatureMap
from geobench.features.network import Batches
from geobench.features.weights import Weights
from geobench.picture import Picture

PART = "cleandift"
FILE = "cleandift_sd21_unet.safetensors"
SOURCE = "https://huggingface.co/CompVis/cleandift"


class Settings(UpBlockSettings):
    """Settings of ``extractor = "cleandift"``.

    Attributes:
        timestep: what the UNet is told, though there is no noise.
        ids: places of a Stable Diffusion 2.1 checkpoint, tried in order.
    """

    prompt: str = "A photo of a {category}"
    ids: Annotated[tuple[str, ...], Field(min_length=1)] = VERSIONS[VERSION].ids


class Extractor(UpBlockExtractor[Settings]):
    """Image to the output of an up block of CleanDIFT's UNet, not normalised.

    Args:
        settings: which features, and how they are computed.
        device: where the networks run and the maps are.
        weights: where weights come from; parts ``stable-diffusion`` and ``cleandift``.

    Raises:
        InputError: weights are absent, damaged, or of another architecture.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        weights = weights or Weights()
        super().__init__(settings, device, weights, settings.ids, lambda: _load_unet(weights, settings))
        self._batches = Batches(self.batch)

    def __call__(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image, over the stretched image."""
        return self.many([picture], [0])[0]

    @torch.no_grad()
    def many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture; ``seeds`` change nothing.

        Raises:
            InputError: a picture's category has no prompt.
        """
        prompts = [self.settings.prompt_for(picture) for picture in pictures]
        boxes, pixels = self.placed(pictures)
        (found,) = self._batches(self._one_pass, pixels, self.text(prompts).to(self.device))
        return [FeatureMap(one, box) for one, box in zip(found, boxes, strict=True)]

    def _one_pass(self, pixels: Tensor, condition: Tensor) -> Tensor:
        mean, _ = self.posterior(pixels)
        found: Tensor = self.unet(mean * self.posterior.factor, self.settings.timestep, condition)
        return found


def _load_unet(weights: Weights, settings: Settings) -> UNet2DConditionModel:
    path = weights.file(PART, FILE, SOURCE)
    return load_unet(weights, settings.ids, VERSION) if path is None else unet_from_file(path, VERSION)

"""Operations of the extractors' networks at their true size, counted on torch's meta device, which computes nothing.

An operation is a multiplication or an addition; convolutions and matrix products (attention's included) are counted,
the rest is a fraction of a percent. The count of DINOv2-B was compared with the formula by hand: the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from geobench.features.diffusion.networks import VERSIONS
from geobench.features.diffusion.unet import truncated


@dataclass(frozen=True)
class Count:
    """Operations, and bytes of float32 weights.

    Attributes:
        convolutions: operations in convolutions.
        products: operations in matrix products.
        weights: bytes.
    """

    convolutions: float = 0.0
    products: float = 0.0
    weights: float = 0.0

    @property
    def operations(self) -> float:
        """All of them."""
        return self.convolutions + self.products

    def __add__(self, other: Count) -> Count:
        return Count(
            self.convolutions + other.convolutions, self.products + other.products, self.weights + other.weights
        )

    def times(self, number: int) -> Count:
        """Return the count of so many passes through the same weights."""
        return Count(number * self.convolutions, number * self.products, self.weights)


@dataclass(frozen=True)
class Row:
    """One image.

    Attributes:
        name: of the case.
        plain: one crop or noise at a time through everything: whole UNet, decoder, text encoder for each image.
        authors: what the authors' code runs.
        ours: what geobench runs.
    """

    name: str
    plain: Count
    authors: Count
    ours: Count


def counted(network: nn.Module, call: Callable[[], Any]) -> Count:
    """Return the count of one call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    by_kind = {str(kind): number for kind, number in counter.get_flop_counts()["Global"].items()}
    convolutions = sum(number for kind, number in by_kind.items() if "convolution" in kind)
    weights = sum(weight.numel() for weight in network.parameters()) * 4
    return Count(convolutions, sum(by_kind.values()) - convolutions, weights)


def dinov2(side: int = 840) -> Row:
    """Return the counts of DINOv2-B: nothing is superfluous but the last normalisation, which counts nothing."""
    sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "patch_size": 14}
    with torch.device("meta"):
        network = Dinov2Model(Dinov2Config(**sizes, image_size=518))
        all_of_it = counted(network, lambda: network(torch.empty(1, 3, side, side)))
    return Row(f"DINOv2-B, {side}", all_of_it, all_of_it, all_of_it)


def stable_diffusion(crops: int = 4) -> Row:
    """Return the counts of SD 1.5 with the implicit captioner, on so many crops of 512; 4 is an image of 960."""
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "projection_dim": 768, "num_hidden_layers": 24}
    config = CLIPVisionConfig(**sizes, num_attention_heads=16, image_size=336, patch_size=14)
    with torch.device("meta"):
        clip = CLIPVisionModelWithProjection(config)
        embedding = counted(clip, lambda: clip(torch.empty(1, 3, 336, 336)))
        encoder, decoder = _autoencoder(512)
        whole, cut = _unet("1.5", 64, lambda unet: unet), _unet("1.5", 64, lambda unet: truncated(unet, 2, 2))
    authors = (embedding + encoder + whole + decoder).times(crops)
    name = "SD 1.5, 960 (4 crops)" if crops == 4 else f"SD 1.5, {crops} crop"
    return Row(name, authors, authors, (embedding + encoder + cut).times(crops))


def dift(side: int = 768, noises: int = 8) -> Row:
    """Return the counts of DIFT, whose authors stop the UNet after up block 1 and have no decoder."""
    with torch.device("meta"):
        encoder, decoder = _autoencoder(side)
        whole, cut = _unet("2.1", side // 8, lambda unet: unet), _unet("2.1", side // 8, lambda u: truncated(u, 1))
    plain = (encoder + whole + decoder).times(noises) + text_encoder("2.1")
    return Row(f"DIFT, {side} x {noises}", plain, (encoder + cut).times(noises), encoder + cut.times(noises))


def text_encoder(version: str) -> Count:
    """Return the count of one prompt."""
    given = VERSIONS[version].text
    with torch.device("meta"):
        network = CLIPTextModel(
            CLIPTextConfig(**given, intermediate_size=4 * given["hidden_size"], vocab_size=49408)  # as the checkpoints
        )
        return counted(network, lambda: network(torch.zeros(1, 77, dtype=torch.long)))


def whole_autoencoder() -> AutoencoderKL:
    """Return the autoencoder of Stable Diffusion, with its decoder."""
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )


def _autoencoder(side: int) -> tuple[Count, Count]:
    """Return the counts of the encoder and of the decoder."""
    vae = whole_autoencoder()
    encoder = counted(vae.encoder, lambda: vae.encode(torch.empty(1, 3, side, side)))
    return encoder, counted(vae.decoder, lambda: vae.decode(torch.empty(1, 4, side // 8, side // 8)))


def _unet(version: str, side: int, cut: Callable[[UNet2DConditionModel], UNet2DConditionModel]) -> Count:
    unet = cut(UNet2DConditionModel(**VERSIONS[version].unet))
    text = torch.empty(1, 77, VERSIONS[version].unet["cross_attention_dim"])
    return counted(unet, lambda: unet(torch.empty(1, 4, side, side), torch.zeros(1), text))

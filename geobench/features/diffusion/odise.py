"""ODISE's implicit captioner: an image's CLIP embedding in place of a caption. Its checkpoint is read without ODISE.

The eight tensors that are needed are a small part of ODISE's checkpoint; Stable Diffusion's and CLIP's own weights are
not in it. ODISE was trained with SD 1.3; sd-dino and GeoAware-SC run SD 1.5 under it, and so do we.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geobench.errors import InputError
from geobench.features.state_dict import load_strictly, read_state_dict
from geobench.features.weights import Weights
from geobench.seeding import seed_for, seeded

PART = "odise"
FILE = "odise_label_coco_50e-b67d2efc.pth"
SOURCE = f"https://github.com/NVlabs/ODISE/releases/download/v1.0.0/{FILE}"
CLIP_PART = "odise-clip"
CLIP_IDS = ("openai/clip-vit-large-patch14-336",)
TOKENS = 77
_PREFIX = "backbone.feature_extractor."
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # CLIP, clip/clip.py:79-86


class ImageEmbedding(nn.Module):
    """CLIP's embedding of crops, after its projection, not normalised.

    Args:
        clip: the image half of CLIP.
        antialias: smooth when crops are made smaller. ODISE's pinned torchvision (0.14) does not for tensors, later
            ones do (docs/errata.md, "Antialiasing before CLIP").
    """

    mean: Float[Tensor, "3 1 1"]
    std: Float[Tensor, "3 1 1"]

    def __init__(self, clip: CLIPVisionModelWithProjection, antialias: bool = False) -> None:
        super().__init__()
        self.clip: Any = clip
        self.antialias = antialias
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1), persistent=False)

    def forward(self, crops: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the embeddings of square RGB crops, 0 to 1."""
        size = (self.clip.config.image_size,) * 2
        small = F.interpolate(crops, size, mode="bicubic", align_corners=False, antialias=self.antialias)
        pixels = (small - self.mean) / self.std
        embeddings: Tensor = self.clip(pixel_values=pixels.to(self.clip.dtype)).image_embeds
        return embeddings.float()


class _Projection(nn.Module):
    """A linear map of an embedding plus a vector per token; named as in ODISE's checkpoint."""

    def __init__(self, width: int, tokens: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.positional_embedding = nn.Parameter(torch.zeros(1, tokens, out))

    def forward(self, embeddings: Float[Tensor, "n d"]) -> Float[Tensor, "n tokens out"]:
        projected: Tensor = self.linear(embeddings)[:, None] + self.positional_embedding
        return projected


class Captioner(nn.Module):
    """Image embeddings to what a UNet is conditioned on (ODISE, meta_arch/ldm.py:920-1016 at 2b187e4).

    Args:
        width: length of an image embedding.
        context: width of a token of the UNet's text condition.
        time: length of the UNet's time embedding.
        unconditional: the text condition of the empty prompt, [1, 77, context].
    """

    unconditional: Float[Tensor, "1 tokens c"]

    def __init__(self, width: int, context: int, time: int, unconditional: Float[Tensor, "1 tokens c"]) -> None:
        super().__init__()
        self.alpha_cond = nn.Parameter(torch.zeros(1, TOKENS, context))
        self.alpha_cond_time_embed = nn.Parameter(torch.zeros(time))
        self.clip_project = _Projection(width, TOKENS, context)
        self.time_embed_project = _Projection(width, 1, time)
        self.register_buffer("unconditional", unconditional.detach().float(), persistent=False)

    def forward(self, embeddings: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n tokens c"], Float[Tensor, "n t"]]:
        """Return the text condition, and what is added to the time embedding."""
        condition = self.unconditional + torch.tanh(self.alpha_cond) * self.clip_project(embeddings)
        time = torch.tanh(self.alpha_cond_time_embed) * self.time_embed_project(embeddings)
        return condition, time.squeeze(1)


def load_clip(weights: Weights, ids: Sequence[str]) -> CLIPVisionModelWithProjection:
    """Return the image half of CLIP ViT-L/14 at 336 pixels.

    Raises:
        InputError: its weights are absent or damaged.
    """

    def randomly(tiny: bool) -> CLIPVisionModelWithProjection:
        sizes: dict[str, Any] = {"hidden_size": 1024, "intermediate_size": 4096, "projection_dim": 768}
        sizes |= {"num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 336, "patch_size": 14}
        if tiny:
            sizes |= {"hidden_size": 64, "intermediate_size": 256, "projection_dim": 48}
            sizes |= {"num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 56}
        return CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_act="quick_gelu", **sizes))

    return weights.network(CLIP_PART, CLIPVisionModelWithProjection, ids, randomly)


def load_captioner(
    weights: Weights, width: int, context: int, time: int, unconditional: Float[Tensor, "1 tokens c"]
) -> Captioner:
    """Return the captioner of ODISE's checkpoint; the arguments after ``weights`` are those of :class:`Captioner`.

    Raises:
        InputError: the file is absent or unreadable, or the first tensor that is missing or of another shape, by name.
    """
    captioner = Captioner(width, context, time, unconditional).eval()
    path = weights.file(PART, FILE, SOURCE)
    if path is None:
        with seeded(seed_for(0, PART)):
            for parameter in captioner.parameters():
                nn.init.normal_(parameter, std=0.1)
        return captioner
    held = {key.removeprefix(_PREFIX): tensor for key, tensor in _read(path).items()}
    return load_strictly(captioner, {key: held[key] for key in captioner.state_dict() if key in held}, str(path))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return read_state_dict(path)
    except InputError as error:
        if not isinstance(error.__cause__, UnpicklingError):
            raise
        raise InputError(
            f"{path}: holds more than tensors and is not unpickled here; where you trust it, save the entries of "
            f"torch.load(file, weights_only=False)['model'] whose names begin with {_PREFIX} with "
            f"safetensors.torch.save_file, and pass that file with --weights {PART}=FILE"
        ) from error

"""DINOv2 (Oquab et al., TMLR 2024) as sd-dino and GeoAware-SC read it: tokens of the last block, no final norm.

Equal to the official code and the authors' extractor (model_utils/extractor_dino.py, GeoAware-SC 99fd6b6) on seeded
random weights (tests/goldens/dinov2); nothing has been run with the real ones. 840 x 840 gives 60 x 60 tokens.

transformers interpolates the position embeddings to 60 x 60 by ``size``, the official code by a scale of 60.1 / 37
(``interpolate_offset=0.1``, dinov2/hub/backbones.py): docs/errata.md says what that changes.
"""

from __future__ import annotations

from types import MethodType
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model

from geobench.features.vit_tokens import IMAGENET, TokenExtractor, TokenSettings
from geobench.features.weights import Weights

PART = "dinov2"
OFFSET = 0.1
"""Added to the number of patches before the scale is taken (dinov2/models/vision_transformer.py)."""

SIZES: dict[str, dict[str, Any]] = {
    "small": {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    "giant": {"hidden_size": 1536, "num_hidden_layers": 40, "num_attention_heads": 24, "use_swiglu_ffn": True},
}
"""Architectures of the four models, as in their config.json."""


class Settings(TokenSettings):
    """Settings of ``extractor = "dinov2"``.

    Attributes:
        model: which of the four models.
        ids: places of its weights, tried in order; by default ``facebook/dinov2-<model>``.
        positions: how position embeddings are interpolated, as the ``official`` code or as ``transformers``.
    """

    model: Literal["small", "base", "large", "giant"] = "base"
    ids: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    positions: Literal["official", "transformers"] = "official"


class Extractor(TokenExtractor):
    """Image to DINOv2 patch tokens: 384, 768, 1024 or 1536 channels, not normalised.

    Args:
        settings: which tokens, and how they are computed.
        device: where the network runs and the maps are.
        weights: where the weights come from; part ``dinov2``.

    Raises:
        InputError: weights are absent, damaged, or of another architecture; side or layer do not fit it.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        ids = settings.ids or (f"facebook/dinov2-{settings.model}",)
        network = (weights or Weights()).network(
            PART, Dinov2Model, ids, lambda tiny: Dinov2Model(_config(settings.model, tiny))
        )
        if settings.positions == "official":
            network.embeddings.interpolate_pos_encoding = MethodType(official_positions, network.embeddings)
        super().__init__(settings, network, IMAGENET, device, f"dinov2 ({ids[0]})")


def official_positions(
    embeddings: Any, tokens: Float[Tensor, "n tokens c"], height: int, width: int
) -> Float[Tensor, "1 tokens c"]:
    """Return position embeddings for an image of height x width model pixels, the class token's first.

    As ``interpolate_pos_encoding`` of dinov2/models/vision_transformer.py: bicubic, without antialiasing, the scale
    taken with the offset, unchanged at the size the model was trained at.

    Args:
        embeddings: the embedding module of a ``Dinov2Model``.
        tokens: not looked at but for their number.
        height: of the frame.
        width: of the frame.
    """
    known: Tensor = embeddings.position_embeddings
    side = round((known.shape[1] - 1) ** 0.5)
    rows, columns = height // embeddings.patch_size, width // embeddings.patch_size
    if tokens.shape[1] == known.shape[1] and rows == columns:
        return known
    grid = known[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = ((rows + OFFSET) / side, (columns + OFFSET) / side)
    resized = F.interpolate(grid, scale_factor=scale, mode="bicubic", antialias=False)
    return torch.cat([known[:, :1], resized.flatten(2).transpose(1, 2).to(known.dtype)], dim=1)


def _config(model: str, tiny: bool) -> Dinov2Config:
    small = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3}
    return Dinov2Config(**(SIZES[model] | small if tiny else SIZES[model]), image_size=518, patch_size=14)

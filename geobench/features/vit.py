"""Any Vision Transformer of the hub, by family, id, layer and facet: DINO, DINOv3, CLIP, supervised ViT, registers.

The ids, frames, layers and facets that users compare are in ``baselines/``. Position embeddings are interpolated as
transformers does for the family; colours are normalised as the checkpoint's preprocessor says, or by the family's
default where it has none. Shapes and conventions are tested on random weights; nothing has been run with real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import transformers
from pydantic import Field, model_validator
from torch import nn

from geobench.errors import InputError
from geobench.features.preprocessor import Colour, colours_of
from geobench.features.vit_tokens import IMAGENET, TokenExtractor, TokenSettings
from geobench.features.weights import Weights

PART = "vit"
_HALF: tuple[Colour, Colour] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_CLIP: tuple[Colour, Colour] = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass(frozen=True)
class Family:
    """One family of Vision Transformers.

    Attributes:
        network: class of transformers.
        config: class of its configuration.
        colours: mean and standard deviation of RGB, 0 to 1, for a checkpoint without a preprocessor's configuration.
        full: configuration of the default model, for ``--random-weights full``.
        ids: the default model.
        side: the default side, a multiple of its patch.
        gated: how names of models start whose weights are handed out only after a licence is accepted by hand.
    """

    network: str
    config: str
    colours: tuple[Colour, Colour]
    full: Mapping[str, Any]
    ids: tuple[str, ...]
    side: int
    gated: str = ""


_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
_SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
FAMILIES = {
    "dino": Family(
        *("ViTModel", "ViTConfig", IMAGENET),
        *({**_SMALL, "intermediate_size": 1536, "patch_size": 8}, ("facebook/dino-vits8",), 480),
    ),
    "dinov2-registers": Family(
        *("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", IMAGENET),
        *({**_BASE, "patch_size": 14, "image_size": 518}, ("facebook/dinov2-with-registers-base",), 840),
    ),
    "dinov3": Family(
        *("DINOv3ViTModel", "DINOv3ViTConfig", IMAGENET),
        {**_BASE, "intermediate_size": 3072, "patch_size": 16, "num_register_tokens": 4},
        *(("facebook/dinov3-vitb16-pretrain-lvd1689m",), 960, "facebook/dinov3-"),
    ),
    "clip": Family(
        *("CLIPVisionModel", "CLIPVisionConfig", _CLIP),
        *({**_BASE, "intermediate_size": 3072, "patch_size": 16}, ("openai/clip-vit-base-patch16",), 672),
    ),
    "vit": Family(
        *("ViTModel", "ViTConfig", _HALF),
        *({**_BASE, "intermediate_size": 3072, "patch_size": 16}, ("google/vit-base-patch16-224",), 672),
    ),
}
"""By the name that recipes use."""


class Settings(TokenSettings):
    """Settings of ``extractor = "vit"``.

    Attributes:
        family: of :data:`FAMILIES`; gives ``ids`` and ``side`` where the recipe does not.
        ids: places of the weights, tried in order.
    """

    family: Literal["dino", "dinov2-registers", "dinov3", "clip", "vit"] = "vit"
    ids: Annotated[tuple[str, ...], Field(min_length=1)] = FAMILIES["vit"].ids
    side: Annotated[int, Field(ge=14, le=8192)] = FAMILIES["vit"].side

    @model_validator(mode="before")
    @classmethod
    def _fill_from_family(cls, given: Any) -> Any:
        family = FAMILIES.get(str(given.get("family", "vit"))) if isinstance(given, Mapping) else None
        return given if family is None else {"ids": family.ids, "side": family.side, **given}


class Extractor(TokenExtractor):
    """Image to patch tokens of a Vision Transformer, not normalised.

    Args:
        settings: which tokens, and how they are computed.
        device: where the network runs and the maps are.
        weights: where the weights come from; part ``vit``.

    Raises:
        InputError: weights are absent, damaged, or of another family; side or layer do not fit them.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        family, weights = FAMILIES[settings.family], weights or Weights()
        folder = _folder(settings.ids, family, weights) if weights.random is None else None
        colours = colours_of(folder) if folder else None
        cls = getattr(transformers, family.network)
        network = weights.network(PART, cls, settings.ids, lambda tiny: _randomly(settings, family, tiny))
        super().__init__(settings, network, colours or family.colours, device, f"vit ({settings.ids[0]})")


def _folder(ids: tuple[str, ...], family: Family, weights: Weights) -> Path:
    """Return the folder of the checkpoint; where it is absent and gated, the error says how it is had."""
    try:
        return weights.folder(PART, ids)
    except InputError as error:
        gated = next((name for name in ids if family.gated and name.startswith(family.gated)), None)
        if gated is None or PART in weights.chosen:
            raise
        raise InputError(
            f"{error}; the weights are handed out only to an account that has accepted their licence by hand at "
            f"https://huggingface.co/{gated} and is logged in (`hf auth login`)"
        ) from error


def _randomly(settings: Settings, family: Family, tiny: bool) -> nn.Module:
    if not tiny and settings.ids[0] not in family.ids:
        raise InputError(
            f"vit: the size of {settings.ids[0]} is in its config.json, which random weights do not fetch; "
            f"--random-weights=full knows {family.ids[0]}, --random-weights=tiny any"
        )
    small = {"hidden_size": 32, "num_hidden_layers": 12, "num_attention_heads": 1, "intermediate_size": 64}
    config = getattr(transformers, family.config)(**(dict(family.full) | small if tiny else family.full))
    network: nn.Module = getattr(transformers, family.network)(config)
    return network

"""Instance masks by Segment Anything (Kirillov et al., ICCV 2023) through transformers, prompted with the box.

The image is segmented in the pose of its file and the mask then posed, as GeoAware-SC mirrors its masks
(preprocess_mask_sam.py). The weights are part ``sam`` of a recipe. Images are resized by Pillow, whether or not
torchvision is installed, which transformers would prefer.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import nn

from geobench.errors import InputError
from geobench.features.quiet import quiet_libraries
from geobench.features.weights import Weights
from geobench.picture import Picture

PART = "sam"
RECENT = 64
"""How many masks are remembered, for the other poses of a picture."""

SIZES: dict[str, dict[str, Any]] = {
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    "huge": {"hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 16},
}
"""Image encoders of ``facebook/sam-vit-*``, as in their config.json."""


class SamMasks:
    """Picture to the mask of the instance in its box.

    Args:
        model: name on the Hugging Face hub, or folder that ``save_pretrained`` or a download made.
        device: where the model runs.
        weights: where its weights come from; part ``sam``.

    Raises:
        InputError: the weights are absent, damaged, or another network's; the message says what to fetch and where to.
    """

    def __init__(self, model: str, device: str = "cpu", weights: Weights | None = None) -> None:
        self.device = device
        network, self._processor = _loaded(model, weights)
        self._network: Any = network.to(device)
        self._unposed = lru_cache(RECENT)(self._segment)

    def __call__(self, picture: Picture) -> Bool[np.ndarray, "h w"]:
        """Return the mask in the picture's pose, True on the object."""
        return picture.pose.array(self._unposed(picture.posed(picture.pose.inverse())))

    def _segment(self, picture: Picture) -> Bool[np.ndarray, "h w"]:
        x, y, width, height = picture.box
        box = [[[x, y, x + width, y + height]]]
        asked = self._processor(picture.pixels, input_boxes=box, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            answer = self._network(**asked, multimask_output=False)
        sizes = asked["original_sizes"].cpu(), asked["reshaped_input_sizes"].cpu()
        masks = self._processor.image_processor.post_process_masks(answer.pred_masks.cpu(), *sizes)
        found: np.ndarray = masks[0][0, 0].numpy().astype(bool)
        return found


def _loaded(model: str, weights: Weights | None) -> tuple[nn.Module, Any]:
    """Return the network and what makes its input."""
    from transformers import SamModel, SamProcessor

    weights = weights or Weights()
    try:
        network = weights.network(PART, SamModel, (model,), lambda tiny: _randomly(model, tiny))
    except InputError as error:
        raise InputError(f'mask = "sam": {error}; or set mask = "dataset" or "box"') from error
    if weights.random is None:
        images = _input_maker(weights.folder(PART, (model,)))
    else:
        side = network.config.vision_config.image_size
        images = _input_class()(size={"longest_edge": side}, pad_size={"height": side, "width": side})
    return network, SamProcessor(images)


def _input_maker(folder: Path) -> Any:
    """Return what resizes and normalises images, as the checkpoint says."""
    try:
        with quiet_libraries():
            return _input_class().from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: has no preprocessor_config.json that can be used ({str(error).splitlines()[0][:200]}); fetch it"
        ) from error


def _input_class() -> Any:
    """Return the class that works with Pillow; before version 5 of transformers there was no other."""
    import transformers

    return getattr(transformers, "SamImageProcessorPil", None) or transformers.SamImageProcessor


def _randomly(model: str, tiny: bool) -> nn.Module:
    """Return a network with random weights, of the size that the model's name tells."""
    from transformers import SamConfig, SamModel

    if tiny:
        return SamModel(SamConfig(**_TINY))
    size = next((size for name, size in SIZES.items() if name in model), None)
    if size is None:
        raise InputError(f"sam: the size of {model} is not known here; name facebook/sam-vit-base, -large or -huge")
    spread = size["num_hidden_layers"] // 4
    whole = [spread * (i + 1) - 1 for i in range(4)]
    return SamModel(SamConfig(vision_config={**size, "mlp_dim": 4 * size["hidden_size"], "global_attn_indexes": whole}))


_NARROW = {"hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 32}
_COARSE = {"image_size": 64, "patch_size": 8}
_TINY: dict[str, dict[str, Any]] = {
    "vision_config": _NARROW
    | _COARSE
    | {"output_channels": 16, "num_hidden_layers": 2, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 8},
    "prompt_encoder_config": _COARSE | {"hidden_size": 16, "mask_input_channels": 4},
    "mask_decoder_config": _NARROW | {"num_hidden_layers": 1, "iou_head_hidden_dim": 16},
}

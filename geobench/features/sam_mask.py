"""Instance masks by Segment Anything (Kirillov et al., ICCV 2023) through transformers, prompted with the box.

The image is segmented in the pose of its file and the mask then posed, as GeoAware-SC mirrors its masks
(preprocess_mask_sam.py). Needs ``transformers`` and the weights of a model, fetched beforehand or on first use.
"""

from __future__ import annotations

import sys
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from geobench.errors import InputError
from geobench.features.quiet import quiet_libraries
from geobench.picture import Picture

RECENT = 64
"""How many masks are remembered, for the other poses of a picture."""


class SamMasks:
    """Picture to the mask of the instance in its box.

    Args:
        model: name on the Hugging Face hub, or folder that ``save_pretrained`` or a download made.
        device: where the model runs.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        self.model = model
        self.device = device
        self._unposed = lru_cache(RECENT)(self._segment)

    def __call__(self, picture: Picture) -> Bool[np.ndarray, "h w"]:
        """Return the mask in the picture's pose, True on the object.

        Raises:
            InputError: transformers or the weights are not there; the message says what to fetch and where to.
        """
        return picture.pose.array(self._unposed(picture.posed(picture.pose.inverse())))

    def _segment(self, picture: Picture) -> Bool[np.ndarray, "h w"]:
        model, processor = self._loaded
        x, y, width, height = picture.box
        box = [[[x, y, x + width, y + height]]]
        asked = processor(picture.pixels, input_boxes=box, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            answer = model(**asked, multimask_output=False)
        sizes = asked["original_sizes"].cpu(), asked["reshaped_input_sizes"].cpu()
        masks = processor.image_processor.post_process_masks(answer.pred_masks.cpu(), *sizes)
        found: np.ndarray = masks[0][0, 0].numpy().astype(bool)
        return found

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The model and its processor."""
        from transformers import SamModel, SamProcessor

        try:
            with quiet_libraries(bars=sys.stderr.isatty()):
                processor = SamProcessor.from_pretrained(self.model)
                model: Any = SamModel.from_pretrained(self.model)
        except (OSError, ValueError) as error:
            raise InputError(
                f'mask = "sam": there are no usable weights of {self.model!r} here and they could not be fetched; on a '
                f"machine with a connection run `hf download {self.model} --local-dir sam`, copy the folder here, and "
                'set sam_model to its path, or set mask = "dataset" or "box"'
            ) from error
        return model.to(self.device).eval(), processor

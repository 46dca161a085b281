"""The sparse objective: keypoints of one image find their partners among the keypoints of the other."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from torch import Tensor


def contrastive_loss(
    queries: Float[Tensor, "n c"], keys: Float[Tensor, "n c"], scale: Float[Tensor, ""]
) -> Float[Tensor, ""]:
    """Return the symmetric cross-entropy of keypoints against their partners, as CLIP's (Radford et al., 2021).

    Zhang et al., section 3.3; GeoAware-SC, utils/utils_losses.py:78-93. The other keypoints of the same pair are the
    only negatives, and two keypoints of one cell are different classes.

    Args:
        queries: descriptors of the keypoints visible in both images, in one of them.
        keys: in the other, row by row.
        scale: 1 / temperature, learned (:attr:`geobench.training.post_processor.PostProcessor.scale`).
    """
    logits = scale * queries @ keys.T
    classes = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, classes) + F.cross_entropy(logits.T, classes)) / 2

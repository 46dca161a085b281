"""The geometry-aware post-processor: raw features of several groups to one descriptor per cell.

Each group of channels passes one bottleneck of a residual network; a softmax over learned weights mixes the results
(Zhang et al., CVPR 2024, arXiv 2311.17034, section 3.3; GeoAware-SC, model_utils/projection_network.py and resnet.py).
Parameters have the names of the authors' state dict, so that their checkpoints and those of their descendants load.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from torch import Tensor, nn

GROUPS = (640, 1280, 1280, 768)
"""Channels of s3, s4 and s5 of Stable Diffusion and of DINOv2-B (pck_train.py, ``feature_dims``)."""

CHANNELS = 768
"""Channels of a descriptor (pck_train.py, ``PROJ_DIM``)."""

NORM_GROUPS = 32
"""Groups of every group norm (projection_network.py, ``num_norm_groups``)."""

_TEMPERATURE = 0.07  # where the contrastive loss's temperature starts (projection_network.py)
_SELF_SCALE = 10.0  # contrastive_temp of projection_network.py; no loss reads it


class NormedConvolution(nn.Conv2d):
    """A convolution without bias, then group norm; ``norm`` is a child, as in the authors' state dict.

    Args:
        inputs: channels in.
        outputs: channels out, a multiple of 32.
        side: of the kernel, odd; the grid keeps its size.
    """

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__(inputs, outputs, side, padding=side // 2, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.norm = nn.GroupNorm(NORM_GROUPS, outputs)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Return the features convolved and normalised."""
        normed: Tensor = self.norm(super().forward(features))
        return normed


class Bottleneck(nn.Module):
    """A residual bottleneck: 1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut, which is one where widths differ.

    Args:
        inputs: channels in.
        outputs: channels out; a quarter of them pass the 3 x 3 convolution.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shortcut = NormedConvolution(inputs, outputs, 1) if inputs != outputs else None
        self.conv1 = NormedConvolution(inputs, outputs // 4, 1)
        self.conv2 = NormedConvolution(outputs // 4, outputs // 4, 3)
        self.conv3 = NormedConvolution(outputs // 4, outputs, 1)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Return the block's output, never negative."""
        inner = self.conv3(F.relu(self.conv2(F.relu(self.conv1(features)))))
        return F.relu(inner + (features if self.shortcut is None else self.shortcut(features)))


class PostProcessor(nn.Module):
    """Raw features to descriptors, which are never negative and not of unit length.

    Args:
        groups: channels of each group, in the order of the input's channels.
        channels: channels of a descriptor, a multiple of 128 (a quarter passes group norm of 32 groups).
        dropout: share of the input's numbers that are dropped, each by itself, while training (0.2 in the paper's
            runs, ``FEAT_MAP_DROPOUT``).

    Raises:
        ValueError: ``channels`` is no multiple of 128, or there is no group.
    """

    def __init__(self, groups: Sequence[int] = GROUPS, channels: int = CHANNELS, dropout: float = 0.0) -> None:
        super().__init__()
        if not groups or channels % (4 * NORM_GROUPS):
            raise ValueError(
                f"a post-processor has groups ({list(groups)}) and channels in multiples of 128 ({channels})"
            )
        self.groups, self.channels, self.dropout = tuple(groups), channels, dropout
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / _TEMPERATURE)))
        # In the authors' state dict and of no use; without gradient, which several GPUs would wait for.
        self.self_logit_scale = nn.Parameter(torch.tensor(math.log(_SELF_SCALE)), requires_grad=False)
        self.mixing_weights = nn.Parameter(torch.ones(len(self.groups)))
        # One block per stage, whence the ``.0.`` in the names.
        self.bottleneck_layers = nn.ModuleList(nn.Sequential(Bottleneck(width, channels)) for width in self.groups)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """What the contrastive loss multiplies similarities by: 1 / temperature, learned, at first 1 / 0.07."""
        return self.logit_scale.exp()

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Return one descriptor per cell.

        Args:
            features: the groups as their networks give them, not normalised, concatenated in order.

        Raises:
            ValueError: the channels are not those of the groups together.
        """
        if features.shape[1] != sum(self.groups):
            raise ValueError(f"{features.shape[1]} channels, the groups {self.groups} have {sum(self.groups)}")
        if self.training and self.dropout > 0:
            features = F.dropout(features, self.dropout)
        shares = torch.softmax(self.mixing_weights, dim=0)
        parts = torch.split(features, list(self.groups), dim=1)
        mixed = shares[0] * self.bottleneck_layers[0](parts[0])
        for share, layer, part in zip(shares[1:], self.bottleneck_layers[1:], parts[1:], strict=True):
            mixed = mixed + share * layer(part)
        return mixed

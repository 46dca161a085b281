"""Features of quadnet, the network that geobench brings along: trained on rendered animals, offline, 2.8 MB.

It knows which part of an animal a cell shows, and which way the animal stands; nothing told it which side is left. What
it was trained on, how long, and how good its features are: docs/quadnet.md. They say nothing about photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.network import Batches, NetworkSettings, maps_in_frame
from geobench.features.quadnet_network import SEMANTIC, SIDE, QuadNet
from geobench.features.state_dict import load_strictly, read_state_dict
from geobench.features.weights import Weights
from geobench.picture import Picture
from geobench.seeding import seed_for, seeded

WEIGHTS = Path(__file__).with_name("_quadnet") / "quadnet.safetensors"
"""The trained weights, float16, part of the package."""


class Settings(NetworkSettings):
    """Settings of ``extractor = "quadnet"``; the model frame is the image padded with black to 128 x 128.

    Attributes:
        context: factor of the 32 channels that say how the animal stands, beside the 96 that say which part a cell
            shows; each group is brought to unit length first. 0 leaves them at zero.
    """

    context: Annotated[float, Field(ge=0, le=10)] = 0.25


class Extractor:
    """Image to 128 channels on 32 x 32 cells: 96 semantic, then 32 of context.

    Args:
        settings: the weight of the groups, and how they are computed.
        device: where the network runs and the maps are.
        weights: part ``quadnet`` names another file of weights than the package's.

    Raises:
        InputError: the weights named are absent, damaged, or of another architecture.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        self.settings = settings
        self.device = device
        self.batch = settings.batch_on(device)
        self.network = settings.place(load_quadnet(weights or Weights()), device)
        self._batches = Batches(self.batch)

    def __call__(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image."""
        return self.many([picture], [0])[0]

    @torch.no_grad()
    def many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture; ``seeds`` change nothing."""
        return maps_in_frame(pictures, ("pad", SIDE), self.pixels, self._batches, self._described)

    def pixels(self, picture: Picture, box: Letterbox) -> Float[Tensor, "3 side side"]:
        """Return an image in the model frame, RGB from -1 to 1, padded with black."""
        return torch.from_numpy(box.place(picture.pixels)).to(self.device).permute(2, 0, 1).float() / 127.5 - 1

    def _described(self, pixels: Float[Tensor, "n 3 side side"]) -> Float[Tensor, "n c h w"]:
        channels = self.network(pixels.to(self.settings.torch_dtype())).float()
        groups = F.normalize(channels[:, :SEMANTIC], dim=1), F.normalize(channels[:, SEMANTIC:], dim=1)
        return F.normalize(torch.cat([groups[0], self.settings.context * groups[1]], dim=1), dim=1)


def load_quadnet(weights: Weights) -> QuadNet:
    """Return the network with the package's weights, or with those that ``weights`` names or draws at random.

    Raises:
        InputError: a file named by the user is absent, damaged, or of another architecture.
    """
    path = weights.packaged("quadnet", WEIGHTS)
    if path is None:
        with seeded(seed_for(0, "quadnet", "")):
            return QuadNet().eval()
    return load_strictly(QuadNet(), read_state_dict(path), str(path)).eval()

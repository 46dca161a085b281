"""Features of ImageNet CNNs: any stage of MobileNetV2, SqueezeNet or ResNet, or several as a hypercolumn.

MobileNetV2 and SqueezeNet are the pretrained networks that were run with real weights here: docs/cnn.md. Several
stages side by side are the field's hyperpixels (Min et al., Hyperpixel Flow, ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.features.cnn_networks import ARCHITECTURES, load_stages
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.network import Batches, NetworkSettings, maps_in_frame
from geobench.features.weights import Weights
from geobench.picture import Picture

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CAFFE = (104.0, 117.0, 123.0)  # of blue, green, red, 0 to 255


class Settings(NetworkSettings):
    """Settings of ``extractor = "cnn"``.

    Attributes:
        architecture: ``mobilenet-v2``, ``squeezenet``, ``resnet50`` or ``resnet101``.
        layers: numbers of the stages read: torchvision's ``features`` of MobileNetV2 (0 to 18) and SqueezeNet (0 to
            12); the stem and the bottlenecks of a ResNet (0 to 16, 0 to 33). Coarser grids are interpolated bilinearly
            to the finest one, each brought to unit length, and their channels put side by side.
        side: length of the model frame's side in model pixels.
        frame: ``pad`` the image with black to a square, or ``squash`` it to one.
        colours: what the network was trained with: ``imagenet`` mean and deviation, ``minus-one-to-one``, or
            ``caffe-bgr``, blue first, 0 to 255 less a mean.
        same_padding: strided convolutions of MobileNetV2 pad as TensorFlow's, for weights that come from there (the
            hub's, and those of 1,001 classes); torchvision's own need false.
        ids: places of the weights on the hub instead of the architecture's own, tried in order.
    """

    architecture: Literal["mobilenet-v2", "squeezenet", "resnet50", "resnet101"] = "mobilenet-v2"
    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (13,)
    side: Annotated[int, Field(ge=32, le=8192)] = 448
    frame: Literal["pad", "squash"] = "pad"
    colours: Literal["imagenet", "minus-one-to-one", "caffe-bgr"] = "imagenet"
    same_padding: bool = True
    ids: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _increasing(self) -> Settings:
        if list(self.layers) != sorted(set(self.layers)):
            raise ValueError("layers must be named once each, in increasing order")
        return self


class Stages(nn.Module):
    """Pixels to the hypercolumn of some stages; stages after the last one read are not run.

    Args:
        stages: all of the network.
        layers: numbers of those read, increasing.
    """

    def __init__(self, stages: Sequence[nn.Module], layers: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages[: layers[-1] + 1])
        self.layers = tuple(layers)

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c rows columns"]:
        """Return the stages read, float32, each of unit length where there are several."""
        found, given = [], pixels.to(next(self.parameters()).dtype)
        for number, stage in enumerate(self.stages):
            given = stage(given)
            if number in self.layers:
                found.append(given.float())
        if len(found) == 1:
            return found[0]
        shape = found[0].shape[2:]  # the first is the finest: strides only grow
        same = [one if one.shape[2:] == shape else F.interpolate(one, shape, mode="bilinear") for one in found]
        return torch.cat([F.normalize(one, dim=1, eps=1e-10) for one in same], dim=1)


class Extractor:
    """Image to the features of a CNN.

    Args:
        settings: which features, and how they are computed.
        device: where the network runs and the maps are.
        weights: where the weights come from; part ``cnn``: a folder of the hub's, or a file in torchvision's layout.

    Raises:
        InputError: weights are absent, damaged, or of another architecture, or there is no such layer.
    """

    def __init__(self, settings: Settings, device: str = "cpu", weights: Weights | None = None) -> None:
        self.settings = settings
        self.device = device
        self.batch = settings.batch_on(device)
        stages = load_stages(weights or Weights(), settings.architecture, settings.ids, settings.same_padding)
        if settings.layers[-1] >= len(stages):
            raise InputError(
                f"cnn: layers has {settings.layers[-1]}, the stages of {settings.architecture} are 0 to "
                f"{len(stages) - 1}; choose among them"
            )
        self.network = settings.place(Stages(stages, settings.layers), device)
        self._batches = Batches(self.batch)

    def __call__(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image."""
        return self.many([picture], [0])[0]

    @torch.no_grad()
    def many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture; ``seeds`` change nothing."""
        frame = self.settings.frame, self.settings.side
        return maps_in_frame(pictures, frame, self.pixels, self._batches, self.network)

    def pixels(self, picture: Picture, box: Letterbox) -> Float[Tensor, "3 side side"]:
        """Return an image in the model frame, in the network's colours; padding is black before that."""
        placed = torch.from_numpy(box.place(picture.pixels)).to(self.device).permute(2, 0, 1).float()
        if self.settings.colours == "minus-one-to-one":
            return placed / 127.5 - 1
        if self.settings.colours == "caffe-bgr":
            return placed.flip(0) - placed.new_tensor(_CAFFE)[:, None, None]
        mean, std = (placed.new_tensor(one)[:, None, None] for one in _IMAGENET)
        return (placed / 255 - mean) / std


__all__ = ["ARCHITECTURES", "Extractor", "Settings", "Stages"]

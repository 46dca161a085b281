"""Convolutional networks as a row of stages, loaded from the hub or from a state dict in torchvision's layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import MobileNetV2Config, MobileNetV2Model, ResNetConfig, ResNetModel

from geobench.errors import InputError
from geobench.features.squeezenet import squeezenet_features
from geobench.features.state_dict import load_strictly, read_state_dict
from geobench.features.weights import Weights

PART = "cnn"
_HEAD = re.compile(r"(classifier|fc)\.")
_TORCHVISION_EPSILON = 1e-5


@dataclass(frozen=True)
class Architecture:
    """One network.

    Attributes:
        ids: places of its weights on the hub, tried in order; none where only a file will do.
        make: builds it; takes whether convolutions pad as TensorFlow's, and whether it shall be tiny.
        stages: the network as stages; the number of a stage is what recipes call a layer.
        renamed: a key of torchvision's layout in this network's, or None where the network has none.
        source: where a person fetches the file.
    """

    ids: tuple[str, ...]
    make: Callable[[bool, bool], nn.Module]
    stages: Callable[[Any], list[nn.Module]]
    renamed: Callable[[str], str | None]
    source: str = ""


def load_stages(weights: Weights, name: str, ids: tuple[str, ...] | None, same_padding: bool) -> list[nn.Module]:
    """Return the stages of an architecture with its weights, in evaluation mode, on the CPU.

    Args:
        weights: where they come from, part ``cnn``: a folder or an id of the hub, or a file in torchvision's layout.
        name: of :data:`ARCHITECTURES`.
        ids: places on the hub, instead of the architecture's own.
        same_padding: whether strided convolutions pad as TensorFlow's do.

    Raises:
        InputError: the weights are absent, damaged, or the first key that does not fit, by name.
    """
    architecture = ARCHITECTURES[name]
    places = ids or architecture.ids
    chosen = weights.chosen.get(PART)
    if weights.random is None and ((chosen is not None and chosen.is_file()) or not places):
        path = weights.file(PART, f"{name}.pth", architecture.source or "torchvision's model zoo")
        assert path is not None
        network = architecture.make(same_padding, False)
        load_strictly(network, _renamed(read_state_dict(path), network, architecture, str(path)), str(path))
    else:
        probe = architecture.make(same_padding, True)
        network = weights.network(PART, type(probe), places, lambda tiny: architecture.make(same_padding, tiny))
    return architecture.stages(network.eval())


def _renamed(
    state: Mapping[str, Tensor], network: nn.Module, architecture: Architecture, where: str
) -> dict[str, Tensor]:
    """Return a state dict of torchvision's layout by the network's own keys; the classifier alone is left out."""
    wanted = network.state_dict()
    found: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if _HEAD.match(key):
            continue
        ours = architecture.renamed(key)
        if ours is None:
            raise InputError(f"{where}: {key} is no key of torchvision's layout; name the weights of this architecture")
        found[ours] = tensor
    # Counters of batches seen, which older files do not have and which change nothing.
    return found | {key: wanted[key] for key in wanted if key.endswith("num_batches_tracked") and key not in found}


def _mobilenet(same_padding: bool, tiny: bool) -> nn.Module:
    given = {"depth_multiplier": 0.25} if tiny else {}
    return MobileNetV2Model(MobileNetV2Config(tf_padding=same_padding, layer_norm_eps=_TORCHVISION_EPSILON, **given))


def _mobilenet_stages(network: Any) -> list[nn.Module]:
    stem = network.conv_stem
    second = nn.Sequential(*(one for one in (stem.expand_1x1, stem.conv_3x3, stem.reduce_1x1) if one is not None))
    return [stem.first_conv, second, *network.layer, network.conv_1x1]


_MOBILENET_PARTS = {
    "0.0": "{}.expand_1x1.convolution",
    "0.1": "{}.expand_1x1.normalization",
    "1.0": "{}.conv_3x3.convolution",
    "1.1": "{}.conv_3x3.normalization",
    "2": "{}.reduce_1x1.convolution",
    "3": "{}.reduce_1x1.normalization",
}
_MOBILENET_STEM = {
    "0.0": "conv_stem.first_conv.convolution",
    "0.1": "conv_stem.first_conv.normalization",
    "1.conv.0.0": "conv_stem.conv_3x3.convolution",
    "1.conv.0.1": "conv_stem.conv_3x3.normalization",
    "1.conv.1": "conv_stem.reduce_1x1.convolution",
    "1.conv.2": "conv_stem.reduce_1x1.normalization",
    "18.0": "conv_1x1.convolution",
    "18.1": "conv_1x1.normalization",
}


def _mobilenet_key(key: str) -> str | None:
    path, _, kind = key.removeprefix("features.").rpartition(".")
    if path in _MOBILENET_STEM:
        return f"{_MOBILENET_STEM[path]}.{kind}"
    block = re.fullmatch(r"(\d+)\.conv\.(.+)", path)
    if block is None or block[2] not in _MOBILENET_PARTS:
        return None
    return f"{_MOBILENET_PARTS[block[2]].format(f'layer.{int(block[1]) - 2}')}.{kind}"


def _resnet(depths: list[int]) -> Callable[[bool, bool], nn.Module]:
    def make(_same_padding: bool, tiny: bool) -> nn.Module:
        given = {"embedding_size": 16, "hidden_sizes": [16, 32, 48, 64]} if tiny else {}
        return ResNetModel(ResNetConfig(depths=depths, **given))

    return make


def _resnet_stages(network: Any) -> list[nn.Module]:
    return [network.embedder, *(layer for stage in network.encoder.stages for layer in stage.layers)]


def _resnet_key(key: str) -> str | None:
    path, _, kind = key.rpartition(".")
    names = {"conv": "convolution", "bn": "normalization", "0": "convolution", "1": "normalization"}
    stem = re.fullmatch(r"(conv|bn)1", path)
    if stem:
        return f"embedder.embedder.{names[stem[1]]}.{kind}"
    found = re.fullmatch(r"layer(\d)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))", path)
    if found is None:
        return None
    block = f"encoder.stages.{int(found[1]) - 1}.layers.{found[2]}"
    part = f"shortcut.{names[found[5]]}" if found[5] else f"layer.{int(found[4]) - 1}.{names[found[3]]}"
    return f"{block}.{part}.{kind}"


ARCHITECTURES = {
    "mobilenet-v2": Architecture(("google/mobilenet_v2_1.0_224",), _mobilenet, _mobilenet_stages, _mobilenet_key),
    "resnet50": Architecture(("microsoft/resnet-50",), _resnet([3, 4, 6, 3]), _resnet_stages, _resnet_key),
    "resnet101": Architecture(("microsoft/resnet-101",), _resnet([3, 4, 23, 3]), _resnet_stages, _resnet_key),
    "squeezenet": Architecture(
        (),
        lambda _same_padding, _tiny: squeezenet_features(),
        list,
        lambda key: key.removeprefix("features.") if key.startswith("features.") else None,
        "torchvision's SqueezeNet 1.0",
    ),
}
"""By the name that recipes use. transformers has no SqueezeNet: ours is in :mod:`geobench.features.squeezenet`."""

"""Reads patch tokens from any Vision Transformer of transformers, of any block and facet; later blocks are not run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.network import Batches, NetworkSettings, maps_in_frame
from geobench.features.preprocessor import Colour
from geobench.picture import Picture

Facet = Literal["token", "query", "key", "value"]
IMAGENET: tuple[Colour, Colour] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of RGB, 0 to 1."""

_PROJECTIONS = {"query": ("q_proj", "query"), "key": ("k_proj", "key"), "value": ("v_proj", "value")}
"""What transformers calls them, and what it called them in some families before version 5."""


class TokenSettings(NetworkSettings):
    """Settings of extractors that read patch tokens.

    Attributes:
        layer: number of the block, from 0; negative numbers count from the last.
        facet: ``token``, what the block gives; or the ``query``, ``key`` or ``value`` of its attention, all heads side
            by side, before any rotary position embedding.
        final_norm: put tokens of the last block through the network's final layer norm.
        side: length of the model frame's side in model pixels, a multiple of the patch.
        frame: ``pad`` the image with black to a square, or ``squash`` it to one.
    """

    layer: int = -1
    facet: Facet = "token"
    final_norm: bool = False
    side: Annotated[int, Field(ge=14, le=8192)] = 840
    frame: Literal["pad", "squash"] = "pad"


class TokenReader(nn.Module):
    """Normalised pixels to a grid of patch tokens, without the class token and registers.

    Args:
        network: a Vision Transformer of transformers; blocks after the one read are cut off, in place.
        settings: which tokens.
        where: name of the weights, for messages.

    Raises:
        InputError: there is no such layer, or ``final_norm`` is asked of another than the last.
    """

    def __init__(self, network: nn.Module, settings: TokenSettings, where: str) -> None:
        super().__init__()
        name, blocks = _blocks(network)
        count = len(blocks)
        if not -count <= settings.layer < count:
            raise InputError(f"{where}: layer is {settings.layer}, its blocks are 0 to {count - 1}; choose one of them")
        layer = settings.layer % count
        if settings.final_norm and (layer < count - 1 or settings.facet != "token"):
            raise InputError(f"{where}: final_norm belongs to the tokens of the last block; leave layer and facet out")
        network.set_submodule(name, blocks[: layer + 1])
        self.network: Any = network
        self.patch = int(network.config.patch_size)  # type: ignore[union-attr, arg-type]
        self.norm = _final_norm(network) if settings.final_norm else nn.Identity()
        read = blocks[layer] if settings.facet == "token" else _named(blocks[layer], _PROJECTIONS[settings.facet])
        read.register_forward_hook(self._keep)
        self._options = {"interpolate_pos_encoding": True} if _interpolates_on_request(network) else {}
        self._found: Tensor | None = None

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c rows columns"]:
        """Return the tokens, float32, of images whose colours are normalised."""
        rows, columns = pixels.shape[2] // self.patch, pixels.shape[3] // self.patch
        self.network(pixels.to(next(self.network.parameters()).dtype), **self._options)
        found, self._found = self._found, None
        assert found is not None
        tokens = self.norm(found)[:, -rows * columns :]  # class token and registers come first
        return tokens.transpose(1, 2).reshape(len(pixels), -1, rows, columns).float()

    def _keep(self, _module: nn.Module, _given: Any, output: Any) -> None:
        self._found = output[0] if isinstance(output, tuple) else output


class TokenExtractor:
    """Image to a grid of patch tokens.

    Args:
        settings: which tokens, and how they are computed.
        network: the Vision Transformer, on the CPU.
        colours: mean and standard deviation of RGB, 0 to 1, which the network was trained with.
        device: where the network runs and the maps are.
        where: name of the weights, for messages.

    Raises:
        InputError: the side is no multiple of the patch, or there is no such layer.
    """

    def __init__(
        self, settings: TokenSettings, network: nn.Module, colours: tuple[Colour, Colour], device: str, where: str
    ) -> None:
        self.settings = settings
        self.device = device
        self.batch = settings.batch_on(device)
        reader = TokenReader(network, settings, where)
        if settings.side % reader.patch:
            raise InputError(
                f"{where}: side is {settings.side}, no multiple of its patch of {reader.patch}; choose one"
            )
        self.reader = settings.place(reader, device)
        self._mean, self._std = (torch.tensor(one, device=device)[:, None, None] for one in colours)
        self._batches = Batches(self.batch)

    def __call__(self, picture: Picture) -> FeatureMap:
        """Return the feature map of one image."""
        return self.many([picture], [0])[0]

    @torch.no_grad()
    def many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[FeatureMap]:
        """Return the feature map of each picture; ``seeds`` change nothing."""
        frame = self.settings.frame, self.settings.side
        return maps_in_frame(pictures, frame, self.pixels, self._batches, self.reader)

    def pixels(self, picture: Picture, box: Letterbox) -> Float[Tensor, "3 side side"]:
        """Return an image in the model frame, its colours normalised; padding is black before that."""
        placed = torch.from_numpy(box.place(picture.pixels)).to(self.device).permute(2, 0, 1)
        return (placed.float() / 255 - self._mean) / self._std


def _blocks(network: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the list of the network's blocks and its name; transformers calls it differently in every family."""
    count = network.config.num_hidden_layers  # type: ignore[union-attr]
    lists = [(name, one) for name, one in network.named_modules() if isinstance(one, nn.ModuleList)]
    return next((name, one) for name, one in lists if len(one) == count)


def _named(block: nn.Module, names: Sequence[str]) -> nn.Module:
    return next(module for name, module in block.named_modules() if name.rsplit(".", 1)[-1] in names)


def _final_norm(network: nn.Module) -> nn.Module:
    names = ("layernorm", "norm", "post_layernorm")
    return next(getattr(network, name) for name in names if hasattr(network, name))


def _interpolates_on_request(network: nn.Module) -> bool:
    forward: Callable[..., Any] = network.forward
    return "interpolate_pos_encoding" in inspect.signature(forward).parameters

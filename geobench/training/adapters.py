"""Loads post-processors: GeoAware-SC's checkpoints, those of its descendants DIY-SC and Jamais Vu, and our own.

Sizes are read off the state dict; beyond its known wrappings it must have exactly the network's keys and shapes.
GeoAware-SC's own loader takes whatever keys it knows and leaves the others at random (projection_network.py:77-93).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from geobench.errors import InputError
from geobench.features.state_dict import load_strictly, read_state_dict
from geobench.training.post_processor import NORM_GROUPS, PostProcessor

WRAPPINGS = ("state_dict", "model_state_dict", "aggregation_network", "model", "aggre_net")
"""Names below which training scripts put the state dict; a leading ``module.`` is taken off as well."""

_FIRST = re.compile(r"bottleneck_layers\.(\d+)\.0\.conv1\.weight")
_FIRST_CONVOLUTION = "bottleneck_layers.{}.0.conv1.weight"
_LAST_CONVOLUTION = "bottleneck_layers.0.0.conv3.weight"


def load_post_processor(path: Path, groups: Sequence[int] | None = None) -> PostProcessor:
    """Return the post-processor of a ``.safetensors`` or PyTorch file: float32, evaluation mode, on the CPU.

    Args:
        path: the file; nothing in it is unpickled but tensors.
        groups: channels of each group that it shall take; by default what its weights say.

    Raises:
        InputError: the file is absent or damaged, or is not exactly such a network; the message names the first key
            that differs and both shapes.
    """
    state = read_state_dict(path, WRAPPINGS)
    found, channels = sizes_of(state, str(path))
    return load_strictly(PostProcessor(groups or found, channels), state, str(path)).float().eval()


def sizes_of(state: Mapping[str, Tensor], where: str) -> tuple[tuple[int, ...], int]:
    """Return the channels of each group and of a descriptor that a state dict is for.

    Raises:
        InputError: it has no bottlenecks, a gap between them, or a width that this network does not have; ``where``
            names it.
    """
    numbers = sorted(int(found[1]) for found in map(_FIRST.fullmatch, state) if found)
    if not numbers:
        first = next(iter(state))
        raise InputError(
            f"{where}: {_FIRST_CONVOLUTION.format(0)} is missing (its first key: {first} {tuple(state[first].shape)}); "
            "these are not the weights of a post-processor, name GeoAware-SC's or a descendant's"
        )
    if numbers != list(range(len(numbers))):
        absent = next(number for number in range(len(numbers)) if number not in numbers)
        raise InputError(f"{where}: {_FIRST_CONVOLUTION.format(absent)} is missing; fetch the file again")
    firsts = [state[_FIRST_CONVOLUTION.format(number)] for number in numbers]
    for number, tensor in enumerate(firsts):
        if tensor.dim() != 4:
            raise InputError(
                f"{where}: {_FIRST_CONVOLUTION.format(number)} has shape {tuple(tensor.shape)}, a convolution has four "
                "axes; fetch the file again"
            )
    return tuple(tensor.shape[1] for tensor in firsts), _channels(state, firsts[0], where)


def _channels(state: Mapping[str, Tensor], first: Tensor, where: str) -> int:
    """Return the channels of a descriptor, in doubt those that the first convolution implies."""
    last = state.get(_LAST_CONVOLUTION)
    channels = last.shape[0] if last is not None and last.dim() else 4 * first.shape[0]
    if channels % (4 * NORM_GROUPS):
        raise InputError(
            f"{where}: {_LAST_CONVOLUTION} has {channels} output channels, a post-processor has a multiple of "
            f"{4 * NORM_GROUPS}; name the weights of one"
        )
    return channels

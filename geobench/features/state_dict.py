"""Reads state dicts without unpickling, and loads them strictly: the error names the first key that does not fit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.files import sha256_of

NetworkT = TypeVar("NetworkT", bound=nn.Module)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_state_dict(path: Path, wrappings: Sequence[str] = ("state_dict", "model")) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` file or of a PyTorch file, on the CPU.

    Args:
        path: the file.
        wrappings: names below which training scripts put the state dict; a leading ``module.`` is taken off too.

    Raises:
        InputError: the file is truncated, no weight file, or holds more than tensors.
    """
    held = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for name in wrappings:
        if isinstance(held.get(name), Mapping):
            held = dict(held[name])
    tensors = {str(key).removeprefix("module."): value for key, value in held.items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(
            f"{path}: holds no tensors (its keys: {', '.join(map(str, list(held)[:5]))}); name a state dict"
        )
    return tensors


def load_strictly(network: NetworkT, state: Mapping[str, Tensor], where: str) -> NetworkT:
    """Load a state dict that must have exactly the network's keys and shapes, and return the network.

    Raises:
        InputError: it has not; the message names the first key that differs and both shapes.
    """
    wanted = network.state_dict()
    for key, tensor in wanted.items():
        if key not in state:
            raise InputError(f"{where}: {key} {_shape(tensor)} is missing; {_other(network)}")
        if state[key].shape != tensor.shape:
            raise InputError(
                f"{where}: {key} has shape {_shape(state[key])}, the network has {_shape(tensor)}; {_other(network)}"
            )
    extra = next((key for key in state if key not in wanted), None)
    if extra is not None:
        raise InputError(f"{where}: {extra} {_shape(state[extra])} is not in the network; {_other(network)}")
    network.load_state_dict(dict(state))
    return network


def pretrained(cls: type[NetworkT], folder: Path) -> NetworkT:
    """Return a network that ``save_pretrained`` wrote, in float32 and evaluation mode.

    Raises:
        InputError: files are absent or damaged, or the first key that is missing or of another shape, by name.
    """
    loader: Any = cls
    try:
        network, info = loader.from_pretrained(
            folder, output_loading_info=True, ignore_mismatched_sizes=True, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder}: cannot be loaded as {cls.__name__} ({_first_line(error)}); fetch it again"
        ) from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise InputError(f"{folder}: the weights are truncated or damaged ({error}); fetch them again") from error
    for key, found, wanted in sorted(map(tuple, info.get("mismatched_keys", ()))):
        raise InputError(
            f"{folder}: {key} has shape {tuple(found)}, {cls.__name__} of its config.json has {tuple(wanted)}; these "
            "are the weights of another architecture, fetch the checkpoint's own"
        )
    for key in sorted(info.get("missing_keys", ())):
        raise InputError(f"{folder}: {key} is missing; these are not the weights of {cls.__name__}, fetch them again")
    return network.float().eval()


def digest_of_weights(path: Path) -> str:
    """Return the SHA-256 of a weight file, or of those of all weight files of a folder."""
    if path.is_file():
        return _sha256(path)
    files = sorted(path.glob("*.safetensors"))
    hashes = [_sha256(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file; the hub's cache names its large files by it."""
    name = path.resolve().name
    return name if _SHA256.fullmatch(name) else sha256_of(path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}: is truncated or no safetensors file ({error}); fetch it again") from error


def _read_torch(path: Path) -> dict[str, Any]:
    from pickle import UnpicklingError

    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(
            f"{path}: holds more than tensors and is not unpickled here; where you trust it, save its state dict with "
            "safetensors.torch.save_file and name that file"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path}: is truncated or no PyTorch file ({_first_line(error)}); fetch it again") from error
    if not isinstance(held, Mapping):
        raise InputError(f"{path}: holds {type(held).__name__}, not a state dict; name a file of weights")
    return dict(held)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _other(network: nn.Module) -> str:
    return f"these are not the weights of {type(network).__name__}, fetch the right ones"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

"""Reads state dicts without unpickling, and loads them strictly: the error names the first key that does not fit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import PROTO, UnpicklingError
from typing import Any, TypeVar
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.features.checkpoint import check_class, complete_folder, weight_files
from geobench.features.quiet import quiet_libraries
from geobench.files import sha256_of

NetworkT = TypeVar("NetworkT", bound=nn.Module)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_POINTER = b"version https://git-lfs"
_UNREAD = "pooler."  # a layer on the class token, which no feature reads and checkpoints such as DINO's leave out


def read_state_dict(path: Path, wrappings: Sequence[str] = ("state_dict", "model")) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` file or of a PyTorch file, on the CPU.

    Args:
        path: the file.
        wrappings: names below which training scripts put the state dict; a leading ``module.`` is taken off too.

    Raises:
        InputError: the file is absent, truncated, no weight file, or holds more than tensors.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of weights; fetch it")
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
    complete_folder(folder, "", cls.__name__)
    check_class(folder, cls)
    network, info = _from_pretrained(cls, folder)
    order = {key: place for place, key in enumerate(network.state_dict())}
    wrong = sorted(map(tuple, info.get("mismatched_keys", ())), key=lambda one: order.get(one[0], -1))
    for key, found, wanted in wrong:
        raise InputError(
            f"{folder}: {key} has shape {tuple(found)}, {cls.__name__} of its config.json has {tuple(wanted)}; these "
            "are the weights of another architecture, fetch the checkpoint's own"
        )
    missing = (key for key in info.get("missing_keys", ()) if not key.startswith(_UNREAD))
    for key in sorted(missing, key=lambda key: order.get(key, -1)):
        raise InputError(f"{folder}: {key} is missing; these are not the weights of {cls.__name__}, fetch them again")
    return network.float().eval()


def _from_pretrained(cls: type[NetworkT], folder: Path) -> tuple[NetworkT, Mapping[str, Any]]:
    """Return the network and what transformers or diffusers say of keys that did not fit."""
    loader: Any = cls
    files = weight_files(folder)
    try:
        with quiet_libraries():
            found: tuple[NetworkT, Mapping[str, Any]] = loader.from_pretrained(
                folder,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                use_safetensors=files[0].suffix == ".safetensors",
                local_files_only=True,
            )
            return found
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # each library raises its own
        for file in files:
            _check_readable(file)
        raise InputError(
            f"{folder}: cannot be loaded as {cls.__name__} ({_first_line(error)}); fetch it again"
        ) from error


def _check_readable(file: Path) -> None:
    """Raise the error of a damaged weight file, which the libraries hide or word each in its own way."""
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, framework="pt"):
                return
        except (SafetensorError, OSError) as error:
            raise _damaged(file, error) from error
    _read_torch(file)


def digest_of_weights(path: Path) -> str:
    """Return the SHA-256 of a weight file, or of those of the weight files of a folder that are read."""
    if path.is_file():
        return _sha256(path)
    hashes = [_sha256(file) for file in weight_files(path)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file; the hub's cache names its large files by it."""
    blob = path.resolve()
    return blob.name if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name) else sha256_of(path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> dict[str, Any]:
    try:
        with quiet_libraries():
            held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged files it raises nearly anything
        if isinstance(error, UnpicklingError) and _is_pickle(path):
            raise InputError(
                f"{path}: holds more than tensors and is not unpickled here; where you trust it, save its state dict "
                "with safetensors.torch.save_file and name that file"
            ) from error
        # An UnpicklingError as the cause says that the file is a pickle with more than tensors in it.
        raise _damaged(path, error) from (None if isinstance(error, UnpicklingError) else error)
    if not isinstance(held, Mapping):
        raise InputError(f"{path}: holds {type(held).__name__}, not a state dict; name a file of weights")
    return dict(held)


def _is_pickle(path: Path) -> bool:
    """Return whether a file is a PyTorch archive or a bare pickle, of protocol 2 or later."""
    with path.open("rb") as stream:
        return is_zipfile(path) or stream.read(1) == PROTO


def _damaged(path: Path, error: Exception) -> InputError:
    with path.open("rb") as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            return InputError(f"{path}: is a pointer of git-lfs, not the weights; run `git lfs pull` in its folder")
    kind = "safetensors" if path.suffix == ".safetensors" else "PyTorch"
    return InputError(f"{path}: is truncated or no {kind} file ({_first_line(error)}); fetch it again")


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _other(network: nn.Module) -> str:
    return f"these are not the weights of {type(network).__name__}, fetch the right ones"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

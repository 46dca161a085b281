"""Folders that ``save_pretrained`` wrote: which files hold the weights, whether all are there, whose they are.

Of the copies that checkpoints keep side by side (``.fp16.``, ``.non_ema.``, ``.bin``) one is read: full precision, in
safetensors, or where there are none (``openai/clip-vit-large-patch14-336``) in PyTorch's ``.bin``, never unpickled.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from geobench.errors import InputError
from geobench.files import read_json_object

SAFE = ("model.safetensors", "diffusion_pytorch_model.safetensors")
"""Names that transformers and diffusers give their weight files."""

PICKLED = ("pytorch_model.bin", "diffusion_pytorch_model.bin")
"""The same, of old."""


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files of a network's folder that are read, shards in order; none where one of them is missing.

    Raises:
        InputError: the index of the shards cannot be read.
    """
    for name in (*SAFE, *PICKLED):
        if (folder / name).is_file():
            return [folder / name]
        if (folder / f"{name}.index.json").is_file():
            shards = _shards(folder / f"{name}.index.json")
            return shards if all(shard.is_file() for shard in shards) else []
    return []


def is_complete(folder: Path) -> bool:
    """Return whether a folder holds a network with all its weights, or a tokenizer.

    Raises:
        InputError: the index of the shards cannot be read.
    """
    if (folder / "config.json").is_file():
        return bool(weight_files(folder))
    return (folder / "tokenizer_config.json").is_file()


def complete_folder(path: Path, subfolder: str, where: str) -> Path:
    """Return the folder of a network or tokenizer that a user named.

    Args:
        path: itself, the folder of a checkpoint with ``subfolder``, or a folder of the hub's cache (``models--…``).
        subfolder: folder of the network in diffusers' layout, or nothing.
        where: who named it, for the message.

    Raises:
        InputError: it is not there, or is not whole; the message says what is missing.
    """
    kept = sorted((path / "snapshots").glob("*/"))
    path = kept[0] if len(kept) == 1 else path
    folder = path / subfolder if (path / subfolder).is_dir() else path
    remedy = "name the folder that `hf download` or save_pretrained wrote"
    if not folder.is_dir():
        raise InputError(f"{where}: {folder} is {'a file' if folder.is_file() else 'not there'}; {remedy}")
    if not any((folder / mark).is_file() for mark in ("config.json", "tokenizer_config.json")):
        raise InputError(f"{where}: {folder} has no config.json; {remedy}")
    if not is_complete(folder):
        raise InputError(f"{where}: {folder} has no {_first_missing(folder)}; fetch it into that folder")
    return folder


def _first_missing(folder: Path) -> str:
    """Return the name of the first weight file that is not there."""
    for name in (*SAFE, *PICKLED):
        if (folder / f"{name}.index.json").is_file():
            return next(shard.name for shard in _shards(folder / f"{name}.index.json") if not shard.is_file())
    return " or ".join(SAFE)


def check_class(folder: Path, cls: type[nn.Module]) -> None:
    """Refuse a folder whose ``config.json`` describes another network than ``cls``.

    diffusers names the class, transformers the kind of model; half of CLIP may be read from the whole.

    Raises:
        InputError: it is another, or ``config.json`` cannot be read.
    """
    config = read_json_object(folder / "config.json")
    said = config.get("model_type") or config.get("_class_name")
    wanted = _kinds(cls)
    if said and wanted and said not in wanted:
        raise InputError(
            f"{folder}: its config.json describes {said!r}, and {cls.__name__} needs {wanted[0]!r}; these are the "
            "weights of another architecture, name the folder of the right checkpoint"
        )


def _kinds(cls: type[nn.Module]) -> tuple[str, ...]:
    """Return what a ``config.json`` may call a class; nothing where that is not known."""
    kind = getattr(getattr(cls, "config_class", None), "model_type", None)
    if kind:
        return kind, kind.removesuffix("_vision_model").removesuffix("_text_model")
    return (cls.__name__,) if cls.__module__.startswith("diffusers.") else ()


def _shards(index: Path) -> list[Path]:
    named = read_json_object(index).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise InputError(f"{index}: names no files under weight_map; fetch it again")
    return sorted({index.parent / str(name) for name in named.values()})

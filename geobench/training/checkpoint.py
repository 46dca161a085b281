"""The state of a training in one file, from which it goes on as if it had never stopped.

A safetensors file: tensors of the network, of AdamW and of the objective's own parameters; what else there is stands in
its header as JSON. Nothing is pickled, and the file is written whole or not at all.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.files import whole_file

STATE = "state.safetensors"
WEIGHTS = "post_processor.safetensors"
LAST = "last.safetensors"


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        step: steps done.
        identity: what may not change when training goes on: recipe, benchmark, pairs, seed, and how many processes.
        capacity: how many descriptions could be held, which orders the pairs.
        best: the best validation PCK so far, None before the first.
        best_step: the step it was reached at.
    """

    step: int
    identity: dict[str, Any]
    capacity: int
    best: float | None = None
    best_step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_weights(network: nn.Module, path: Path, about: dict[str, str]) -> None:
    """Write a network's weights; ``about`` goes to the file's header.

    Raises:
        GeobenchError: the disk is full; what was there before is still there.
    """
    _save(_tensors(network), path, about)


def save_state(
    path: Path, network: nn.Module, objective: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write everything that training needs to go on.

    Raises:
        GeobenchError: the disk is full; what was there before is still there.
    """
    tensors = {f"network.{name}": value for name, value in _tensors(network).items()}
    tensors |= {f"objective.{name}": value for name, value in _tensors(objective).items()}
    for number, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value.detach().cpu().contiguous() for name, value in values.items()}
    _save(tensors, path, {"progress": json.dumps(asdict(progress))})


def read_progress(path: Path) -> Progress:
    """Return how far the training whose state is at ``path`` was.

    Raises:
        InputError: the file is damaged or not ours.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            return Progress(**json.loads((stored.metadata() or {})["progress"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not the state of a training ({error}); pass --fresh to begin again") from error


def restore_state(path: Path, network: nn.Module, objective: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Load the state at ``path`` into network, objective and optimiser.

    Raises:
        InputError: it is the state of others.
    """
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
    try:
        network.load_state_dict(_part(tensors, "network"))
        objective.load_state_dict(_part(tensors, "objective"))
        optimiser.load_state_dict(optimiser.state_dict() | {"state": _numbered(_part(tensors, "optimiser"))})
    except (RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{path}: the state is another network's; pass --fresh to begin again") from error


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def _numbered(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    found: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        found.setdefault(int(number), {})[name] = value
    return found


def _save(tensors: dict[str, Tensor], path: Path, about: dict[str, str]) -> None:
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, about)
        except SafetensorError as error:  # it hides the error of the disk in its text
            number = errno.ENOSPC if f"os error {errno.ENOSPC}" in str(error) else errno.EIO
            raise OSError(number, os.strerror(number)) from error
        temporary.chmod(0o644)  # safetensors keeps its files to the user

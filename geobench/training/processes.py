"""What the processes of a training tell each other beside gradients; with one process nothing is sent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, gather_object, patch_environment

from geobench.evaluation.memory import allowed_bytes
from geobench.training.losses import LossTerms

_PATIENCE = timedelta(days=1)
"""How long a process waits for the others: the first one validates alone, and torch's ten minutes may be too short."""


def accelerator_for(device: str, precision: str) -> Accelerator:
    """Return what knows this process's device, its precision and the other processes.

    Accelerate keeps both of a process's first training for all that follow, and takes a device with a number from the
    environment alone; so what it kept is dropped, and the environment says ``device``.

    Args:
        device: as the user gave it; of several processes, each has the device of its own number.
        precision: ``no``, ``bf16`` or ``fp16``.
    """
    patience = InitProcessGroupKwargs(timeout=_PATIENCE)
    alone = "LOCAL_RANK" not in os.environ
    AcceleratorState._reset_state(reset_partial_state=alone)
    with patch_environment(accelerate_torch_device=device) if alone else nullcontext():
        return Accelerator(mixed_precision=precision, cpu=device == "cpu", kwargs_handlers=[patience])


def own_memory(accelerator: Accelerator, memory: int | None, device: str) -> int:
    """Return the bytes that descriptions of this process may take.

    Args:
        accelerator: of the training.
        memory: what the user allows each process; None for an equal share of what is free where descriptions are.
        device: where they are.
    """
    allowed = allowed_bytes(memory, device, 0)
    shared = memory is None and device == "cpu" and accelerator.num_processes > 1
    return allowed // int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes)) if shared else allowed


def least(accelerator: Accelerator, number: int) -> int:
    """Return the least of the processes' numbers."""
    return int(accelerator.gather(torch.tensor([number], device=accelerator.device)).min())


def first_said(accelerator: Accelerator, words: Sequence[str]) -> str:
    """Return the first of the words that any process says; empty where none says one."""
    said = gather_object(list(words)) if accelerator.num_processes > 1 else list(words)
    return str(said[0]) if said else ""


@dataclass(frozen=True, eq=False)
class Total:
    """Adds up the losses of all processes.

    Attributes:
        accelerator: of the training.
        names: every part that a loss can have, the same on all processes.
    """

    accelerator: Accelerator
    names: Sequence[str]

    def __call__(self, terms: LossTerms, own: int, total: int) -> LossTerms:
        """Return the loss of the whole batch, without gradient; one that is not finite makes it so everywhere.

        Args:
            terms: the loss of this process's pairs.
            own: how many those are; with none, ``terms`` says nothing.
            total: how many pairs the batch has.
        """
        if self.accelerator.num_processes == 1:
            return terms
        counts = terms.counts if own else {}
        zero = torch.zeros((), device=terms.total.device)
        sums = [terms.parts[name].float() * counts[name] if name in counts else zero for name in self.names]
        loss = terms.total.detach().float() * own if own else zero
        sent = torch.stack([loss, *sums, *(zero + counts.get(name, 0) for name in self.names)])
        summed = self.accelerator.reduce(sent, "sum")
        found, amounts = summed[1:].reshape(2, -1)
        there = [(name, int(n), one) for name, n, one in zip(self.names, amounts, found, strict=True) if n > 0]
        return LossTerms(
            summed[0] / total, {name: one / n for name, n, one in there}, {name: n for name, n, _ in there}
        )

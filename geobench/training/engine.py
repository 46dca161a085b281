"""One step of training: network, loss, AdamW and its schedule, on one device or several (Hugging Face accelerate)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from geobench.errors import GeobenchError
from geobench.seeding import seed_everything, seed_for
from geobench.training.losses import LossTerms, Objective, batch_loss
from geobench.training.post_processor import PostProcessor
from geobench.training.processes import Total, first_said
from geobench.training.settings import TrainingSettings
from geobench.training.views import ShownPair


class NotFiniteError(GeobenchError):
    """The loss or a gradient is NaN or infinite."""


class Engine:
    """Trains a post-processor step by step.

    Dropout and perturbations are drawn from the seed, the step and the process, so that a step does not depend on how
    training came there.

    Args:
        network: the post-processor.
        objective: the loss of a pair.
        settings: of the training.
        steps: how many there will be in all.
        accelerator: devices and precision.
        seed: of everything that is drawn.
    """

    def __init__(
        self,
        network: PostProcessor,
        objective: Objective,
        settings: TrainingSettings,
        steps: int,
        accelerator: Accelerator,
        seed: int,
    ) -> None:
        self.accelerator, self.seed = accelerator, seed
        self.network, self.objective = network.train(), objective.to(accelerator.device)
        trained = [one for one in (*network.parameters(), *objective.parameters()) if one.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.wrapped, self.optimiser = accelerator.prepare(self.network, optimiser)
        self.schedule = _schedule(optimiser, settings, steps)
        self._total = Total(accelerator, objective.part_names)

    @property
    def plain_optimiser(self) -> torch.optim.Optimizer:
        """AdamW itself."""
        found: Any = self.optimiser
        return found.optimizer

    def wind(self, steps: int) -> None:
        """Move the schedule to where it is after so many steps."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it wants a step of AdamW before each of its own
            for _ in range(steps):
                self.schedule.step()

    def step(self, number: int, pairs: Sequence[ShownPair], names: Sequence[str], total: int) -> LossTerms:
        """Do a step, and return the loss of the whole batch.

        Args:
            number: of the step, from 0.
            pairs: this process's share of the batch.
            names: what each pair is called.
            total: how many pairs the batch has on all processes.

        Raises:
            NotFiniteError: the loss or a gradient is NaN or infinite; the weights are those before the step.
        """
        seed = seed_for(self.seed, "step", str(number), str(self.accelerator.process_index))
        seed_everything(seed)
        generator = torch.Generator().manual_seed(seed)
        with self.accelerator.autocast():
            terms = batch_loss(self.wrapped, self.objective, pairs, self.network.scale, generator)
        whole = self._total(terms, len(names), total)
        self._check(whole.total, number, pairs, names)
        # Averaged over processes below, so that each pair of the batch weighs the same.
        share = len(names) * self.accelerator.num_processes / total
        self.optimiser.zero_grad()
        self.accelerator.backward(terms.total * share)
        self._average_objective()
        self._check_gradients(number, names)
        self.optimiser.step()
        self.schedule.step()
        return whole

    def _average_objective(self) -> None:
        """Average the gradients of the objective's own parameters, which nothing wraps."""
        if self.accelerator.num_processes > 1:
            for parameter in self.objective.parameters():
                if parameter.grad is not None:
                    parameter.grad = self.accelerator.reduce(parameter.grad, "mean")

    def _check(self, loss: Tensor, number: int, pairs: Sequence[ShownPair], names: Sequence[str]) -> None:
        if math.isfinite(float(loss.detach())):
            return
        wrong = []
        with torch.no_grad(), self.accelerator.autocast():
            for pair, name in zip(pairs, names, strict=False):
                if not math.isfinite(float(batch_loss(self.network, self.objective, [pair], self.network.scale).total)):
                    wrong.append(name)
        named = first_said(self.accelerator, wrong) or first_said(self.accelerator, names)
        raise NotFiniteError(_sentence("loss", number, named))

    def _check_gradients(self, number: int, names: Sequence[str]) -> None:
        if self.accelerator.mixed_precision == "fp16":
            return  # the scaler skips such a step and goes on with a smaller factor
        norms = [one.grad.norm() for one in self.network.parameters() if one.grad is not None]
        if not math.isfinite(float(torch.stack(norms).sum())):
            named = first_said(self.accelerator, [", ".join(names)])  # the same gradients on all processes
            raise NotFiniteError(_sentence("gradient", number, named))


def _sentence(what: str, number: int, pair: str) -> str:
    return (
        f"step {number + 1}: the {what} of pair {pair} is not finite; training stopped with the weights before it, in "
        "last.safetensors; lower learning_rate, or train in float32"
    )


def _schedule(optimiser: torch.optim.Optimizer, settings: TrainingSettings, steps: int) -> LRScheduler:
    if settings.schedule == "constant":
        return LambdaLR(optimiser, lambda _: 1.0)
    return OneCycleLR(optimiser, settings.learning_rate, total_steps=max(steps, 2), pct_start=settings.warm_up)

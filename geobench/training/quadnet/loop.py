"""The optimisation: AdamW with one cycle, one thread and deterministic algorithms, so that weights repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from geobench.features.quadnet_network import QuadNet
from geobench.training.quadnet.augment import augmented
from geobench.training.quadnet.objective import Heads, bearing, contrast
from geobench.training.quadnet.views import Views


@dataclass(frozen=True)
class Plan:
    """How quadnet is trained.

    Attributes:
        steps: number of batches.
        batch: pictures per batch.
        rate: highest learning rate of the cycle.
        seed: of the first weights, the order of pictures, their changes, and the cells drawn.
    """

    steps: int = 2400
    batch: int = 8
    rate: float = 2e-3
    seed: int = 0


def train(views: Views, plan: Plan, report: Callable[[int, float, float], None] | None = None) -> dict[str, Tensor]:
    """Return the trained network's state dict, float32; the same on the same machine with the same torch.

    Leaves torch's seed, number of threads (one) and deterministic mode set: it is meant for a process of its own.

    Args:
        views: the training pictures.
        plan: the settings.
        report: told the step, the contrastive loss and that of the heads.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # slow, read by nothing
    torch.manual_seed(plan.seed)
    generator = torch.Generator().manual_seed(plan.seed)
    network, heads = QuadNet().to(memory_format=torch.channels_last), Heads()  # type: ignore[call-overload]
    parameters = [*network.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=0.02)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.rate, total_steps=plan.steps, pct_start=0.15)
    order = _order(len(views.pictures), plan, generator)
    for step in range(plan.steps):
        batch = augmented(views, order[step], generator)
        channels = network(batch.pixels.contiguous(memory_format=torch.channels_last))
        alike, stance = contrast(channels, batch, generator), bearing(heads(channels), batch)
        optimiser.zero_grad()
        torch.autograd.backward(alike + stance)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        cycle.step()
        if report is not None:
            report(step, alike.item(), stance.item())
    return {name: value.detach().contiguous() for name, value in network.state_dict().items()}


def _order(count: int, plan: Plan, generator: torch.Generator) -> Tensor:
    """Return the pictures of every batch [steps, batch]: all of them once, in random order, then again."""
    rounds = -(-plan.steps * plan.batch // count)
    order = torch.cat([torch.randperm(count, generator=generator) for _ in range(rounds)])
    return order[: plan.steps * plan.batch].reshape(plan.steps, plan.batch)

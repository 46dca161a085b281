"""Goes through groups of pairs in an order that memory allows, and says in advance what that costs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from geobench.errors import GeobenchWarning, UsageError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.eviction import Schedule, once
from geobench.evaluation.memory import allowed_bytes, size_option, size_text
from geobench.evaluation.plan import Plan, make_plan
from geobench.evaluation.row_lists import RowLists
from geobench.methods.stored import poses_of
from geobench.seeding import seed_for


class Walk:
    """A way through groups of pairs; iterating over it describes what the next group needs and yields its number.

    The first ``trial`` groups come first. After them it is known how large a description is, what it computes when a
    match needs it included, and the rest is planned. Predictions do not depend on the order.

    Args:
        descriptions: who describes.
        groups: the rows that each group needs at the same time.
        memory: how many bytes all descriptions together may take; None for a share of the free memory.
        trial: how many groups show how large a description is.

    Attributes:
        planned: how many descriptions are to be made before each group.
        size: bytes of a description; 0 before it is known, and where descriptions share all they have.
    """

    def __init__(self, descriptions: Descriptions, groups: RowLists, memory: int | None = None, trial: int = 1) -> None:
        self.descriptions, self.groups, self.memory, self.trial = descriptions, groups, memory, trial
        self.batch = descriptions.method.batch
        self._begun = once(groups, self.batch)
        self.planned: Int[np.ndarray, " g"] = self._begun.described.lengths
        self.size = 0

    def __iter__(self) -> Iterator[int]:
        """Yield the number of each group.

        Raises:
            InputError: an image is missing or unreadable, or the feature store cannot be used.
            UsageError: the memory allowed is too small for one group.
        """
        numbers = np.arange(len(self.groups))
        yield from self._follow(numbers[: self.trial], self._begun)
        rest = self.groups.take(numbers[self.trial :])
        if len(rest):
            plan = self._plan(rest)
            self.planned[self.trial + plan.order] = plan.schedule.described.lengths
            yield from self._follow(self.trial + plan.order, plan.schedule)
        self.descriptions.forget(list(self.descriptions.held))

    def _follow(self, numbers: Int[np.ndarray, " g"], schedule: Schedule) -> Iterator[int]:
        for step, number in enumerate(numbers.tolist()):
            self.descriptions.forget(schedule.forgotten[step].tolist())
            self.descriptions.describe(schedule.described[step].tolist())
            yield number

    def _plan(self, rest: RowLists) -> Plan:
        """Return the plan of the groups after the trial, and say what it costs."""
        from geobench.features.footprint import described_bytes, device_of

        held = self.descriptions.held
        self.size = described_bytes(list(held.values()))
        if not self.size:
            return make_plan(rest, None, self.batch, np.array(sorted(held), np.int64))
        self._announce_store()
        device = device_of(next(iter(held.values())))
        allowed = allowed_bytes(self.memory, device, self.size * len(held))
        plan = make_plan(rest, self._capacity(rest, allowed), self.batch, np.array(sorted(held), np.int64))
        self._announce(plan, allowed)
        return plan

    def _capacity(self, rest: RowLists, allowed: int) -> int:
        least = int(rest.lengths.max())
        if self.memory is not None and allowed < least * self.size:
            raise UsageError(
                f"--memory {size_text(self.memory)}: {least} descriptions of {size_text(self.size)} each are needed at "
                f"the same time; allow {size_option(least * self.size)} or more"
            )
        return max(allowed // self.size, least)

    def _announce(self, plan: Plan, allowed: int) -> None:
        """Warn when images will be described more than once."""
        images = len(np.unique(self.groups.rows))
        total = int(self.planned[: self.trial].sum()) + plan.schedule.n_described
        if total <= images:
            return
        what = "described" if self.descriptions.store is None else "described, or read from the store,"
        warnings.warn(
            f"descriptions of {size_text(self.size)} each: {min(allowed // self.size, plan.schedule.peak):,} of "
            f"{images:,} images fit into {size_text(allowed)}; {images:,} images will be {what} {total / images:.1f} "
            f"times on average ({total:,} in all; with --memory {size_option(plan.enough * self.size)} each once)",
            GeobenchWarning,
            stacklevel=2,
        )

    def _announce_store(self) -> None:
        """Say how large the feature store will be, and refuse to begin what the disk cannot hold."""
        from geobench.evaluation.store_size import announce_store

        work = self.descriptions
        if work.store is not None:
            pictures = [work.benchmark.picture(row) for row in np.unique(self.groups.rows).tolist()]
            seeds = [seed_for(work.seed, picture.key) for picture in pictures]
            announce_store(work.store, pictures, seeds, poses_of(work.method))

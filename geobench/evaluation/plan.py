"""The plan of an evaluation: in which order groups of pairs are matched, and when each image is described.

Whatever the order, predictions are the same: groups depend on the job alone, and predictions are sorted at the end.
What the order decides is how many descriptions are held at a time, or how many images are described again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from geobench.evaluation.eviction import Schedule, once, scheduled
from geobench.evaluation.locality import by_component, components, fewest_absent_first
from geobench.evaluation.row_lists import RowLists

COMPARED = 20_000
"""With more groups in a component than that, its own order was never the better one, and comparing takes seconds."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done in which order.

    Attributes:
        order: the groups, in the order in which they are matched.
        schedule: which rows are described and forgotten before each of them.
        enough: with room for how many descriptions every row would be described once.
    """

    order: Int[np.ndarray, " g"]
    schedule: Schedule
    enough: int


def make_plan(
    groups: RowLists, capacity: int | None = None, batch: int = 1, held: Int[np.ndarray, " h"] | None = None
) -> Plan:
    """Return the plan of groups of pairs: their own order where memory allows, else one with few descriptions.

    Args:
        groups: the rows that each group needs at the same time.
        capacity: how many descriptions can be held at a time, not fewer than the largest group needs; None: all.
        batch: how many images are described together.
        held: rows whose descriptions are there at the start.
    """
    own = once(groups, batch, held)
    if capacity is None or own.peak <= capacity:
        return Plan(np.arange(len(groups)), own, own.peak)
    parts = by_component(components(groups))
    apart = np.concatenate(parts)
    schedule = once(groups.take(apart), batch, held)
    enough = min(own.peak, schedule.peak)
    if schedule.peak > capacity:
        apart = np.concatenate([part[_order(groups.take(part), capacity, held)] for part in parts])
        schedule = scheduled(groups.take(apart), capacity, batch, held)
    return Plan(apart, schedule, enough)


def _order(groups: RowLists, capacity: int, held: Int[np.ndarray, " h"] | None) -> Int[np.ndarray, " g"]:
    """Return the better of two orders of the groups of one component."""
    own = np.arange(len(groups))
    if len(np.unique(groups.rows)) <= capacity:
        return own
    near = fewest_absent_first(groups, capacity, held)
    if len(groups) > COMPARED:
        return near
    as_it_is, nearer = (scheduled(groups.take(order), capacity, held=held) for order in (own, near))
    return near if nearer.n_described < as_it_is.n_described else own

"""The plan: every group once, never more descriptions than fit, counted as they are made, few of them twice."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.evaluation import locality
from geobench.evaluation.eviction import Schedule, once, scheduled
from geobench.evaluation.locality import by_component, components, fewest_absent_first
from geobench.evaluation.plan import Plan, make_plan
from geobench.evaluation.row_lists import RowLists

Cases = st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=4), min_size=1, max_size=25)


def row_lists(groups: list[set[int]]) -> RowLists:
    return RowLists.of([sorted(group) for group in groups])


def replay(groups: RowLists, schedule: Schedule, capacity: int, held: set[int]) -> int:
    """Go through a schedule, check that what each group needs is there, and return the most that was held."""
    peak, held = 0, set(held)
    for number in range(len(groups)):
        forgotten, described = schedule.forgotten[number].tolist(), schedule.described[number].tolist()
        assert len(forgotten) == len(set(forgotten))
        assert held.issuperset(forgotten)
        held.difference_update(forgotten)
        assert held.isdisjoint(described)
        held.update(described)
        assert held.issuperset(groups[number].tolist())
        assert len(held) <= capacity
        peak = max(peak, len(held))
    return peak


@given(Cases, st.integers(0, 6), st.integers(1, 5), st.sets(st.integers(0, 11), max_size=6))
def test_a_plan_does_every_group_once_within_its_capacity(
    groups: list[set[int]], spare: int, batch: int, held: set[int]
) -> None:
    lists = row_lists(groups)
    capacity = max(map(len, groups)) + spare
    plan = make_plan(lists, capacity, batch, np.array(sorted(held), np.int64))
    assert sorted(plan.order.tolist()) == list(range(len(groups)))
    assert replay(lists.take(plan.order), plan.schedule, capacity, held) == plan.schedule.peak
    made = plan.schedule.times(12)
    assert made.sum() == plan.schedule.n_described
    needed = np.isin(np.arange(12), lists.rows) & ~np.isin(np.arange(12), sorted(held))
    assert (made[needed] >= 1).all()


@given(Cases, st.integers(1, 5), st.sets(st.integers(0, 11), max_size=6))
def test_where_all_fits_groups_keep_their_order_and_each_row_is_described_once(
    groups: list[set[int]], batch: int, held: set[int]
) -> None:
    lists, there = row_lists(groups), np.array(sorted(held), np.int64)
    for plan in (make_plan(lists, 30, batch, there), make_plan(lists, None, batch, there)):
        assert plan.order.tolist() == list(range(len(groups)))
        assert replay(lists, plan.schedule, 30, held) == plan.schedule.peak
        assert plan.schedule.times(12).tolist() == [int(row in set().union(*groups) - held) for row in range(12)]


@given(Cases, st.integers(1, 5))
def test_batches_are_full_where_all_fits(groups: list[set[int]], batch: int) -> None:
    sizes = once(row_lists(groups), batch).described.lengths
    incomplete = sizes[sizes % batch > 0]
    assert len(incomplete) <= 1  # the last one
    assert not len(incomplete) or not sizes[np.flatnonzero(sizes % batch)[0] + 1 :].any()


@given(Cases, st.integers(0, 4))
def test_room_for_enough_is_enough(groups: list[set[int]], spare: int) -> None:
    lists = row_lists(groups)
    enough = make_plan(lists, max(map(len, groups)) + spare).enough
    assert make_plan(lists, enough).schedule.times(12).max() == 1


def least_recently_used(groups: RowLists, capacity: int) -> int:
    """Count the descriptions made when what has not been used for the longest time gives way."""
    used: dict[int, int] = {}
    made = 0
    for number in range(len(groups)):
        rows = groups[number].tolist()
        missing = [row for row in rows if row not in used]
        for row in sorted(used.keys() - set(rows), key=used.__getitem__)[: max(0, len(used) + len(missing) - capacity)]:
            del used[row]
        made += len(missing)
        used |= dict.fromkeys(rows, number)
    return made


@given(Cases, st.integers(0, 6))
def test_the_farthest_use_gives_way_better_than_the_oldest(groups: list[set[int]], spare: int) -> None:
    lists, capacity = row_lists(groups), max(map(len, groups)) + spare
    assert scheduled(lists, capacity).n_described <= least_recently_used(lists, capacity)


def fewest_possible(groups: list[frozenset[int]], capacity: int) -> int:
    """Try every way to forget, for groups in a given order."""

    @cache
    def rest(number: int, held: frozenset[int]) -> int:
        if number == len(groups):
            return 0
        missing, others = groups[number] - held, sorted(held - groups[number])
        room = capacity - len(groups[number])
        kept = combinations(others, min(room, len(others)))
        return len(missing) + min(rest(number + 1, groups[number] | frozenset(some)) for some in kept)

    return rest(0, frozenset())


@settings(max_examples=60)
@given(st.lists(st.frozensets(st.integers(0, 5), min_size=1, max_size=2), min_size=1, max_size=10), st.integers(0, 2))
def test_no_way_to_forget_needs_fewer_descriptions(groups: list[frozenset[int]], spare: int) -> None:
    capacity = max(map(len, groups)) + spare
    assert scheduled(RowLists.of([sorted(g) for g in groups]), capacity).n_described == fewest_possible(
        groups, capacity
    )


@given(Cases, st.integers(0, 6))
def test_a_plan_is_never_worse_than_the_order_it_was_given(groups: list[set[int]], spare: int) -> None:
    lists, capacity = row_lists(groups), max(map(len, groups)) + spare
    assert make_plan(lists, capacity).schedule.n_described <= scheduled(lists, capacity).n_described


def all_pairs(n: int, first: int = 0) -> list[set[int]]:
    return [{first + i, first + j} for i in range(n) for j in range(i)]


def times_per_image(plan: Plan, n: int) -> float:
    return plan.schedule.n_described / n


def test_categories_that_fit_are_taken_one_after_the_other() -> None:
    mixed = [group for both in zip(all_pairs(10), all_pairs(10, 10), strict=True) for group in both]
    plan = make_plan(row_lists(mixed), 12)
    assert plan.schedule.times(20).tolist() == [1] * 20
    assert plan.enough == 10
    assert components(row_lists(mixed))[plan.order].tolist() == [0] * 45 + [1] * 45


def test_a_category_that_does_not_fit_takes_close_to_the_fewest_descriptions() -> None:
    rng = np.random.default_rng(0)
    groups = [all_pairs(60)[i] for i in rng.permutation(1770)]
    plan, capacity = make_plan(row_lists(groups), 20), 20
    # A description that is made meets at most 19 others: 1770 / 19 at least, 1.6 per image.
    assert times_per_image(plan, 60) < 2.6
    assert scheduled(row_lists(groups), capacity).n_described / 60 > 15


def test_without_patience_the_rest_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locality, "PATIENCE", 3)
    groups = row_lists(all_pairs(20))
    order = fewest_absent_first(groups, 5)
    assert sorted(order.tolist()) == list(range(190))
    assert (np.diff(order[30:]) > 0).all()


def test_components_come_in_the_order_of_their_first_groups() -> None:
    groups = row_lists([{7, 8}, {1, 2}, {8, 9}, {2, 3}, {5}])
    assert [part.tolist() for part in by_component(components(groups))] == [[0, 2], [1, 3], [4]]


def test_row_lists() -> None:
    lists = RowLists.distinct(np.array([1, 0, 1, 1, 0]), np.array([5, 3, 4, 5, 9]), 3)
    assert [lists[i].tolist() for i in range(3)] == [[3, 9], [4, 5], []]
    assert lists.gather(np.array([1, 0])).tolist() == [4, 5, 3, 9]
    assert lists.take(np.array([2, 1])).lengths.tolist() == [0, 2]
    inverted = lists.inverted(10)
    assert [row for row in range(10) if len(inverted[row])] == [3, 4, 5, 9]
    assert inverted[5].tolist() == [1]
    empty = RowLists.of([])
    assert (len(empty), empty.take(np.zeros(0, np.int64)).rows.tolist()) == (0, [])
    assert make_plan(empty, 3).order.tolist() == []

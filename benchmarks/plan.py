"""How often images are described when memory holds few descriptions, and how long it takes to plan that.

    .venv/bin/python benchmarks/plan.py [--spair LAYOUT] [--capacity 50 --capacity 100 ...]

Pair lists: the cross-family test split, the three test splits together and the training split of the synthetic set of
AP-10K's size (benchmarks/build_ap10k.py), and SPair-71k's own large lists (pairs only) where their folder is there.
Pairs are matched alone, or up to 16 together that share the image answered in, as a session groups them.

Two references, in the same run. The pairs' own order, with what is needed last giving way, which is the best that can
be done in that order. And a bound: what is described meets at most ``capacity - 1`` others, so that the number of
distinct pairs divided by that, and the number of images, are too few or just enough.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from build_ap10k import write_synthetic

from geobench.evaluation.eviction import scheduled
from geobench.evaluation.plan import make_plan
from geobench.evaluation.row_lists import RowLists, joined
from geobench.evaluation.session import grouped

Ends = tuple[np.ndarray, np.ndarray]
SPAIR = Path(__file__).parents[2] / "shared" / "data" / "spair-layout"


def ap10k_lists() -> Iterator[tuple[str, list[Ends]]]:
    """Yield splits of a set of AP-10K's size: name, and source and target rows of each split."""
    from geobench.builders.options import build_benchmark
    from geobench.catalog import find_card

    with tempfile.TemporaryDirectory() as folder, warnings_off():
        benchmark = build_benchmark(find_card("ap10k"), write_synthetic(Path(folder) / "raw"))
    ends = {name: (pairs.source, pairs.target) for name, pairs in benchmark.splits.items()}
    yield "AP-10K size, test/cross-family", [ends["test/cross-family"]]
    yield "AP-10K size, three test splits", [ends[name] for name in benchmark.test_splits()]
    yield "AP-10K size, train", [ends["train"]]


def warnings_off() -> AbstractContextManager[object]:
    """Return a context in which the absence of the images is not warned about."""
    import warnings

    return warnings.catch_warnings(action="ignore")


def spair_lists(folder: Path) -> Iterator[tuple[str, list[Ends]]]:
    """Yield SPair-71k's pair lists (``number-source-target_category`` per line), images numbered within them."""
    for split in ("test", "trn"):
        lines = (folder / "large" / f"{split}.txt").read_text().split()
        ends = [[(name.rpartition("_")[2], image) for image in _images(name)] for name in lines]
        numbers = {image: number for number, image in enumerate(dict.fromkeys(one for pair in ends for one in pair))}
        rows = np.array([[numbers[image] for image in pair] for pair in ends])
        yield f"SPair-71k, {split}", [(rows[:, 0], rows[:, 1])]


def _images(name: str) -> list[str]:
    return name.rpartition("_")[0].split("-")[1:]


def needed_rows(ends: Ends, together: bool) -> RowLists:
    """Return the rows that each group of pairs needs."""
    source, target = ends
    positions = np.arange(len(source))
    groups = grouped(positions, target) if together else RowLists(np.arange(len(source) + 1), positions)
    rows = np.concatenate([source[groups.rows], target[groups.rows]]).astype(np.int64)
    return RowLists.distinct(np.tile(groups.owner, 2), rows, len(groups))


def bound(splits: list[Ends], images: int, capacity: int) -> float:
    """Return with how many descriptions per image no order can do."""
    pairs = np.concatenate([np.sort(np.stack(ends), axis=0) for ends in splits], axis=1)
    distinct = len(np.unique(pairs[:, pairs[0] != pairs[1]], axis=1).T)
    return max(1.0, distinct / (capacity - 1) / images)


def rows_of(name: str, splits: list[Ends], capacities: list[int]) -> None:
    """Print the figures of one list at each capacity, for pairs alone and together."""
    for together in (False, True):
        groups = joined([needed_rows(ends, together) for ends in splits])
        images, pairs = len(np.unique(groups.rows)), sum(len(source) for source, _ in splits)
        print(f"\n{name}, {'up to 16 pairs together' if together else 'pairs alone'}: ", end="")
        print(f"{pairs:,} pairs in {len(groups):,} groups, {images:,} images")
        for capacity in capacities:
            start = time.process_time()
            plan = make_plan(groups, capacity)
            seconds = time.process_time() - start
            own = scheduled(groups, capacity).n_described
            print(f"  room for {capacity:4}: {plan.schedule.n_described / images:6.2f} per image, ", end="")
            print(f"own order {own / images:6.2f}, bound {bound(splits, images, capacity):5.2f}; ", end="")
            print(f"planned in {seconds:.1f} CPU s; {plan.enough:,} would be enough")


def memory_row(splits: list[Ends], capacity: int) -> None:
    """Print how much memory planning takes (as Python and NumPy allocate it)."""
    groups = needed_rows(splits[0], together=False)
    tracemalloc.start()
    make_plan(groups, capacity)
    print(f"\nplanning {len(groups):,} pairs takes {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB at its peak")
    tracemalloc.stop()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spair", type=Path, default=SPAIR, help="folder with large/test.txt and large/trn.txt")
    parser.add_argument("--capacity", type=int, action="append", help="descriptions that fit; may be repeated")
    arguments = parser.parse_args()
    capacities = arguments.capacity or [50, 100, 200, 500]
    lists = list(ap10k_lists())
    if arguments.spair.is_dir():
        lists += spair_lists(arguments.spair)
    for name, splits in lists:
        rows_of(name, splits, capacities)
    memory_row(lists[2][1], capacities[0])
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

"""How long matching takes, against a plain transcription of the documented procedures, in the same run.

    .venv/bin/python benchmarks/matching.py [--pairs 10000]

1. Window soft-argmax, 60 x 60 cells, 768 channels, 8 query points. Reference: the whole 3600 x 3600 similarity, every
   row's window, softmax and expectation, then the query points' rows are picked.
2. Upsampled nearest, 500 x 375 images, 48 x 48 cells, 1280 channels, 8 query points. Reference: both maps interpolated
   to the images' size, normalised, every pixel compared. Peak memory of each in a process of its own.
3. Matching and scoring of many pairs with descriptions in memory (60 maps in turn, 660 MB, which no cache holds).
   Reference: reading the same number of target maps once (their sum), the least that any matching must do.

Best of several repetitions, all of them in this process, on at most two threads.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.runner import run_sessions
from geobench.evaluation.runs import load_run
from geobench.evaluation.scoring import score_run
from geobench.evaluation.session import Session
from geobench.features.feature_map import FeatureMap, PooledMaps, unit_length
from geobench.features.letterbox import Letterbox
from geobench.instances import Instances
from geobench.matching import upsampled_nearest, window_soft_argmax
from geobench.methods.base import LoadedMethod
from geobench.picture import Picture
from geobench.skeleton import Skeleton

POINTS = 8


def best(call: Callable[[], object], repetitions: int) -> float:
    """Return the least seconds of several calls."""
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def maps(count: int, channels: int, grid: int, letterbox: Letterbox) -> list[FeatureMap]:
    """Return random maps of unit length."""
    generator = torch.Generator().manual_seed(0)
    return [
        FeatureMap(unit_length(torch.randn(channels, grid, grid, generator=generator)), letterbox) for _ in range(count)
    ]


def stream(some: list[FeatureMap]) -> float:
    """Return the seconds it takes to read one of the maps from memory once."""
    return best(lambda: [one.features.sum() for one in some], 5) / len(some)


def plain_window(source: FeatureMap, target: FeatureMap, points: torch.Tensor, side: int = 15) -> torch.Tensor:
    """Return the answers by the documented procedure: the whole table first (reference/geoaware-sc.md, 2)."""
    similarity = source.columns.T @ target.columns
    cells = torch.arange(3600)
    row, column = similarity.argmax(dim=1) // 60, similarity.argmax(dim=1) % 60
    near = (cells // 60 - row[:, None]).abs() <= side // 2
    near &= (cells % 60 - column[:, None]).abs() <= side // 2
    chance = torch.softmax((similarity * near) / 0.02, dim=1)
    place = torch.stack([chance @ (cells % 60).float(), chance @ (cells // 60).float()], dim=1)
    return place[source.cells(points)].clamp(0, 59) * 14 + 7


def window_row() -> None:
    """Print how much faster window soft-argmax is, and how far it is from reading the target map once."""
    some = maps(24, 768, 60, Letterbox.pad((840, 840), 840))
    points = torch.rand(POINTS, 2, generator=torch.Generator().manual_seed(1)) * 840
    match = window_soft_argmax.Matcher(window_soft_argmax.Settings(window=15, masked="zero", padding="searched"))
    gap = (match(some[0], some[1], points) - plain_window(some[0], some[1], points)).abs().max()
    ours = best(lambda: [match(a, b, points) for a, b in pairwise(some)], 7) / (len(some) - 1)
    slow = best(lambda: plain_window(some[0], some[1], points), 3)
    print(f"window soft-argmax      {1e3 * ours:8.2f} ms, plain {1e3 * slow:8.0f} ms: {slow / ours:5.0f} times faster")
    print(f"  answers differ by at most {gap:.1e} px; bound: 11.1 MB of target map from memory, ", end="")
    print(f"{1e3 * stream(some):.2f} ms here ({ours / stream(some):.1f} times that)")


def plain_upsampled(source: FeatureMap, target: FeatureMap, points: torch.Tensor) -> torch.Tensor:
    """Return the answers by the documented procedure: both maps at the images' size (reference/features.md, B)."""
    width, height = target.letterbox.image
    a, b = (
        F.interpolate(one.features[None], (height, width), mode="bilinear", align_corners=False)[0]
        for one in (source, target)
    )
    x, y = points.long().unbind(1)
    queries = F.normalize(a[:, y, x].T, dim=1)
    where = (queries @ F.normalize(b, dim=0).flatten(1)).argmax(dim=1)
    return torch.stack([where % width, where // width], dim=1).float()


def upsampled_case() -> tuple[list[FeatureMap], torch.Tensor]:
    """Return maps of images of 500 x 375 pixels, and whole-pixel query points."""
    some = maps(12, 1280, 48, Letterbox.squash((500, 375), 768))
    points = torch.rand(POINTS, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([500.0, 375.0])
    return some, points.floor()


def extra_memory(name: str, answer: multiprocessing.Queue[float]) -> None:
    """Measure in this process by how much memory grows while one pair is matched (sampled every millisecond)."""
    call = plain_upsampled if name == "plain" else upsampled_nearest.Matcher(upsampled_nearest.Settings())
    small = maps(2, 16, 48, Letterbox.squash((20, 15), 768))
    call(small[0], small[1], torch.zeros(1, 2))  # libraries load what they need
    some, points = upsampled_case()
    before, peak, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.001):
            peak[0] = max(peak[0], resident())

    thread = threading.Thread(target=watch)
    thread.start()
    call(some[0], some[1], points)
    done.set()
    thread.join()
    answer.put(max(peak[0], resident()) - before)


def resident() -> float:
    """Return the resident memory of this process in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def memory_of(name: str) -> float:
    """Return the extra memory in MB of ``ours`` or ``plain``, measured in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=extra_memory, args=(name, answer))
    process.start()
    megabytes = answer.get()
    process.join()
    return megabytes


def upsampled_row() -> None:
    """Print how much faster and smaller upsampled-nearest is, with lengths made anew for every target and kept."""
    some, points = upsampled_case()
    match = upsampled_nearest.Matcher(upsampled_nearest.Settings())
    pairs = list(pairwise(some))

    def fresh() -> None:
        for a, b in pairs:
            match(a, FeatureMap(b.features, b.letterbox), points)

    ours, kept = best(fresh, 5) / len(pairs), best(lambda: [match(a, b, points) for a, b in pairs], 5) / len(pairs)
    slow = best(lambda: plain_upsampled(some[0], some[1], points), 2)
    same = int((match(some[0], some[1], points) == plain_upsampled(some[0], some[1], points)).all(dim=1).sum())
    print(f"upsampled-nearest       {1e3 * ours:8.2f} ms, plain {1e3 * slow:8.0f} ms: {slow / ours:5.0f} times faster")
    print(
        f"  {same} of {POINTS} answers the same; {1e3 * kept:.2f} ms when the target was seen before; bounds: ", end=""
    )
    print(f"11.8 MB of target map, {1e3 * stream(some):.2f} ms; {POINTS * 500 * 375 / 1e6:.1f} million similarities")
    print(f"  peak extra memory {memory_of('ours'):.0f} MB, plain {memory_of('plain'):.0f} MB")


class InMemory:
    """A method whose descriptions are made: ``describe`` hands them out, ``match`` is window soft-argmax."""

    name = "in-memory"

    def __init__(self, some: list[FeatureMap]) -> None:
        self.maps = some
        self.matcher = window_soft_argmax.Matcher(window_soft_argmax.Settings())

    def describe(self, picture: Picture) -> FeatureMap:
        """Return the map of the picture's number."""
        return self.maps[int(picture.key)]

    def match(self, source: FeatureMap, target: FeatureMap, points: torch.Tensor) -> torch.Tensor:
        """Return the matcher's answers."""
        return self.matcher(source, target, points)

    matches_many = True

    def match_many(
        self, sources: Sequence[FeatureMap], target: FeatureMap, points: Sequence[torch.Tensor]
    ) -> Sequence[torch.Tensor]:
        """Return the matcher's answers for several sources, as a recipe's method does."""
        counts = [len(some) for some in points]
        return torch.split(self.matcher(PooledMaps(sources, counts), target, torch.cat(list(points))), counts)


def many_pairs(n_pairs: int, n_maps: int) -> Benchmark:
    """Return a benchmark of ``n_pairs`` pairs, targets in turn, eight keypoints visible everywhere."""
    rng = np.random.default_rng(0)
    table = Instances.from_columns(
        id=[str(row) for row in range(n_maps)],
        image=[f"{row}.png" for row in range(n_maps)],
        size=np.full((n_maps, 2), 840),
        bbox=np.tile([100.0, 100.0, 600.0, 600.0], (n_maps, 1)),
        category=["animal"] * n_maps,
        keypoints=rng.uniform(100, 700, (n_maps, POINTS, 2)),
        visibility=np.full((n_maps, POINTS), 2),
    )
    skeleton = Skeleton(tuple(f"k{number}" for number in range(POINTS)), {"paw": (0, 1, 2, 3)})
    number = np.arange(n_pairs)
    pairs = Pairs(
        ((number * 7 + 1) % n_maps).astype(np.int32), (number % n_maps).astype(np.int32), np.full(n_pairs, "animal")
    )
    card = Card(name="many", title="m", version=1, builder="b", threshold="bbox", licence="-", citation="-")
    return Benchmark("many", card, {"*": skeleton}, table, {"test": pairs}, "bbox", Path())


def pairs_row(n_pairs: int) -> None:
    """Print how long matching and scoring of ``n_pairs`` take, in units of streaming their target maps."""
    some = maps(60, 768, 60, Letterbox.pad((840, 840), 840))
    benchmark = many_pairs(n_pairs, len(some))
    method = LoadedMethod(InMemory(some), "in-memory", "In memory", "", "benchmark")
    streamed = stream(some) * n_pairs
    with tempfile.TemporaryDirectory() as folder:
        job = Job(method, benchmark, "test", find_protocol("default"))
        start = time.perf_counter()
        session = Session(job, job.folder(Path(folder)))
        run_sessions([session])
        run = load_run(session.folder)
        matched = time.perf_counter() - start
        score_run(run, benchmark)
        total = time.perf_counter() - start
    streamed = min(streamed, stream(some) * n_pairs)
    print(f"{n_pairs:,} pairs: matched {matched:.1f} s (matchers {run.record.cost.match_s:.1f} s), ", end="")
    print(
        f"scored {total - matched:.2f} s; streaming {n_pairs * 11.06 / 1e3:.0f} GB of target maps: {streamed:.1f} s: "
    )
    print(f"  ratio {total / streamed:.2f}; per pair {1e6 * (total - streamed) / n_pairs:.0f} us beyond streaming")


def main() -> None:
    """Print the three rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    arguments = parser.parse_args()
    torch.set_num_threads(min(2, torch.get_num_threads()))
    window_row()
    upsampled_row()
    pairs_row(arguments.pairs)


if __name__ == "__main__":
    main()

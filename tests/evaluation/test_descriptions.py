"""Images are described in full batches, within the memory allowed, as often as the plan says; results never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import geobench
from geobench.benchmark import Benchmark, Pairs
from geobench.errors import GeobenchWarning, InputError, UsageError
from geobench.evaluation.descriptions import Descriptions
from geobench.evaluation.job import Job
from geobench.evaluation.parts import PartStore
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.row_lists import RowLists
from geobench.evaluation.runner import predict_jobs
from geobench.evaluation.runs import Run
from geobench.evaluation.walk import Walk
from geobench.methods.base import LoadedMethod
from geobench.methods.family import family_members, find_family
from geobench.methods.loader import load_method
from geobench.picture import Picture
from geobench.seeding import seed_for
from tests.conftest import SMALL_FEATURES, make_tiny_benchmark

SMALL = SMALL_FEATURES + '[matcher]\nkind = "window-soft-argmax"\n'
BYTES = 128 * 8 * 8 * 4
IMAGES = 12


class Batched:
    """Describes by random numbers of its own seed, and remembers what it was asked for."""

    name = "batched"
    batch = 4

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.seeds: dict[str, int] = {}

    def describe(self, picture: Picture) -> Any:
        return self.describe_many([picture], [torch.initial_seed()])[0]

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Any]:
        self.calls.append([picture.key for picture in pictures])
        self.seeds |= {picture.key: seed for picture, seed in zip(pictures, seeds, strict=True)}
        together = torch.stack([torch.rand(64, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        return [one * picture.pixels.mean() for one, picture in zip(together.unbind(), pictures, strict=True)]

    def match(self, source: torch.Tensor, target: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return points + source[:2] - target[:2]


class Fails(Batched):
    """Cannot describe one of the images, alone or together with others."""

    name = "fails"

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Any]:
        if any(picture.key == "003" for picture in pictures):
            raise ValueError("not this one")
        return super().describe_many(pictures, seeds)


class Short(Batched):
    name = "short"

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Any]:
        return super().describe_many(pictures, seeds)[:-1]


def loaded(method: Any) -> LoadedMethod:
    return LoadedMethod(method, method.name, method.name, "", "tests")


@pytest.fixture
def many(tmp_path: Path) -> Benchmark:
    return make_tiny_benchmark(tmp_path / "raw", n=IMAGES)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "small.toml").write_text(SMALL)
    return str(tmp_path / "small.toml")


def bytes_of(run: Run) -> bytes:
    return (run.folder / "predictions.parquet").read_bytes()


def test_batches_are_full_seeded_by_image_and_each_image_is_in_one(many: Benchmark, tmp_path: Path) -> None:
    method = Batched()
    run = geobench.predict(loaded(method), many, runs=tmp_path / "runs")
    assert [len(call) for call in method.calls] == [4, 4, 4]
    assert sorted(key for call in method.calls for key in call) == sorted(many.instances.id)
    assert method.seeds == {key: seed_for(0, key) for key in many.instances.id}
    assert run.record.cost.n_described == run.record.cost.n_planned == IMAGES


def test_the_last_picture_fills_up_the_last_batch(tmp_path: Path) -> None:
    method = Batched()
    geobench.predict(loaded(method), make_tiny_benchmark(tmp_path / "raw", n=6), runs=tmp_path / "runs")
    assert [len(call) for call in method.calls] == [4, 4]
    assert len(set(method.calls[1])) == 2
    assert method.calls[1][1:] == method.calls[1][1:2] * 3


def test_a_batch_gives_what_one_image_alone_gives(many: Benchmark, tmp_path: Path) -> None:
    together, alone = Batched(), Batched()
    alone.batch = 1  # type: ignore[misc]
    runs = [geobench.predict(loaded(method), many, runs=tmp_path / f"{method.batch}") for method in (together, alone)]
    assert [len(call) for call in alone.calls] == [1] * IMAGES
    assert bytes_of(runs[0]) == bytes_of(runs[1])


def test_a_description_keeps_no_other_of_its_batch_in_memory(many: Benchmark) -> None:
    descriptions = Descriptions(loaded(Batched()), many, 0)
    descriptions.describe([0, 1, 2, 3, 4])
    assert [one.untyped_storage().nbytes() for one in descriptions.held.values()] == [256] * 5
    descriptions.forget([1, 2, 99])
    assert sorted(descriptions.held) == [0, 3, 4]
    assert (descriptions.n_described, descriptions.peak_held) == (5, 5)


def test_one_that_cannot_be_described_takes_no_other_along(many: Benchmark, tmp_path: Path) -> None:
    run = geobench.predict(loaded(Fails()), many, runs=tmp_path / "runs")
    pairs, bad = many.split("test"), int(np.flatnonzero(many.instances.id == "003")[0])
    assert run.record.n_pairs_failed == int(((pairs.source == bad) | (pairs.target == bad)).sum()) > 0
    assert run.record.first_failure == "ValueError: not this one"
    assert run.record.cost.n_described == IMAGES - 1


def test_too_few_descriptions_are_named(many: Benchmark, tmp_path: Path) -> None:
    record = geobench.predict(loaded(Short()), many, runs=tmp_path / "runs").record
    assert record.status == "failed"
    assert record.first_failure == "GeobenchError: short: describe_many returned 3 descriptions of 4 pictures"


def test_an_unreadable_image_in_a_batch_stops_the_run(many: Benchmark, tmp_path: Path) -> None:
    (many.image_root / "images" / "004.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"004\.png"):
        geobench.predict(loaded(Batched()), many, runs=tmp_path / "runs")


@pytest.mark.parametrize("held", [6, 7, 9])
def test_where_categories_fit_each_image_is_described_once(
    many: Benchmark, tmp_path: Path, recipe: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = geobench.predict(recipe, many, runs=tmp_path / "whole")
    assert whole.record.cost.n_described == IMAGES
    method = load_method(recipe)
    made: list[str] = []
    describe = method.method.describe
    monkeypatch.setattr(method.method, "describe", lambda picture: (made.append(picture.key), describe(picture))[1])
    run = geobench.predict(method, many, runs=tmp_path / "runs", memory=held * whole.record.cost.description_bytes)
    assert bytes_of(run) == bytes_of(whole)
    cost = run.record.cost
    assert len(made) == cost.n_described == cost.n_planned == IMAGES  # each category fits
    assert cost.peak_held <= held


def crowded(folder: Path) -> Benchmark:
    """Return a benchmark of twelve images, all of which are paired with each other."""
    benchmark = make_tiny_benchmark(folder, n=IMAGES)
    rng = np.random.default_rng(0)
    both = rng.permutation(rng.permuted(np.array(list(combinations(range(IMAGES), 2)), np.int32), axis=1))
    pairs = Pairs(both[:, 0].copy(), both[:, 1].copy(), np.full(len(both), "cat"))
    return replace(benchmark, splits={"test": pairs})


class Alone:
    """Matches a recipe's features pair by pair, so that a group needs two images."""

    name = "alone"

    def __init__(self, recipe: str) -> None:
        inner: Any = load_method(recipe).method
        self.describe, self.match, self.made = inner.describe, inner.match, 0


@pytest.mark.parametrize("stop_after", [1, 20, 50])
def test_a_cut_and_another_budget_change_no_byte(
    tmp_path: Path, recipe: str, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    benchmark = crowded(tmp_path / "raw")
    method = loaded(Alone(recipe))
    whole = geobench.predict(method, benchmark, runs=tmp_path / "whole")
    kept, add = [], PartStore.add

    def cut(self: PartStore, pair: int, *rest: Any) -> None:
        if len(kept) == stop_after:
            raise KeyboardInterrupt
        kept.append(pair)
        add(self, pair, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(PartStore, "add", cut)
        with (
            pytest.raises(KeyboardInterrupt),
            pytest.warns(GeobenchWarning, match="5 of 12 images"),
        ):
            geobench.predict(method, benchmark, runs=tmp_path / "cut", memory=5 * BYTES + 2000)
    with pytest.warns(GeobenchWarning, match="will be described"):
        resumed = geobench.predict(method, benchmark, runs=tmp_path / "cut", memory=3 * BYTES + 2000)
    assert bytes_of(resumed) == bytes_of(whole)
    assert resumed.record.cost.n_described > IMAGES


def test_the_warning_says_what_will_happen_and_what_would_avoid_it(tmp_path: Path, recipe: str) -> None:
    benchmark, method = crowded(tmp_path / "raw"), loaded(Alone(recipe))
    with pytest.warns(GeobenchWarning) as warned:
        run = geobench.predict(method, benchmark, runs=tmp_path / "few", memory=4 * BYTES + 2000)
    (sentence,) = [str(one.message) for one in warned]
    cost = run.record.cost
    assert sentence.startswith("descriptions of 32.8 kB each: 4 of 12 images fit into 133.1 kB; 12 images will be ")
    assert f"described {cost.n_described / 12:.1f} times on average ({cost.n_described} in all; " in sentence
    advice = sentence.split("--memory ")[1].split(" ")[0]
    roomy = geobench.predict(method, benchmark, runs=tmp_path / "all", memory=advice)
    assert roomy.record.cost.n_described == IMAGES
    assert bytes_of(roomy) == bytes_of(run)


@pytest.mark.parametrize("held", [10, 11])
def test_memory_changes_how_often_images_are_described_and_nothing_else(tmp_path: Path, recipe: str, held: int) -> None:
    benchmark = crowded(tmp_path / "raw")
    whole = geobench.predict(recipe, benchmark, runs=tmp_path / "whole")
    with pytest.warns(GeobenchWarning, match=f"{held} of 12 images fit"):
        few = geobench.predict(
            recipe, benchmark, runs=tmp_path / "few", memory=held * whole.record.cost.description_bytes
        )
    assert bytes_of(few) == bytes_of(whole)
    assert few.record.cost.n_described == few.record.cost.n_planned > IMAGES
    assert few.record.cost.peak_held == held


def test_memory_too_small_for_one_group_is_refused(many: Benchmark, tmp_path: Path, recipe: str) -> None:
    with pytest.raises(
        UsageError, match=r"--memory 40\.0 kB: 6 descriptions of 32\.\d kB .*; allow 19\d\.\dkB or more"
    ):
        geobench.predict(recipe, many, runs=tmp_path / "runs", memory="40kB")
    with pytest.raises(UsageError, match="--memory much"):
        geobench.predict(recipe, many, runs=tmp_path / "runs", memory="much")


def test_methods_that_share_descriptions_share_the_plan(tmp_path: Path, recipe: str) -> None:
    benchmark = crowded(tmp_path / "raw")
    members = family_members(recipe, find_family("inference"))
    jobs = [Job(one, benchmark, "test", find_protocol("default"), limit=16) for one in (members[0], *members[-2:])]
    whole = predict_jobs(jobs, tmp_path / "whole")
    size = whole[0].record.cost.description_bytes
    assert size > 2 * BYTES  # the mirrored picture's features too
    with pytest.warns(GeobenchWarning, match="5 of 11 images fit"):  # sixteen pairs show eleven of the twelve
        few = predict_jobs(jobs, tmp_path / "few", memory=6 * size - 1)
    assert [bytes_of(run) for run in few] == [bytes_of(run) for run in whole]
    costs = [run.record.cost for run in few]
    assert sum(cost.n_described for cost in costs) == sum(cost.n_planned for cost in costs) > 11
    assert max(cost.peak_held for cost in costs) == 5


def test_aligned_methods_describe_together(many: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "turned.toml").write_text(SMALL + "[alignment]\n")
    method = load_method(str(tmp_path / "turned.toml"))
    pictures = [many.picture(row) for row in range(3)]
    found = method.method.describe_many(pictures, [7, 8, 9])  # type: ignore[attr-defined]
    assert method.batch == 1
    for picture, described in zip(pictures, found, strict=True):
        alone = method.describe(picture)
        assert torch.equal(described.map().features, alone.map().features)
        assert described.picture is picture


def test_a_walk_yields_every_group_when_its_descriptions_are_there(many: Benchmark) -> None:
    descriptions = Descriptions(loaded(Batched()), many, 0)
    groups = RowLists.of([[0, 1], [2, 3], [1, 2], *map(list, combinations(range(1, IMAGES), 2))])
    walk = Walk(descriptions, groups, memory=5 * 256, trial=3)
    seen = []

    def go() -> None:
        for number in walk:
            assert descriptions.held.keys() >= set(groups[number].tolist())
            seen.append(number)

    with pytest.warns(GeobenchWarning, match="5 of 12 images fit into 1.3 kB") as warned:
        go()
    assert f"({descriptions.n_described} in all;" in str(warned[0].message)  # image 0, forgotten by then, included
    assert seen[:3] == [0, 1, 2]
    assert sorted(seen) == list(range(len(groups)))
    assert walk.planned.sum() == descriptions.n_described
    assert descriptions.peak_held <= 5
    assert not descriptions.held

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.benchmark import Benchmark, Pairs
from geobench.fingerprint import canonical_json
from geobench.instances import Instances
from geobench.skeleton import Skeleton
from tests.builders.ap10k_cases import GOLDENS, build, unpack
from tests.conftest import make_tiny_benchmark

NUMBERS = ("bbox", "keypoints", "azimuth", "width", "height", "visibility")
TEXTS = ("id", "image", "category", "family", "mask", "record")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return make_tiny_benchmark(tmp_path_factory.mktemp("tiny"))


def with_pairs(benchmark: Benchmark, pairs: Pairs) -> Benchmark:
    return replace(benchmark, splits={**benchmark.splits, "test": pairs})


@settings(max_examples=60, deadline=None)
@given(data=st.data(), field=st.sampled_from(NUMBERS))
def test_any_number_of_any_instance_counts(made: Benchmark, data: st.DataObject, field: str) -> None:
    column = getattr(made.instances, field).copy()
    place = data.draw(st.integers(0, column.size - 1))
    # One step to the next number that the column can hold.
    value = column.flat[place]
    column.flat[place] = np.nextafter(value, np.float32(1e6)) if column.dtype.kind == "f" else value + 1
    assert replace(made, instances=replace(made.instances, **{field: column})).fingerprint != made.fingerprint


@settings(max_examples=30, deadline=None)
@given(data=st.data(), field=st.sampled_from(TEXTS))
def test_any_text_of_any_instance_counts(made: Benchmark, data: st.DataObject, field: str) -> None:
    column = getattr(made.instances, field).astype("<U40")
    place = data.draw(st.integers(0, column.size - 1))
    column[place] = f"{column[place]}x"
    assert replace(made, instances=replace(made.instances, **{field: column})).fingerprint != made.fingerprint


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_pair_and_the_order_of_pairs_count(made: Benchmark, data: st.DataObject) -> None:
    pairs = made.split("test")
    place = data.draw(st.integers(0, len(pairs) - 1))
    swapped, relabelled = np.arange(len(pairs)), pairs.category.astype("<U40")
    swapped[[place, place - 1]] = swapped[[place - 1, place]]
    relabelled[place] = "other"
    source, target = pairs.source.copy(), pairs.target.copy()
    source[place], target[place] = target[place], source[place]
    others = [
        pairs.take(swapped),
        pairs.take(np.delete(np.arange(len(pairs)), place)),
        Pairs(source, target, pairs.category),
        Pairs(pairs.source, pairs.target, relabelled),
    ]
    for other in others:
        assert with_pairs(made, other).fingerprint != made.fingerprint


def test_groups_mirror_threshold_recipe_and_names_count(made: Benchmark) -> None:
    skeleton = made.skeletons["*"]
    names = skeleton.names
    others = [
        Skeleton(names, {}, skeleton.mirror),
        Skeleton(names, {"paw": (1, 3)}, skeleton.mirror),
        Skeleton(names, skeleton.groups, ()),
        Skeleton(("snout", *names[1:]), skeleton.groups, skeleton.mirror),
    ]
    changed = [
        *(replace(made, skeletons={"*": other}) for other in others),
        replace(made, threshold="image"),
        replace(made, recipe={"seed": 1}),
        replace(made, name="other"),
        replace(made, card=made.card.model_copy(update={"version": 2})),
        replace(made, splits={"val": made.split("test")}),
    ]
    assert len({made.fingerprint, *(one.fingerprint for one in changed)}) == len(changed) + 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_count(made: Benchmark, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(made.instances))
    rank = np.argsort(order).astype(np.int32)
    columns = {name: column[order] for name, column in vars(made.instances).items()}
    pairs = made.split("test")
    moved = Pairs(rank[pairs.source], rank[pairs.target], pairs.category)
    assert replace(with_pairs(made, moved), instances=Instances(**columns)).fingerprint == made.fingerprint


def test_folder_provenance_and_title_do_not_count(made: Benchmark, tmp_path: Path) -> None:
    other = replace(
        made,
        image_root=tmp_path,
        provenance={"warnings": ["x"]},
        card=made.card.model_copy(update={"title": "Another title", "description": "new"}),
    )
    assert other.fingerprint == made.fingerprint


def test_minus_zero_is_zero(made: Benchmark) -> None:
    zero, minus = made.instances.bbox.copy(), made.instances.bbox.copy()
    zero[0, 0], minus[0, 0] = 0.0, -0.0
    prints = [replace(made, instances=replace(made.instances, bbox=box)).fingerprint for box in (zero, minus)]
    assert prints[0] == prints[1]


@pytest.mark.parametrize("seed", [1, 2])
def test_files_copied_in_another_order_and_place_give_the_same_benchmark(tmp_path: Path, seed: int) -> None:
    first = unpack(GOLDENS / "small" / "input", tmp_path / "first")
    files = [path for path in first.rglob("*") if path.is_file()]
    random.Random(seed).shuffle(files)
    second = tmp_path / "elsewhere" / "second"
    for path in files:
        (second / path.relative_to(first)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, second / path.relative_to(first))
    one, other = build(first)[0], build(second)[0]
    assert one.fingerprint == other.fingerprint
    one_folder, other_folder = one.save(tmp_path / "one"), other.save(tmp_path / "other")
    for path in sorted(one_folder.rglob("*.parquet")):
        assert path.read_bytes() == (other_folder / path.relative_to(one_folder)).read_bytes(), path.name


def test_canonical_json_has_one_form() -> None:
    assert (
        canonical_json({"b": 1, "a": [1.5, "é"]})
        == canonical_json({"a": [1.5, "é"], "b": 1})
        == ('{"a":[1.5,"é"],"b":1}'.encode())
    )

"""Templates and targets: from a folder of names, from azimuth; what is refused; the twelve real images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.pose_awareness import DistanceSettings, pose_distances
from geobench.evaluation.pose_templates import AZIMUTHS, chosen_templates, find_targets, folder_templates
from geobench.evaluation.pose_vote import FRONT, LEFT, RIGHT, VIEWS, correct, vote
from geobench.methods.loader import load_method
from tests.conftest import SHARED, make_tiny_benchmark, needs_shared


def turned(folder: Path, azimuth: list[float]) -> Benchmark:
    """Return a tiny benchmark with these azimuths; even rows are dogs, odd ones cats."""
    benchmark = make_tiny_benchmark(folder, n=len(azimuth))
    instances = replace(benchmark.instances, azimuth=np.array(azimuth, np.float32))
    return replace(benchmark, instances=instances)


def write_images(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (6, 4)).save(folder / name)
    return folder


def test_a_folder_gives_one_set_per_name(tmp_path: Path) -> None:
    names = [f"{one}_{view}.png" for one in ("tabby_cat", "cow") for view in VIEWS]
    write_images(tmp_path, *names)
    (tmp_path / "README.md").write_text("not an image")
    sets = folder_templates(tmp_path)
    assert [one.name for one in sets] == ["cow", "tabby_cat"]
    assert [p.path.name for p in sets[1].pictures] == [f"tabby_cat_{view}.png" for view in VIEWS]
    assert sets[0].pictures[0].box == (0, 0, 6, 4)


def test_left_may_mean_the_right_side(tmp_path: Path) -> None:
    write_images(tmp_path, *(f"cow_{view}.png" for view in VIEWS))
    names = [p.path.stem for p in folder_templates(tmp_path, "right-side")[0].pictures]
    assert names == ["cow_back", "cow_front", "cow_right", "cow_left"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no templates"),
        (["cow_back.png", "cow_front.png", "cow_left.png"], "no image cow_right"),
        (["cow_back.png", "cow_bakc.png"], "did you mean back"),
        (["back.png"], "<set>_<view>"),
        (["cow_back.png", "cow_back.jpg"], "twice"),
    ],
)
def test_a_folder_that_is_not_complete_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        folder_templates(write_images(tmp_path / "t", *names))


def test_a_template_that_is_no_image_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path, *(f"cow_{view}.png" for view in VIEWS))
    (tmp_path / "cow_left.png").write_text("text")
    with pytest.raises(InputError, match=r"cow_left.*not a readable image"):
        folder_templates(tmp_path)


def test_templates_are_the_nearest_and_of_distinct_categories(tmp_path: Path) -> None:
    #         dog  cat  dog  cat  dog  cat  dog  cat  dog  cat
    azimuth = [170, 181, 359, 4, 91, 80, 265, 272, 181, 2]
    sets = chosen_templates(turned(tmp_path, azimuth), 2, 22.5)
    assert [(one.name, one.rows) for one in sets] == [("dog", (8, 2, 4, 6)), ("cat", (1, 9, 5, 7))]
    with pytest.raises(InputError, match="only 2 sets"):
        chosen_templates(turned(tmp_path, azimuth), 3, 22.5)


def test_targets_are_near_a_view_and_no_templates(tmp_path: Path) -> None:
    azimuth = [180, 350, 0, 45, 90, 112, 270, 248, np.nan, 22.5]
    benchmark = turned(tmp_path, azimuth)
    sets = chosen_templates(benchmark, 1, 22.5)
    assert sets[0].rows == (0, 2, 4, 6)
    targets = find_targets(benchmark, 22.5, sets)
    assert targets.rows.tolist() == [1, 5, 7, 9]
    assert targets.truth.tolist() == [FRONT, LEFT, RIGHT, FRONT]
    assert find_targets(benchmark, 45.0, sets, unseen_categories=True).rows.tolist() == [1, 3, 5, 7, 9]


def test_instances_in_an_image_of_a_template_are_no_targets(tmp_path: Path) -> None:
    benchmark = turned(tmp_path, [180, 0, 0, 0, 90, 90, 270, 270])
    image = benchmark.instances.image.copy()
    image[1] = image[0]
    benchmark = replace(benchmark, instances=replace(benchmark.instances, image=image))
    assert find_targets(benchmark, 10.0, chosen_templates(benchmark, 1, 10.0)).rows.tolist() == [3, 5, 7]


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    benchmark = turned(tmp_path, [np.nan] * 8)
    with pytest.raises(InputError, match="azimuth"):
        chosen_templates(benchmark, 1, 22.5)
    with pytest.raises(UsageError, match="--tolerance"):
        find_targets(benchmark, 46.0, [])
    with pytest.raises(InputError, match="left as a target"):
        find_targets(turned(tmp_path, [45.0] * 8), 10.0, [])


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return make_tiny_benchmark(tmp_path_factory.mktemp("eight"))


@given(view=st.integers(0, 3), off=st.floats(-22, 22), turns=st.integers(0, 2))
def test_a_view_is_the_nearest_azimuth_all_around(eight: Benchmark, view: int, off: float, turns: int) -> None:
    azimuth = np.full(8, (AZIMUTHS[view] + off) % 360 + 360 * turns, np.float32)
    instances = replace(eight.instances, azimuth=azimuth)
    assert set(find_targets(replace(eight, instances=instances), 22.5, []).truth.tolist()) == {view}


@needs_shared
def test_two_colours_tell_the_view_of_the_third_real_cat() -> None:
    """Leave one colour out; whole images, as there are no masks. Dense SIFT does hardly better than guessing."""
    sets = folder_templates(SHARED / "data" / "pose-templates")
    method, settings = load_method("dense-sift"), DistanceSettings(32)
    found = np.concatenate(
        [pose_distances(method, [two for two in sets if two is not one], list(one.pictures), settings) for one in sets]
    )
    told = correct(vote(found), np.tile(np.arange(4), len(sets)))
    assert {name: int(hits.sum()) for name, hits in told.items()} == {
        "L/R": 4,
        "F/B": 4,
        "L/R or F/B": 8,
        "L/R/F/B": 5,
    }

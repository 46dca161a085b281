"""Which frame coordinates are in, and when another one fits so much better that the one given is a mistake."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.errors import InputError, UsageError
from geobench.evaluation.answer_frames import check_frame, frame_name, in_image, parse_frame
from geobench.features.letterbox import Letterbox

NAMES = ["original", "pad:840", "squash:256", "longest-side:300", "squash:1", "pad:17"]


def scene(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return image sizes and true answers, which keep clear of the border, as objects do."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(200, 640, (n, 2)).astype(np.float64)
    return sizes, sizes * rng.uniform(0.2, 0.8, (n, 2))


def to_frame(points: np.ndarray, name: str, sizes: np.ndarray) -> np.ndarray:
    frame = parse_frame(name)
    boxes = [Letterbox.of(frame.kind, (int(w), int(h)), frame.side) for w, h in sizes]
    return np.array([box.to_model(point) for box, point in zip(boxes, points, strict=True)])


@pytest.mark.parametrize("name", NAMES)
def test_frames_have_names_and_lead_back_to_the_image(name: str) -> None:
    sizes, truth = scene(0)
    assert frame_name(parse_frame(name)) == name
    np.testing.assert_allclose(in_image(to_frame(truth, name, sizes), parse_frame(name), sizes), truth)


@pytest.mark.parametrize("name", ["", "pad", "pad:0", "pad:-3", "pad:8.5", "fit:840", "original:840", "pad:999999"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="give original, pad:SIDE"):
        parse_frame(name)


@pytest.mark.parametrize("given_name", ["original", "pad:840", "squash:256"])
@pytest.mark.parametrize("true_name", ["original", "pad:840", "squash:256", "longest-side:300", "squash:1"])
@pytest.mark.parametrize("noise", [0.02, 0.06])
def test_the_right_frame_passes_and_a_wrong_one_is_corrected(given_name: str, true_name: str, noise: float) -> None:
    """Errors have a deviation of 2% and of 6% of the image, along each axis: of a good method, and of a poor one."""
    sizes, truth = scene(1)
    answers = truth + sizes * np.random.default_rng(2).normal(0, noise, truth.shape)
    points = to_frame(answers, true_name, sizes)
    if given_name == true_name:
        check_frame(points, parse_frame(given_name), truth, sizes, "answers.csv")
        return
    with pytest.raises(InputError, match=rf"^answers\.csv: the coordinates do not look like {given_name}") as caught:
        check_frame(points, parse_frame(given_name), truth, sizes, "answers.csv")
    assert f"pass --frame {true_name}" in str(caught.value)


def test_exchanged_columns_are_recognised() -> None:
    sizes, truth = scene(3)
    with pytest.raises(InputError, match="as x and y exchanged; exchange the columns, or --no-check-frame"):
        check_frame(truth[:, ::-1], parse_frame("original"), truth, sizes, "answers.csv")


@pytest.mark.parametrize("name", ["pad:840", "squash:256", "squash:60"])
def test_exchanged_columns_of_another_frame_are_recognised(name: str) -> None:
    sizes, truth = scene(5)
    points = to_frame(truth, name, sizes)[:, ::-1]
    with pytest.raises(InputError, match=f"as {name} with x and y exchanged; exchange the columns and pass --frame"):
        check_frame(points, parse_frame("original"), truth, sizes, "answers.csv")


@pytest.mark.parametrize("name", ["pad:60", "squash:16", "pad:37", "longest-side:48"])
def test_cells_of_a_grid_of_features_are_recognised(name: str) -> None:
    sizes, truth = scene(6)
    points = to_frame(truth + np.random.default_rng(7).normal(0, 8, truth.shape), name, sizes)
    with pytest.raises(InputError, match=f"pass --frame {name}"):
        check_frame(points, parse_frame("original"), truth, sizes, "answers.csv")


def test_shares_from_minus_one_are_recognised() -> None:
    sizes, truth = scene(8)
    remedy = r"from -1 to 1; write \(x \+ 1\) / 2 and \(y \+ 1\) / 2 and pass --frame squash:1"
    with pytest.raises(InputError, match=remedy):
        check_frame(truth / sizes * 2 - 1, parse_frame("original"), truth, sizes, "answers.csv")


def test_frames_that_fit_alike_are_named_beside_the_best() -> None:
    """On square images padding and stretching are one, and 512 and 518 are nearer than a method's errors."""
    sizes = np.full((400, 2), 256.0)
    truth = np.random.default_rng(9).uniform(30, 220, sizes.shape)
    answers = truth + np.random.default_rng(10).normal(0, 20, truth.shape)
    with pytest.raises(InputError, match=r"or what the method worked in: .* fit alike") as caught:
        check_frame(to_frame(answers, "squash:512", sizes), parse_frame("squash:256"), truth, sizes, "answers.csv")
    assert "squash:512" in str(caught.value)
    assert "pad:" not in str(caught.value)  # the same here, and the method stretched


def test_frames_that_are_the_same_on_these_images_are_not_named_twice() -> None:
    sizes = np.full((400, 2), 256.0)
    truth = np.random.default_rng(12).uniform(30, 220, sizes.shape)
    with pytest.raises(InputError, match="pass --frame pad:840, or --no-check-frame"):
        check_frame(to_frame(truth, "pad:840", sizes), parse_frame("original"), truth, sizes, "answers.csv")


def test_as_many_points_as_spair_are_judged_alike() -> None:
    sizes, truth = scene(11, n=50_000)
    points = truth * 840 / sizes
    with pytest.raises(InputError, match="pass --frame squash:840"):
        check_frame(points, parse_frame("original"), truth, sizes, "answers.csv")
    check_frame(points, parse_frame("squash:840"), truth, sizes, "answers.csv")


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["image", "box", "centre", "shuffled", "corner", "mirrored"])
)
def test_a_method_that_knows_nothing_passes(seed: int, kind: str) -> None:
    """Points anywhere in the image, about its middle, in it, at other points' places, in a corner, mirrored."""
    sizes, truth = scene(seed)
    rng = np.random.default_rng(seed)
    points = {
        "image": sizes * rng.random(sizes.shape),
        "box": sizes * rng.uniform(0.2, 0.8, sizes.shape),
        "centre": sizes / 2,
        "shuffled": sizes * rng.permutation(truth / sizes),
        "corner": np.ones_like(sizes),
        "mirrored": np.stack([sizes[:, 0] - truth[:, 0], truth[:, 1]], axis=1),
    }[kind]
    check_frame(points, parse_frame("original"), truth, sizes, "answers.csv")


def test_a_handful_of_points_is_not_judged() -> None:
    sizes, truth = scene(4, n=19)
    check_frame(to_frame(truth, "pad:840", sizes), parse_frame("original"), truth, sizes, "answers.csv")

"""Views of a batch: one pass per distinct image, mirrored keypoints, and rows of the query points only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from geobench.features.feature_map import FeatureMap, unit_length
from geobench.features.letterbox import Letterbox
from geobench.training.losses import LossSettings, Objective, batch_loss
from geobench.training.perturbation import published_image_size
from geobench.training.post_processor import PostProcessor
from geobench.training.views import Shown, ShownPair, View, lengths_of, mirrored_keypoints, post_processed, view_of

GRID, CHANNELS, K = 12, 32, 5
MIRROR = [1, 0, 2, 4, 3]
SIZE = (90, 60)


def shown(key: str, seed: int, size: tuple[int, int] = SIZE) -> Shown:
    generator = torch.Generator().manual_seed(seed)
    box = Letterbox.pad(size, 120)
    features = FeatureMap(torch.randn(CHANNELS, GRID, GRID, generator=generator), box)
    points = torch.rand(K, 2, generator=generator) * torch.tensor(size, dtype=torch.float32)
    return Shown(key, features, points, torch.tensor([True, True, True, True, seed % 2 == 0]), 45.0)


def pair(first: int, second: int) -> ShownPair:
    images = [shown(str(number), number) for number in (first, second)]
    mirrored = [
        one.mirrored(shown("", number + 100).features, MIRROR)
        for one, number in zip(images, (first, second), strict=True)
    ]
    return ShownPair(*images, *mirrored)


def view_with(image: Shown, made: torch.Tensor) -> View:
    columns = made.flatten(1)
    return view_of(image, columns, lengths_of(columns))


def network() -> PostProcessor:
    torch.manual_seed(1)
    return PostProcessor([CHANNELS], 128)


class Counted:
    """A network that remembers how many images it was given."""

    def __init__(self, network: PostProcessor) -> None:
        self.network, self.counts = network, []

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        self.counts.append(len(features))
        return self.network(features)


def test_the_network_runs_once_on_the_distinct_images_of_a_batch():
    counted = Counted(network())
    # Three pairs of three images, each with its mirror image: 12 places, 6 images.
    views = post_processed(counted, [pair(0, 1), pair(1, 2), pair(2, 0)])
    assert counted.counts == [6]
    torch.testing.assert_close(views[0].target.columns, views[1].source.columns)
    assert not torch.equal(views[0].target.columns, views[0].target_mirrored.columns)


def test_a_batch_is_the_mean_of_its_pairs_in_value_and_gradient():
    pairs, objective = [pair(0, 1), pair(1, 2)], Objective(LossSettings(perturbation=0.0), (GRID, GRID))
    together, alone = network(), network()
    found = batch_loss(together, objective, pairs, together.scale)
    found.total.backward()
    totals = [batch_loss(alone, objective, [one], alone.scale).total for one in pairs]
    torch.testing.assert_close(found.total, sum(totals) / 2)
    (sum(totals) / 2).backward()
    for (name, one), other in zip(together.named_parameters(), alone.parameters(), strict=True):
        assert (one.grad is None) == (name == "self_logit_scale")
        if one.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_a_view_is_the_map_that_the_matcher_reads():
    image, made = shown("a", 0), torch.rand(8, GRID, GRID)
    view = view_with(image, made)
    matched = FeatureMap(unit_length(made), image.features.letterbox)
    torch.testing.assert_close(view.keypoints, matched.descriptors(image.points))
    similarity = matched.descriptors(image.points) @ matched.columns
    torch.testing.assert_close(view.similarity(view.keypoints), similarity)
    torch.testing.assert_close(matched.between_cells(view.points - 0.5), image.points, rtol=0, atol=1e-4)
    assert view.size == pytest.approx(45 * (120 / 90) / 10)  # model pixels, then cells of 10


@settings(max_examples=20)
@given(st.integers(0, 1000), st.permutations(range(4)))
def test_mirroring_twice_changes_nothing(seed, order):
    mirror = list(range(4))
    mirror[order[0]], mirror[order[1]] = order[1], order[0]
    points = torch.rand(4, 2, generator=torch.Generator().manual_seed(seed)) * 60
    visible = torch.tensor([True, False, True, seed % 2 == 0])
    once = mirrored_keypoints(points, visible, mirror, (60, 40))
    twice = mirrored_keypoints(*once, mirror, (60, 40))
    torch.testing.assert_close(twice[0], points)
    assert torch.equal(twice[1], visible)
    torch.testing.assert_close(once[0][order[0]], torch.tensor([60.0, 0.0]) + points[order[1]] * torch.tensor([-1, 1]))


def test_the_mirror_image_has_its_own_features_key_and_renamed_keypoints():
    image = shown("cat", 1)  # whose last keypoint is hidden
    other = shown("", 7).features
    mirrored = image.mirrored(other, MIRROR)
    assert (mirrored.key, mirrored.features, mirrored.size) == ("cat mirrored", other, 45.0)
    assert mirrored.visible.tolist() == [True, True, True, False, True]
    assert mirrored.points[0].tolist() == pytest.approx([90 - image.points[1, 0].item(), image.points[1, 1].item()])


class Largest(TorchDispatchMode):
    """Remembers the most numbers that any result has, within the forward or the backward pass."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for one in found if isinstance(found, tuple | list) else [found]:
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.numel())
        return found


@pytest.mark.parametrize("as_published_code", [False, True], ids=["paper", "published"])
@pytest.mark.parametrize("window", [0, 5])
def test_nothing_of_the_size_of_the_whole_table_is_ever_made(as_published_code, window):
    grid = 40  # 1600 cells: the table has 2,560,000 numbers, a map 1600 * 128
    torch.manual_seed(0)
    objective = Objective(LossSettings(as_published_code=as_published_code, window=window), (grid, grid))
    images = [shown(str(number), number) for number in range(4)]
    maps = [torch.rand(128, grid, grid, requires_grad=True) for _ in images]
    frame = FeatureMap(torch.zeros(1, grid, grid), images[0].features.letterbox)
    with Largest() as largest:
        views = [view_with(replace(one, features=frame), made) for one, made in zip(images, maps, strict=True)]
        objective(type(pair(0, 1))(*views), torch.tensor(10.0)).total.backward()
    assert largest.numbers == 128 * grid * grid


def test_losses_are_computed_in_float32_under_autocast():
    made = torch.rand(4, 64, GRID, GRID).to(torch.bfloat16)
    objective, found = Objective(LossSettings(perturbation=0.0), (GRID, GRID)), []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            views = post_processed(lambda features: made, [pair(0, 1)])[0]
            found.append(objective(views, torch.tensor(10.0)).total)
    assert found[1].dtype == torch.float32
    assert torch.equal(*found)


def test_the_published_image_threshold_is_840_cells():
    image = shown("a", 0, (300, 200))
    frame = FeatureMap(torch.zeros(1, 60, 60), Letterbox.pad((300, 200), 840))
    size = published_image_size(frame)
    assert view_with(replace(image, features=frame, size=size), torch.rand(4, 60, 60)).size == pytest.approx(840)
    right = view_with(replace(image, features=frame, size=300.0), torch.rand(4, 60, 60)).size
    assert right == pytest.approx(60)

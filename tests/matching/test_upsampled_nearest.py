"""Upsampled nearest against interpolation of the maps themselves, done in full."""

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.matching import upsampled_nearest
from geobench.matching.upsampled_nearest import Matcher, Samples, Settings, vectors_at

match = Matcher(Settings())
seeds = st.integers(0, 2**31)
sides = st.integers(5, 60)
sizes = st.tuples(sides, sides)
grids = st.tuples(st.integers(1, 9), st.integers(1, 9))


def make(seed, size, grid, kind="squash", channels=5):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(channels, grid[1], grid[0], generator=generator)
    return FeatureMap(features, Letterbox.of(kind, size, 36))


def brute_force(source, target, source_size, target_size, points):
    """DIFT's procedure on squashed images, in float64."""
    maps = [
        F.interpolate(one.features[None].double(), (size[1], size[0]), mode="bilinear", align_corners=False)[0]
        for one, size in ((source, source_size), (target, target_size))
    ]
    x, y = points.long().unbind(1)
    queries = F.normalize(maps[0][:, y, x].T, dim=1)
    return (queries @ F.normalize(maps[1], dim=0).flatten(1)).unflatten(1, target_size[::-1])


@given(seeds, sizes, sizes, grids, grids)
def test_it_is_brute_force(seed, source_size, target_size, source_grid, target_grid):
    source, target = make(seed, source_size, source_grid), make(seed + 1, target_size, target_grid)
    generator = torch.Generator().manual_seed(seed)
    points = (torch.rand(6, 2, generator=generator) * torch.tensor(source_size)).floor()
    cosine = brute_force(source, target, source_size, target_size, points)
    answer = match(source, target, points)
    x, y = answer.long().unbind(1)
    assert torch.equal(answer, torch.stack([x, y], 1).float())
    reached, best = cosine[torch.arange(6), y, x], cosine.flatten(1).amax(dim=1)
    assert (reached >= best - 1e-5).all()
    # The first of the pixels that tie, where all others are clearly worse.
    for row in range(6):
        near = (cosine[row].flatten() >= best[row] - 1e-5).nonzero()[:, 0]
        exact = (cosine[row].flatten() >= best[row] - 1e-12).nonzero()[:, 0]
        if torch.equal(near, exact):
            assert int(y[row]) * target_size[0] + int(x[row]) == int(near[0])


@given(seeds, sizes, grids)
def test_lengths_are_those_of_the_interpolated_vectors(seed, size, grid):
    one = make(seed, size, grid)
    x, y = (Samples.of(one, axis, torch.arange(size[axis])) for axis in (0, 1))
    full = F.interpolate(one.features[None].double(), (size[1], size[0]), mode="bilinear", align_corners=False)[0]
    ours = 1 / upsampled_nearest.Lengths.of(one, x).inverse(y).double()
    torch.testing.assert_close(ours, full.norm(dim=0), rtol=1e-3, atol=1e-4)


@given(seeds, sizes, grids, st.sampled_from(["squash", "pad", "longest-side"]))
def test_on_the_same_image_a_point_finds_its_own_vector(seed, size, grid, kind):
    one = make(seed, size, grid, kind)
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(5, 2, generator=generator) * torch.tensor(size)
    answer = match(one, one, points)
    similarity = (vectors_at(one, points) * vectors_at(one, answer)).sum(dim=1)
    torch.testing.assert_close(similarity, torch.ones(5), rtol=0, atol=1e-4)
    assert ((answer >= 0) & (answer < torch.tensor(size))).all()


@given(seeds, sizes, grids)
def test_bands_change_nothing(seed, size, grid):
    source, target = make(seed, size, grid), make(seed + 1, size, grid)
    points = torch.rand(4, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor(size)
    whole, before = match(source, target, points), upsampled_nearest.BAND
    upsampled_nearest.BAND = 1
    try:
        assert torch.equal(match(source, target, points), whole)
    finally:
        upsampled_nearest.BAND = before


def test_repeated_border_pixels_are_one_candidate():
    """A map of 2 cells over 8 pixels: pixels 0, 1 repeat the first cell, 6 and 7 the second."""
    one = make(0, (8, 8), (2, 2))
    samples = Samples.of(one, 0, torch.arange(8))
    assert samples.weight.tolist() == [0, 0, 0.125, 0.375, 0.625, 0.875, 0, 0]
    assert samples.distinct(1).pixel.tolist() == [0, 2, 3, 4, 5, 6]


def test_a_vector_of_zeros_and_no_points():
    zero = FeatureMap(torch.zeros(3, 4, 4), Letterbox.squash((20, 10), 36))
    assert match(zero, zero, torch.tensor([[3.0, 4.0]])).tolist() == [[0.0, 0.0]]
    assert match(zero, zero, torch.zeros(0, 2)).shape == (0, 2)

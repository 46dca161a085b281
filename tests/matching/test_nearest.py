"""Nearest neighbour: identity, translation, ties, padding, and independence from the other points."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.features.feature_map import FeatureMap, unit_length
from geobench.features.letterbox import Letterbox
from geobench.matching.nearest import Matcher, Settings, first_maximum, point_similarity

nearest = Matcher(Settings())
seeds = st.integers(0, 2**31)
GRID = 10


def random_map(seed, size=(80, 80), side=80, channels=16):
    generator = torch.Generator().manual_seed(seed)
    return FeatureMap(unit_length(torch.randn(channels, GRID, GRID, generator=generator)), Letterbox.pad(size, side))


def random_points(seed, n=7, size=(80, 80)):
    generator = torch.Generator().manual_seed(seed + 1)
    return torch.rand(n, 2, generator=generator) * torch.tensor(size)


@given(seeds, st.tuples(st.integers(20, 200), st.integers(20, 200)))
def test_on_the_same_image_a_point_goes_to_the_centre_of_its_cell(seed, size):
    one, points = random_map(seed, size), random_points(seed, size=size)
    points = points[one.in_image()[one.cells(points)]]
    assert torch.equal(nearest(one, one, points), one.centres(one.cells(points)))


@given(seeds, st.integers(-3, 3), st.integers(-3, 3))
def test_shifting_the_target_map_shifts_the_answers(seed, down, right):
    one = random_map(seed)
    shifted = FeatureMap(torch.roll(one.features, (down, right), dims=(1, 2)), one.letterbox)
    points = torch.rand(5, 2) * 24 + 28  # three cells from every border, so nothing wraps around
    moved = nearest(one, shifted, points) - nearest(one, one, points)
    assert torch.equal(moved, torch.tensor([[right * 8.0, down * 8.0]]).expand(5, 2))


@given(seeds, st.permutations(range(7)))
def test_order_and_company_of_points_change_nothing_but_rounding(seed, order):
    source, target, points = random_map(seed), random_map(seed + 1), random_points(seed)
    together = point_similarity(source, target, points)
    torch.testing.assert_close(point_similarity(source, target, points[order]), together[order], rtol=0, atol=1e-6)
    for row, point in zip(together, points, strict=True):
        torch.testing.assert_close(point_similarity(source, target, point[None])[0], row, rtol=0, atol=1e-6)
    assert torch.equal(point_similarity(source, target, points), together)


def test_the_number_of_threads_changes_nothing():
    source, target, points = random_map(0, channels=768), random_map(1, channels=768), random_points(0)
    before = torch.get_num_threads()
    answers = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        answers.append(point_similarity(source, target, points))
    torch.set_num_threads(before)
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


def test_among_equals_the_first_in_reading_order():
    flat = FeatureMap(torch.ones(1, GRID, GRID), Letterbox.pad((80, 80), 80))
    assert nearest(flat, flat, random_points(0)).tolist() == [[4.0, 4.0]] * 7
    assert first_maximum(torch.tensor([[0.0, 3.0, 3.0], [-1.0, -1.0, -2.0]])).tolist() == [1, 0]


def test_padding_is_an_answer_only_when_asked_for():
    source = random_map(0, (80, 40))
    target = FeatureMap(source.features.flip(1).roll(5, 1), source.letterbox)  # best matches lie in the padding
    points = random_points(0, n=40, size=(80, 40))
    inside, anywhere = nearest(source, target, points), Matcher(Settings(padding="searched"))(source, target, points)
    assert ((inside >= 0) & (inside <= torch.tensor([80.0, 40.0]))).all()
    assert not ((anywhere >= 0) & (anywhere <= torch.tensor([80.0, 40.0]))).all()


def test_no_points():
    assert nearest(random_map(0), random_map(1), torch.zeros(0, 2)).shape == (0, 2)


@given(seeds, st.tuples(st.integers(20, 200), st.integers(20, 200)))
def test_pixel_index_answers_half_a_model_pixel_nearer_to_the_corner(seed, size):
    one, other, points = random_map(seed, size), random_map(seed + 1, size), random_points(seed, size=size)
    counted = Matcher(Settings(centre="pixel-index"))(one, other, points)
    moved = other.letterbox.to_model(counted) - other.letterbox.to_model(nearest(one, other, points))
    torch.testing.assert_close(moved, torch.full_like(moved, -0.5), rtol=0, atol=1e-4)


@given(seeds)
def test_the_most_similar_cell_is_the_nearest_by_l2_distance(seed):
    one, other, points = random_map(seed), random_map(seed + 1), random_points(seed)
    distances = torch.cdist(one.descriptors(points).double(), other.columns.T.double())
    assert torch.equal(nearest(one, other, points), other.centres(distances.argmin(dim=1)))

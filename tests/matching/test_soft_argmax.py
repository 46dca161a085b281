"""Soft-argmax and its windows: limits, equivariance, masked cells, padding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import InputError
from geobench.features.feature_map import FeatureMap, unit_length
from geobench.features.letterbox import Letterbox
from geobench.matching import gaussian_soft_argmax, nearest, soft_argmax, window_soft_argmax
from geobench.typed_toml import validate

seeds = st.integers(0, 2**31)
paddings = st.sampled_from(["ignored", "searched"])
masks = st.sampled_from(["excluded", "zero"])
GRID = 10


def soft(**settings):
    return soft_argmax.Matcher(soft_argmax.Settings(**settings))


def window(**settings):
    return window_soft_argmax.Matcher(window_soft_argmax.Settings(**settings))


def gaussian(**settings):
    return gaussian_soft_argmax.Matcher(gaussian_soft_argmax.Settings(**settings))


def random_maps(seed, size=(80, 80), channels=8):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, channels, GRID, GRID, generator=generator)
    points = torch.rand(7, 2, generator=generator) * torch.tensor(size)
    return *(FeatureMap(unit_length(f), Letterbox.pad(size, 80)) for f in features), points


@given(seeds, paddings, masks)
def test_as_the_temperature_falls_it_becomes_nearest(seed, padding, masked):
    source, target, points = random_maps(seed, (80, 50))
    similarity = nearest.searched_similarity(source, target, points, padding)
    first, second = similarity.topk(2, dim=1).values.T
    clear = first - second > 1e-3  # at a temperature of 1e-5 the second best has less than exp(-100)
    wanted = nearest.Matcher(nearest.Settings(padding=padding))(source, target, points)[clear]
    # A maximum below 0 is below the masked cells, too, where those count as 0.
    clear_of_zero = (first > 1e-3)[clear] if masked == "zero" else torch.ones_like(first, dtype=torch.bool)[clear]
    cold = {"temperature": 1e-5, "padding": padding}
    torch.testing.assert_close(soft(**cold)(source, target, points)[clear], wanted, rtol=0, atol=1e-3)
    for matcher in (window(window=3, masked=masked, **cold), gaussian(sigma=9.0, masked=masked, **cold)):
        answer = matcher(source, target, points)[clear]
        torch.testing.assert_close(answer[clear_of_zero], wanted[clear_of_zero], rtol=0, atol=1e-3)


@given(seeds, paddings, masks, st.sampled_from([19, 21, 101]))
def test_a_window_larger_than_the_map_is_no_window(seed, padding, masked, side):
    source, target, points = random_maps(seed, (80, 60))
    wanted = soft(padding=padding)(source, target, points)
    answer = window(window=side, masked=masked, padding=padding)(source, target, points)
    torch.testing.assert_close(answer, wanted, rtol=0, atol=1e-4)


@given(seeds, paddings, masks)
def test_a_huge_kernel_is_no_kernel(seed, padding, masked):
    source, target, points = random_maps(seed, (80, 60))
    wanted = soft(padding=padding)(source, target, points)
    answer = gaussian(sigma=1e5, masked=masked, padding=padding)(source, target, points)
    torch.testing.assert_close(answer, wanted, rtol=0, atol=1e-3)


@given(seeds, st.integers(-3, 3), st.integers(-3, 3))
def test_shifting_the_target_shifts_the_answers(seed, down, right):
    """An island of cells in a sea that is opposite to the query: nothing of the answer comes from the sea."""
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(8, generator=generator)
    source = FeatureMap(unit_length(query[:, None, None].expand(8, GRID, GRID)), Letterbox.pad((80, 80), 80))
    features = -query[:, None, None].repeat(1, GRID, GRID)
    features[:, 4:6, 4:6] = query[:, None, None] + 0.5 * torch.randn(8, 2, 2, generator=generator)
    target = FeatureMap(unit_length(features), source.letterbox)
    shifted = FeatureMap(target.features.roll((down, right), (1, 2)), source.letterbox)
    points = torch.tensor([[40.0, 40.0]])
    for matcher in (soft(), window(window=3), window(window=3, masked="zero"), gaussian(sigma=2.0)):
        moved = matcher(source, shifted, points) - matcher(source, target, points)
        torch.testing.assert_close(moved, torch.tensor([[right * 8.0, down * 8.0]]), rtol=0, atol=1e-2)


@given(seeds, st.sampled_from([1, 3, 5]))
def test_the_answer_is_within_the_window(seed, side):
    source, target, points = random_maps(seed)
    best = nearest.Matcher(nearest.Settings())(source, target, points)
    answer = window(window=side)(source, target, points)
    assert ((answer - best).abs() <= 8 * (side // 2) + 1e-3).all()


@given(seeds, st.sampled_from(["soft", "window", "gaussian"]), masks)
def test_ignored_padding_takes_no_part(seed, kind, masked):
    source, target, points = random_maps(seed, (80, 40))
    changed = target.features.clone()
    changed.flatten(1)[:, ~target.in_image()] = source.features.flatten(1)[:, :1] * 3
    matcher = {
        "soft": soft(),
        "window": window(window=5, masked=masked),
        "gaussian": gaussian(sigma=1.0, masked=masked),
    }[kind]
    answer = matcher(source, target, points)
    assert answer.isfinite().all()
    assert torch.equal(matcher(source, FeatureMap(changed, target.letterbox), points), answer)


def test_masked_cells_as_zero_pull_a_weak_match_to_the_middle():
    """Two cells by hand: similarity 0.02 in the window, 99 cells outside at 0, temperature 0.02."""
    features = torch.zeros(1, GRID, GRID)
    features[0, 0, 0] = 0.02
    target = FeatureMap(features, Letterbox.pad((80, 80), 80))
    source = FeatureMap(torch.ones(1, GRID, GRID), target.letterbox)
    points = torch.tensor([[4.0, 4.0]])
    assert window(window=1)(source, target, points).tolist() == [[4.0, 4.0]]
    e = 2.718281828459045
    middle = 4.0 + 8 * (4.5 * 100) / (99 + e)
    expected = torch.tensor([[middle, middle]])
    torch.testing.assert_close(window(window=1, masked="zero")(source, target, points), expected)


@pytest.mark.parametrize("matcher", [soft(), window(), gaussian()])
def test_no_points(matcher):
    source, target, _ = random_maps(0)
    assert matcher(source, target, torch.zeros(0, 2)).shape == (0, 2)


def test_an_even_window_is_refused():
    with pytest.raises(InputError, match=r"\[matcher\].*window.*odd"):
        validate({"window": 4}, window_soft_argmax.Settings, "x.toml: [matcher]")

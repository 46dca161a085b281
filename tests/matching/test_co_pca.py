"""co-PCA: the authors' numbers, the principal axes of a pair whatever its shape, and joining levels in steps."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fusion_inputs import FOLDER, diffusion_levels
from hypothesis import given
from hypothesis import strategies as st

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.matching.co_pca import Sample, co_pca, exact_scores, joined_in_steps, lowrank_scores

FRAME = Letterbox.pad((64, 64), 64)
LEVELS = ("s3", "s4", "s5")


def sample(features: torch.Tensor) -> Sample:
    return Sample(FeatureMap(features, FRAME))


def drawn(seed: int, channels: int, rows: int, columns: int, mean: float = 0.0) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    features = (
        torch.randn(channels, rows, columns, generator=generator) * torch.linspace(3, 0.2, channels)[:, None, None]
    )
    return sample(features + mean)


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "co_pca.npz") as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("solver", ["exact", "lowrank"])
def test_levels_of_low_rank_give_the_authors_cosines_lengths_and_products(solver):
    images = [[sample(torch.from_numpy(golden()[f"img{i}/{level}"])[0]) for level in LEVELS] for i in (1, 2)]
    found = co_pca(*images, dimensions=[6, 6, 6], solver=solver)
    assert [tuple(one.features.shape) for one in found] == [(18, 16, 16)] * 2
    a, b = (one.columns[:, torch.from_numpy(golden()["positions"])] for one in found)
    norms = torch.stack([a.norm(dim=0), b.norm(dim=0)])
    np.testing.assert_allclose(norms, golden()["norms_1_2"], rtol=0, atol=1e-4)
    unit_a, unit_b = F.normalize(a, dim=0), F.normalize(b, dim=0)
    cosines = torch.stack([unit_a.T @ unit_a, unit_a.T @ unit_b, unit_b.T @ unit_b])
    np.testing.assert_allclose(cosines, golden()["cos_11_12_22"], rtol=0, atol=2e-5)
    for block, level in enumerate(LEVELS):
        rows = slice(6 * block, 6 * block + 6)
        np.testing.assert_allclose(a[rows].T @ b[rows], golden()[f"gram12/{level}"], rtol=0, atol=2e-3)


def products_by_svd(a: Sample, b: Sample, count: int) -> torch.Tensor:
    """Return the inner products of all vectors of a pair, reduced by a singular value decomposition in float64."""
    vectors = torch.cat([a.columns, b.columns], dim=1).double()
    u, s, _ = torch.linalg.svd((vectors - vectors.mean(dim=1, keepdim=True)).T, full_matrices=False)
    scores = u[:, :count] * s[:count]
    return scores @ scores.T


@given(
    st.integers(0, 1000), st.integers(2, 40), st.integers(1, 6), st.integers(1, 6), st.integers(1, 50),
    st.sampled_from([0.0, 100.0]),
)  # fmt: skip
def test_exact_is_the_principal_axes_with_more_or_fewer_vectors_than_channels(
    seed, channels, rows, columns, count, mean
):
    a, b = drawn(seed, channels, rows, columns, mean), drawn(seed + 1, channels, columns, rows + 1, mean + 1)
    scores = torch.cat(exact_scores(a, b, count), dim=1)
    expected = products_by_svd(a, b, count)
    assert len(scores) == min(count, channels, scores.shape[1])
    # Of float32 features with a mean of 100 about five digits of the rest are left.
    tolerance = float(expected.diagonal().max()) * (1e-4 if mean else 1e-5)
    torch.testing.assert_close((scores.T @ scores).double(), expected, rtol=0, atol=tolerance)


def test_the_order_of_the_images_does_not_matter():
    a, b = drawn(1, 24, 4, 5), drawn(2, 24, 5, 4)
    (first, second), (second_again, first_again) = exact_scores(a, b, 7), exact_scores(b, a, 7)
    torch.testing.assert_close(first.T @ second, first_again.T @ second_again)


def test_at_real_size_lowrank_keeps_less_than_exact():
    """Flat spectra, where a randomised solver misses some: 256 of 1280 axes of 450 and of 1800 vectors."""
    for level in (1, 2):
        a, b = (Sample(diffusion_levels(image).maps[level]) for image in (0, 1))
        kept = [float(torch.cat(solve(a, b, 256), dim=1).square().sum()) for solve in (exact_scores, lowrank_scores)]
        assert 0.9 * kept[0] < kept[1] < kept[0]


def test_lowrank_is_drawn_with_its_seed_and_leaves_the_generator_alone():
    images = [[drawn(seed, 30, 6, 6), drawn(seed + 9, 30, 3, 3)] for seed in (1, 2)]
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (co_pca(*images, [4, 4], "lowrank", seed)[0].features for seed in (42, 42, 43))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.allclose(first.flatten(1).T @ first.flatten(1), other.flatten(1).T @ other.flatten(1))


def test_levels_are_joined_step_by_step_finest_first():
    s3, s4, s5 = (FeatureMap(torch.randn(2, side, side), FRAME) for side in (16, 8, 4))
    joined = joined_in_steps([s3, s4, s5]).features

    def up(features: torch.Tensor, side: int) -> torch.Tensor:
        return F.interpolate(features[None], (side, side), mode="bilinear", align_corners=False)[0]

    assert torch.equal(joined[:2], s3.features)
    assert torch.equal(joined[2:4], up(s4.features, 16))
    assert torch.equal(joined[4:], up(up(s5.features, 8), 16))
    assert not torch.allclose(joined[4:], up(s5.features, 16))


def test_levels_of_one_grid_keep_their_order_and_an_odd_order_is_put_right():
    a, b, coarse = (
        FeatureMap(torch.full((1, side, side), value), FRAME) for value, side in ((1.0, 8), (2.0, 8), (3.0, 4))
    )
    for levels in ([a, b, coarse], [coarse, a, b]):
        assert joined_in_steps(levels).features[:, 0, 0].tolist() == [1.0, 2.0, 3.0]

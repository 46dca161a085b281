"""The cluster bootstrap against SciPy on the same draws, and against what intervals are for: holding the truth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geobench.errors import UsageError
from geobench.evaluation.bootstrap import Bootstrap, Resampled, resample
from geobench.evaluation.intervals import detectable, enough_images, interval, p_value
from geobench.evaluation.ratios import Ratios, by_image, n_images
from geobench.evaluation.scopes import Scopes

SEEDS = st.integers(0, 2**32 - 1)


def some_images(seed: int, n: int = 14, counts: int = 2, variants: int = 3) -> Ratios:
    rng = np.random.default_rng(seed)
    wholes = rng.integers(0, 9, (n, counts)).astype(float)
    wholes[0] = 4  # something is counted
    return Ratios(np.floor(wholes[..., None] * rng.random((n, counts, variants))), wholes)


def of_scipy(images: Ratios, count: int, variant: int, seed: int, method: str, resamples: int = 400) -> tuple:
    """Return SciPy's interval, standard error and replicates, which draws row numbers of images."""
    part, whole = images.parts[:, count, variant], images.wholes[:, count]

    def ratio(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        return part[rows].sum(axis=axis) / whole[rows].sum(axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            (np.arange(len(part)),),
            ratio,
            n_resamples=resamples,
            method=method,
            vectorized=True,
            random_state=np.random.default_rng(seed),
        )
    return found.confidence_interval, found.standard_error, found.bootstrap_distribution


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_scipy_on_the_same_draws(method: str, seed: int) -> None:
    images = some_images(seed, n=25)
    ours = resample(images, 400, np.random.default_rng(seed))
    low, high = interval(ours, method, 0.95)
    for count in range(2):
        for variant in range(3):
            ends, error, draws = of_scipy(images, count, variant, seed, "BCa" if method == "bca" else method)
            np.testing.assert_allclose(ours.replicates[count, variant], draws, rtol=0, atol=1e-12)
            assert (low[count, variant], high[count, variant]) == pytest.approx(tuple(ends), abs=1e-12)
            normal = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
            assert detectable(ours, 0.95)[count, variant] == pytest.approx(normal * error, rel=1e-9)


def test_blocks_of_draws_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    images = some_images(3)
    whole = resample(images, 301, np.random.default_rng(5))
    monkeypatch.setattr("geobench.evaluation.bootstrap._BLOCK", 70)
    pieces = resample(images, 301, np.random.default_rng(5))
    np.testing.assert_array_equal(whole.replicates, pieces.replicates)


@given(seed=SEEDS)
def test_jackknife_leaves_one_image_out(seed: int) -> None:
    images = some_images(seed)
    found = resample(images, 100, np.random.default_rng(0)).jackknife
    for row in range(len(images.wholes)):
        kept = np.arange(len(images.wholes)) != row
        whole = images.wholes[kept].sum(axis=0)[:, None]
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(found[row], images.parts[kept].sum(axis=0) / whole, atol=1e-12)


@given(seed=SEEDS, method=st.sampled_from(["bca", "percentile"]))
def test_a_wider_level_is_a_wider_interval_around_the_middle(seed: int, method: str) -> None:
    found = resample(some_images(seed, n=30), 300, np.random.default_rng(1))
    narrow, wide = (interval(found, method, level) for level in (0.5, 0.99))
    assert (wide[0] <= narrow[0]).all()
    assert (wide[1] >= narrow[1]).all()
    assert (narrow[0] <= narrow[1]).all()


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_p_is_where_the_interval_touches_zero(method: str) -> None:
    """At a level of 1 - 0.8 p the interval has zero inside, at 1 - 1.25 p outside."""
    tested = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        difference = rng.normal(0.3, 1, (40, 1, 1))
        found = resample(Ratios(difference, np.ones((40, 1))), 4000, rng)
        p = float(p_value(found, method)[0, 0])
        if 0.01 < p < 0.7:
            tested += 1
            for level, inside in ((1 - 0.8 * p, True), (1 - 1.25 * p, False)):
                low, high = interval(found, method, level)
                assert (low[0, 0] <= 0 <= high[0, 0]) == inside, (seed, p, level)
    assert tested > 20


def test_p_is_never_zero_and_one_where_nothing_differs() -> None:
    far = resample(Ratios(np.full((20, 1, 1), 0.5), np.ones((20, 1))), 500, np.random.default_rng(0))
    assert p_value(far, "bca")[0, 0] == pytest.approx(2 / 501)
    none = resample(Ratios(np.zeros((20, 1, 1)), np.ones((20, 1))), 500, np.random.default_rng(0))
    assert p_value(none, "bca")[0, 0] == 1
    assert np.isnan(interval(none, "bca", 0.95)).all()


def test_draws_that_count_nothing_are_left_out() -> None:
    """Three of twenty images count: some draws have none of them, and are no zero."""
    wholes = np.zeros((20, 1))
    wholes[:3] = 1
    parts = wholes[..., None] * np.array([1.0, 0.0, 1.0] + [0.0] * 17)[:, None, None]
    found = resample(Ratios(parts, wholes), 2000, np.random.default_rng(0))
    assert np.isnan(found.replicates).any()
    low, high = interval(found, "percentile", 0.95)
    kept = found.replicates[np.isfinite(found.replicates)]
    assert (low[0, 0], high[0, 0]) == pytest.approx(tuple(np.quantile(kept, [0.025, 0.975])))


def test_differences_are_paired() -> None:
    images = some_images(1)
    both = resample(images, 200, np.random.default_rng(2))
    difference = both.difference(np.array([0]), np.array([2]))
    direct = Ratios((images.parts[:, :, :1] - images.parts[:, :, 2:]), images.wholes)
    again = resample(direct, 200, np.random.default_rng(2))
    for name in ("estimate", "replicates", "jackknife"):
        np.testing.assert_allclose(getattr(difference, name), getattr(again, name), atol=1e-12)
    assert isinstance(difference, Resampled)


@pytest.mark.parametrize("change", [{"level": 1.0}, {"level": 0.0}, {"resamples": 99}], ids=str)
def test_settings_that_make_no_interval_are_refused(change: dict) -> None:
    with pytest.raises(UsageError, match="interval"):
        Bootstrap(**change)


def crossed(seed: int, n: int = 60) -> tuple[Ratios, np.ndarray, Ratios]:
    """Return pairs, their (target, source) images and the sums over each combination of them."""
    rng = np.random.default_rng(seed)
    images = np.column_stack([rng.integers(0, 13, n), rng.integers(3, 20, n)])
    wholes = rng.integers(0, 5, (n, 2)).astype(float)
    wholes[:, 0] += 1
    pairs = Ratios(np.floor(wholes[..., None] * rng.random((n, 2, 3))), wholes)
    (units,) = by_image(pairs, Scopes(["all"], np.zeros(n, np.int64)), images)
    return pairs, np.column_stack([np.unique(role, return_inverse=True)[1] for role in images.T]), units


@pytest.mark.parametrize("seed", range(3))
def test_with_both_images_drawn_a_pair_counts_target_times_source(seed: int) -> None:
    pairs, images, units = crossed(seed)
    found = resample(units, 120, np.random.default_rng(seed))
    targets = np.random.default_rng(seed)
    sources, (n, m) = targets.spawn(1)[0], images.max(axis=0) + 1
    rows, columns = targets.integers(0, n, (120, n)), sources.integers(0, m, (120, m))
    for r in range(120):
        weight = np.array([(rows[r] == t).sum() * (columns[r] == s).sum() for t, s in images])
        whole = (pairs.wholes * weight[:, None]).sum(axis=0)
        slow = (pairs.parts * weight[:, None, None]).sum(axis=0) / whole[:, None]
        np.testing.assert_allclose(found.replicates[..., r], slow, atol=1e-12)
    left_out = [images[:, role] != image for role in (0, 1) for image in range((n, m)[role])]
    slow = [pairs.parts[kept].sum(axis=0) / pairs.wholes[kept].sum(axis=0)[:, None] for kept in left_out]
    np.testing.assert_allclose(found.jackknife, slow, atol=1e-12)
    np.testing.assert_allclose(found.estimate, pairs.parts.sum(axis=0) / pairs.wholes.sum(axis=0)[:, None])


def test_blocks_do_not_matter_with_both_images_either(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, units = crossed(4)
    whole = resample(units, 301, np.random.default_rng(5))
    monkeypatch.setattr("geobench.evaluation.bootstrap._BLOCK", 70)
    np.testing.assert_array_equal(whole.replicates, resample(units, 301, np.random.default_rng(5)).replicates)


def test_images_are_counted_in_each_role() -> None:
    _, images, units = crossed(6)
    assert n_images(units)[0] == len(np.unique(images[:, 0]))
    assert enough_images(units).all()
    few = Ratios(units.parts, units.wholes, units.images // [1, 4])  # as if of four or five source images
    assert n_images(few)[0] == n_images(units)[0]
    assert not enough_images(few).any()


def test_intervals_hold_the_truth_where_source_images_matter_only_if_those_are_drawn_too() -> None:
    """The truth, 0.5 by symmetry, is in 95 of 100 intervals with both drawn, in about 80 with target images alone."""
    rng, held, one = np.random.default_rng(3), {1: 0, 2: 0}, Scopes(["all"], np.zeros(300, np.int64))
    for _ in range(200):
        images = np.column_stack([np.repeat(np.arange(40), 8)[:300], rng.integers(0, 40, 300)])
        hard = rng.normal(0, 1, (2, 40))
        share = rng.binomial(7, 1 / (1 + np.exp(hard[0, images[:, 0]] + hard[1, images[:, 1]]))) / 7
        for roles in held:
            (units,) = by_image(Ratios(share[:, None, None], np.ones((300, 1))), one, images[:, :roles])
            low, high = interval(resample(units, 300, rng), "bca", 0.95)
            held[roles] += bool(low[0, 0] <= 0.5 <= high[0, 0])
    assert held[1] <= 176
    assert 184 <= held[2] <= 198


def sampled_pairs(rng: np.random.Generator, images: int = 60, pairs: int = 8, points: int = 7) -> np.ndarray:
    """Return correct shares [images, pairs]: an image is easy or hard, and its pairs have that in common."""
    ease = rng.beta(2, 2, images)  # mean 0.5
    return rng.binomial(points, ease[:, None], (images, pairs)) / points


def coverage(cluster: bool, samples: int = 250) -> float:
    rng, held = np.random.default_rng(7), 0
    for _ in range(samples):
        share = sampled_pairs(rng)
        parts = share.sum(axis=1) if cluster else share.ravel()
        whole = np.full(len(parts), 8.0 if cluster else 1.0)
        low, high = interval(resample(Ratios(parts[:, None, None], whole[:, None]), 400, rng), "bca", 0.95)
        held += bool(low[0, 0] <= 0.5 <= high[0, 0])
    return held / samples


def test_intervals_by_pair_are_too_small_and_by_image_about_right() -> None:
    """The truth, 0.5, should be inside 95 of 100 intervals; drawing pairs as if they shared no image, it is in 60."""
    assert coverage(cluster=False) < 0.75
    assert 0.91 <= coverage(cluster=True) <= 0.98


def test_false_findings_are_about_as_many_as_the_level_allows() -> None:
    """Two methods alike on average: of 300 tests at 5%, drawing images finds about 15, drawing pairs many more."""
    rng, found = np.random.default_rng(11), {True: 0, False: 0}
    for _ in range(300):
        difference = sampled_pairs(rng, images=50) - sampled_pairs(rng, images=50)
        for cluster in found:
            parts = difference.sum(axis=1) if cluster else difference.ravel()
            whole = np.full(len(parts), 8.0 if cluster else 1.0)
            p = p_value(resample(Ratios(parts[:, None, None], whole[:, None]), 400, rng), "bca")[0, 0]
            found[cluster] += bool(p <= 0.05)
    assert found[True] <= 27
    assert found[False] >= 60

"""The losses against the authors' code, in value and gradient, and what the default does otherwise."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.errors import InputError
from geobench.training.augmentation import terms_of
from geobench.training.dense import SoftArgmax, end_point_error, true_places
from geobench.training.losses import LossSettings, Objective
from geobench.training.perturbation import perturbed
from geobench.training.sparse import contrastive_loss
from geobench.training.views import View, ViewPair
from geobench.typed_toml import validate

sys.path.insert(0, str(Path(__file__).parent))
from loss_goldens import FACTS, NAMES, Case, case, stored

PUBLISHED = {"as_published_code": True, "perturbation": 0.0}
NO_FLIPS = {"double_flip": 0.0, "self_flip": 0.0}
FULL = {
    "full_no_augment": NO_FLIPS,
    "full_no_dense": NO_FLIPS | {"dense": False},
    "full_pair_augment_as_run": {},
    "full_pair_augment_with_single_flip": {"single_flip": 1.0},
    "full_pair_augment_no_dense": {"dense": False},
    "full_pair_augment_window": {"window": 11},
    "full_gauss_augment_seeded": NO_FLIPS | {"perturbation": 0.1},
}


def check_gradients(name: str, given: Case) -> None:
    """Compare gradients with the golden's: their norms, and all the rows that it has."""
    facts, rows = FACTS["cases"][name], stored()["grad_rows"]
    for leaf in NAMES:
        norm, gradient = facts[f"grad_norm_{leaf}"], given.leaves[leaf].grad
        if norm is None:
            assert gradient is None, leaf
            continue
        assert float(gradient.norm()) == pytest.approx(norm, rel=1e-5), leaf
        expected = stored()[f"grad/{name}/{leaf}"]
        torch.testing.assert_close(gradient[rows], expected, rtol=0, atol=1e-5 * norm)


def dense_loss(given: Case, soft_argmax: SoftArgmax) -> torch.Tensor:
    source, target = given.pair.source, given.pair.target
    rows = source.visible & target.visible
    places = soft_argmax(target.similarity(source.keypoints[rows]))
    return end_point_error(places, true_places(source.points[rows], target.points[rows], True))


def test_the_contrastive_loss_is_the_authors():
    given = case()
    source, target = given.pair.source, given.pair.target
    rows = source.visible & target.visible
    assert int(rows.sum()) == FACTS["cases"]["clip"]["n"]
    loss = contrastive_loss(source.keypoints[rows], target.keypoints[rows], given.scale)
    assert loss.item() == pytest.approx(FACTS["cases"]["clip"]["loss"], rel=1e-5)
    loss.backward()
    check_gradients("clip", given)
    # The golden's gradient is that of the logarithm.
    slope = (given.scale.grad * given.scale).item()
    assert slope == pytest.approx(FACTS["cases"]["clip"]["grad_logit_scale"], rel=1e-5)


@pytest.mark.parametrize(("window", "shape"), [(0, {}), (5, {"window": 11}), (-5, {"sigma": 5.0})])
def test_the_dense_loss_is_the_authors(window, shape):
    given, name = case(), f"dense_window{window}"
    soft_argmax = SoftArgmax((60, 60), **shape, masked_take_part=True, trained=True)
    loss = dense_loss(given, soft_argmax)
    assert loss.item() == pytest.approx(FACTS["cases"][name]["loss"], rel=1e-5)
    loss.backward()
    check_gradients(name, given)
    for places in ("x_normal", "y_normal"):
        norm = float(getattr(soft_argmax, places).grad.norm())
        assert norm == pytest.approx(FACTS["cases"][name][f"grad_norm_{places}"], rel=1e-5)


@pytest.mark.parametrize("name", FULL)
def test_the_loss_of_a_pair_is_the_authors(name):
    given, facts = case(), FACTS["cases"][name]
    objective = Objective(LossSettings(**(PUBLISHED | FULL[name])))
    generator = torch.Generator().manual_seed(FACTS["gauss_seed"])
    found = objective(given.pair, given.scale, generator)
    assert found.total.item() == pytest.approx(facts["loss"], rel=1e-5)
    found.total.backward()
    check_gradients(name, given)
    assert (given.scale.grad * given.scale).item() == pytest.approx(facts["grad_logit_scale"], rel=1e-5)
    if FULL[name].get("dense", True):
        for places in ("x_normal", "y_normal"):
            norm = float(getattr(objective.soft_argmax, places).grad.norm())
            assert norm == pytest.approx(facts[f"grad_norm_{places}"], rel=1e-5)


def test_the_default_has_every_part_in_every_term():
    found = Objective(LossSettings())(case().pair, torch.tensor(10.0))
    names = ("pair", "single-flip", "double-flip", "self-flip")
    assert list(found.parts) == [f"{name} {part}" for name in names for part in ("sparse", "dense")]
    sums = [found.parts[f"{name} sparse"] + found.parts[f"{name} dense"] for name in names]
    weighted = sum(weight * one for weight, one in zip((1, 1, 1, 0.25), sums, strict=True)) / 3.25
    torch.testing.assert_close(found.total, weighted)


def test_published_code_leaves_out_single_flip_and_contrastive_parts_of_flips():
    found = Objective(LossSettings(as_published_code=True))(case().pair, torch.tensor(10.0))
    assert list(found.parts) == ["pair sparse", "pair dense", "double-flip dense", "self-flip dense"]


def test_only_published_code_trains_the_places_of_cells_and_neither_saves_them():
    default, published = (Objective(LossSettings(as_published_code=flag)) for flag in (False, True))
    assert not list(default.parameters())
    assert {name: len(p) for name, p in published.named_parameters()} == {
        "soft_argmax.x_normal": 60,
        "soft_argmax.y_normal": 60,
    }
    assert not default.state_dict()


def peaked(cell: int, columns: int, rows: int) -> torch.Tensor:
    similarity = torch.zeros(1, columns * rows)
    similarity[0, cell] = 1.0
    return similarity


@pytest.mark.parametrize("shape", [{}, {"window": 3}, {"sigma": 2.0}], ids=["all cells", "window", "sigma"])
def test_the_dense_loss_is_least_where_the_matcher_would_be_right(shape):
    """A keypoint in the middle of a cell, and a similarity that is sharp there: no error left, as in evaluation."""
    soft_argmax = SoftArgmax((7, 5), **shape)
    places = soft_argmax(peaked(3 * 7 + 2, 7, 5))
    truth = true_places(torch.tensor([[0.1, 4.9]]), torch.tensor([[2.5, 3.5]]))
    assert end_point_error(places, truth).item() < 1e-5
    published = true_places(torch.tensor([[0.1, 4.9]]), torch.tensor([[2.5, 3.5]]), from_source_cell=True)
    torch.testing.assert_close(published, torch.tensor([[2.4, 2.6]]))


def test_masked_cells_draw_low_similarities_to_the_middle_as_published_only():
    similarity = 0.05 * peaked(0, 21, 21)
    near, far = (SoftArgmax((21, 21), window=3, masked_take_part=flag)(similarity) for flag in (False, True))
    assert float(near.max()) < 0.5
    assert float(far.min()) > 8


def test_window_and_gaussian_agree_with_the_matchers():
    """Trained as it is evaluated: the same expectation as the matchers', over the same cells."""
    from geobench.features.feature_map import FeatureMap, unit_length
    from geobench.features.letterbox import Letterbox
    from geobench.matching import gaussian_soft_argmax, soft_argmax, window_soft_argmax

    torch.manual_seed(0)
    box = Letterbox.pad((90, 90), 90)
    one, other = (FeatureMap(unit_length(torch.randn(16, 9, 9)), box) for _ in range(2))
    points = torch.rand(6, 2) * 90
    similarity = one.descriptors(points) @ other.columns
    for module, extra, mine in (
        (soft_argmax, {}, {}),
        (window_soft_argmax, {"window": 5}, {"window": 5}),
        (gaussian_soft_argmax, {"sigma": 2.0}, {"sigma": 2.0}),
    ):
        expected = module.Matcher(module.Settings(**extra))(one, other, points)
        found = other.between_cells(SoftArgmax((9, 9), **mine)(similarity))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_the_perturbation_has_the_threshold_at_two_standard_deviations():
    truth = torch.full((20_000, 2), 30.0)
    noise = perturbed(truth, 22.0, 0.1, torch.Generator().manual_seed(0)) - truth
    assert float(noise.std()) == pytest.approx(0.1 * 22 / 2, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.02)
    state = torch.get_rng_state()
    assert torch.equal(perturbed(truth, 22.0, 0.0), truth)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_term_without_a_common_keypoint_is_left_out_with_its_weight():
    given = case()
    blind = given.pair.source_mirrored
    hidden = replace(blind, visible=torch.zeros_like(blind.visible))
    pair = ViewPair(given.pair.source, given.pair.target, hidden, given.pair.target_mirrored)
    assert [term.name for term in terms_of(pair, 1.0, 1.0, 0.25)] == ["pair"]
    alone = Objective(LossSettings(**NO_FLIPS, single_flip=0.0, perturbation=0.0))(pair, given.scale)
    assert torch.equal(Objective(LossSettings(perturbation=0.0))(pair, given.scale).total, alone.total)


def test_a_pair_without_a_common_keypoint_is_refused():
    given = case()
    blind = replace(given.pair.target, visible=torch.zeros(30, dtype=torch.bool))
    with pytest.raises(InputError, match="no keypoint that is visible in both images; leave the pair out"):
        Objective(LossSettings())(ViewPair(*(given.pair.images[0], blind, *given.pair.images[2:])), given.scale)


def test_mirror_images_are_needed_only_by_weights():
    given = case()
    plain = ViewPair(given.pair.source, given.pair.target)
    with pytest.raises(ValueError, match="no mirror images"):
        terms_of(plain, 1.0, 0.0, 0.0)
    settings_without = LossSettings(**NO_FLIPS, single_flip=0.0)
    assert not settings_without.needs_mirrored
    assert LossSettings().needs_mirrored
    assert bool(Objective(settings_without)(plain, given.scale).total.isfinite())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"sparse": False, "dense": False}, "sparse and dense are both off"),
        ({"window": 4}, "window must be odd"),
        ({"window": 3, "sigma": 1.0}, "goes without sigma"),
        ({"sparse": False, "as_published_code": True}, "leave sparse on"),
        ({"self_flip": -1.0}, "self_flip"),
        ({"self_flp": 1.0}, "did you mean self_flip"),
    ],
    ids=["nothing", "even", "both", "no sparse", "negative", "misspelt"],
)
def test_a_malformed_table_is_refused(table, sentence):
    with pytest.raises(InputError, match=sentence):
        validate(table, LossSettings, "row.toml: [loss]")


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.integers(1, 6), st.sampled_from([0.1, 1.0, 50.0]))
def test_lengths_change_nothing_but_the_scale_of_what_comes_in(seed, n, factor):
    """Dividing similarities by lengths is what bringing every vector to unit length is, in value and gradient."""
    generator = torch.Generator().manual_seed(seed)
    raw = [(factor * torch.rand(8, 35, generator=generator)).requires_grad_() for _ in range(2)]
    points = [torch.rand(n, 2, generator=generator) * torch.tensor([7.0, 5.0]) for _ in range(2)]

    def loss(columns: list[torch.Tensor], lengths: bool) -> torch.Tensor:
        views = [
            View(
                one, one.norm(dim=0) + 1e-10 if lengths else None, (7, 5), at,
                at[:, 1].long() * 7 + at[:, 0].long(), torch.ones(n, dtype=torch.bool), 3.0,
            )
            for one, at in zip(columns, points, strict=True)
        ]  # fmt: skip
        objective = Objective(LossSettings(**NO_FLIPS, single_flip=0.0, perturbation=0.0), (7, 5))
        return objective(ViewPair(*views), torch.tensor(5.0)).total

    divided = loss(raw, True)
    plain = loss([torch.nn.functional.normalize(one, dim=0) for one in raw], False)
    torch.testing.assert_close(divided, plain, rtol=1e-4, atol=1e-5)
    for one, other in zip(torch.autograd.grad(divided, raw), torch.autograd.grad(plain, raw), strict=True):
        torch.testing.assert_close(one * factor, other * factor, rtol=1e-3, atol=1e-4)

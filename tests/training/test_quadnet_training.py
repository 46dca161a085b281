"""What quadnet is trained on and for: animals that the embedded benchmark does not have, and no names of sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geobench.builders.synthetic.body import Pose, Shape
from geobench.builders.synthetic.dataset import _plans
from geobench.builders.synthetic.scene import place_animal, random_scene
from geobench.builders.synthetic.species import SPECIES
from geobench.features.quadnet_network import SEMANTIC
from geobench.training.quadnet.augment import augmented
from geobench.training.quadnet.correspond import carried, merged_places, template_pieces
from geobench.training.quadnet.loop import Plan, train
from geobench.training.quadnet.objective import contrast
from geobench.training.quadnet.species import ENTROPY, MARGIN, difference, invented_species
from geobench.training.quadnet.views import SIDE, Views, render_views


@pytest.fixture(scope="module")
def views() -> Views:
    return render_views(8, 8)


def test_no_species_of_the_embedded_benchmark_is_trained_on() -> None:
    invented = [invented_species(number) for number in range(400)]
    assert {kind.name for kind in invented}.isdisjoint(kind.name for kind in SPECIES)
    assert {kind.coat for kind in invented}.isdisjoint(kind.coat for kind in SPECIES)
    nearest = min(difference(one.shape, kind.shape) for one in invented for kind in SPECIES)
    assert nearest >= MARGIN
    assert len({kind.shape for kind in invented}) == 400


def test_embedded_species_are_at_no_distance_from_themselves() -> None:
    assert [difference(kind.shape, kind.shape) for kind in SPECIES] == [0.0] * len(SPECIES)


def test_no_seed_of_the_embedded_benchmark_is_trained_on() -> None:
    def states(entropy: int, keys: list[tuple[int, ...]]) -> set[bytes]:
        return {np.random.SeedSequence(entropy, spawn_key=key).generate_state(4).tobytes() for key in keys}

    embedded = states(0, [(plan.image,) for plan in _plans(None)])
    trained = states(ENTROPY, [(kind, number) for kind in (0, 1) for number in range(4000)])
    assert len(embedded) == len(_plans(None))
    assert embedded.isdisjoint(trained)


def test_an_animal_of_the_templates_shape_is_carried_onto_itself() -> None:
    animal = place_animal(SPECIES[0], replace(Shape(), horn=0.3, mane=0.075, tuft=0.05), Pose())
    template = template_pieces(animal.shape)
    assert [one.part for one in template] == [one.part for one in animal.body.pieces]
    points = np.random.default_rng(0).normal(size=(20, 3))
    for here, there in zip(animal.body.pieces, template, strict=True):
        np.testing.assert_allclose(carried(here, there, points), points, atol=1e-9)


@pytest.mark.parametrize("kind", [0, 6, 8], ids=["cat", "cow", "horse"])
def test_both_sides_of_a_resting_animal_have_the_same_places(kind: int) -> None:
    animal = place_animal(SPECIES[kind], SPECIES[kind].shape, Pose())
    pieces = animal.body.pieces
    mirrored = {number: _partner(pieces, number) for number in range(len(pieces))}
    assert any(number != other for number, other in mirrored.items())
    points = np.random.default_rng(1).normal(size=(30, 3))
    for number, other in mirrored.items():
        here = merged_places(animal, np.full(30, number), points)
        there = merged_places(animal, np.full(30, other), points * [1, -1, 1])
        np.testing.assert_allclose(here, there, atol=1e-9)
        assert (here[:, 1] >= 0).all()


def _partner(pieces: list, number: int) -> int:
    """Return the piece of the same part whose middle is the mirror image of that of piece ``number``."""
    middles = np.array([np.mean([centre for centre, _ in one.solid.spheres()], axis=0) for one in pieces])
    same = np.array([one.part == pieces[number].part for one in pieces])
    away = np.linalg.norm(middles - middles[number] * [1, -1, 1], axis=1) + ~same
    return int(away.argmin())


def test_keypoints_of_one_name_lie_near_each_other_on_the_template_whatever_the_species() -> None:
    places = []
    for number in range(20):
        scene = random_scene((invented_species(number),), 96, np.random.default_rng(number))
        animal = scene.animals[0]
        point = animal.body.points["left_hip"][None]
        near = int(np.argmin([abs(piece.solid.nearest(point)[0][0]) for piece in animal.body.pieces]))
        places.append(merged_places(animal, np.array([near]), point)[0])
    spread = np.linalg.norm(np.array(places) - np.median(places, axis=0), axis=1)
    assert np.median(spread) < 0.2


def test_truth_stays_on_the_animal_when_a_view_is_moved(views: Views) -> None:
    shown = np.kron(views.truth[:, 0], np.ones((2, 2))).astype(np.uint8)
    coded = Views(np.repeat(255 * shown[..., None], 3, axis=3), views.truth, views.heading)
    batch = augmented(coded, torch.arange(8), torch.Generator().manual_seed(0))
    seen = torch.nn.functional.avg_pool2d(batch.pixels.mean(1, keepdim=True), 4)[:, 0] > 0
    assert shown.shape[1:] == (SIDE, SIDE)
    agreed = (seen == (batch.animal > 0)).float().mean()
    assert agreed > 0.97
    assert torch.allclose(batch.heading.norm(dim=1), torch.ones(8), atol=1e-5)


def test_mirroring_turns_the_heading_and_leaves_the_places(views: Views) -> None:
    found = [augmented(views, torch.zeros(1, dtype=torch.int64), torch.Generator().manual_seed(n)) for n in range(12)]
    sideways = torch.stack([one.heading[0, 0] for one in found])
    assert abs(float(views.heading[0, 0])) > 0.3
    assert (sideways > 0).any()
    assert (sideways < 0).any()
    assert all((one.place[:, 1] >= 0).all() for one in found)


def test_contrast_rewards_channels_that_say_the_place_and_does_not_ask_for_the_side(views: Views) -> None:
    batch = augmented(views, torch.arange(8), torch.Generator().manual_seed(0))
    waves = torch.randn(SEMANTIC, 3, generator=torch.Generator().manual_seed(1)) * 4
    told = torch.cos(torch.einsum("cd,ndhw->nchw", waves, batch.place))
    noise = torch.randn(told.shape, generator=torch.Generator().manual_seed(2))
    losses = [float(contrast(one, batch, torch.Generator().manual_seed(3))) for one in (told, noise)]
    assert losses[0] < losses[1] - 1


def test_training_repeats_to_the_bit_and_moves_the_weights(views: Views) -> None:
    state = torch.random.get_rng_state()
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        first, again, other = (train(views, Plan(steps=2, batch=4, seed=seed)) for seed in (0, 0, 1))
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.random.set_rng_state(state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["out.weight"], other["out.weight"])

"""What docs/errata.md says about the training losses is measured here, and must stand in the document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from geobench.training.dense import true_places
from geobench.training.losses import LossSettings, LossTerms, Objective

sys.path.insert(0, str(Path(__file__).parent))
from loss_goldens import case

DOCUMENT = (Path(__file__).parents[2] / "docs" / "errata.md").read_text(encoding="utf-8").split("## Training losses")[1]
ALONE = {"double_flip": 0.0, "self_flip": 0.0, "single_flip": 0.0}


def loss(**settings: Any) -> LossTerms:
    given = case()
    return Objective(LossSettings(perturbation=0.0, **settings))(given.pair, given.scale)


@pytest.mark.parametrize(
    ("settings", "figure"),
    [
        ({"as_published_code": True}, "25.289 as published"),
        ({"as_published_code": True, "single_flip": 1.0}, "25.928 with the term"),
        ({"single_flip": 0.0}, "28.485 without single flip"),
        ({}, "30.026 with it"),
    ],
    ids=lambda one: one if isinstance(one, str) else None,
)
def test_the_flips_that_are_not_trained(settings, figure):
    assert figure in DOCUMENT
    assert loss(**settings).total.item() == pytest.approx(float(figure.split()[0]), abs=6e-4)


@pytest.mark.parametrize(("shape", "figures"), [({"window": 11}, (26.407, 26.486)), ({"sigma": 5.0}, (26.551, 26.497))])
def test_masked_cells(shape, figures):
    for published, figure in zip((True, False), figures, strict=True):
        assert f"{figure:.3f}" in DOCUMENT
        found = loss(as_published_code=published, **shape, **ALONE).parts["pair dense"].item()
        assert found == pytest.approx(figure, abs=6e-4)


def test_the_grid_that_is_trained():
    objective = Objective(LossSettings(perturbation=0.0, as_published_code=True, **ALONE))
    optimiser = torch.optim.AdamW(objective.parameters(), lr=1.25e-3, weight_decay=1e-3)
    losses = []
    for _ in range(101):
        given = case()
        found = objective(given.pair, given.scale)
        losses.append(found.parts["pair dense"].item())
        optimiser.zero_grad()
        found.total.backward()
        optimiser.step()
    moved = (objective.soft_argmax.x_normal - torch.linspace(-1, 1, 60)).abs().max().item() * 59 / 2
    assert (losses[0], losses[100], moved) == pytest.approx((25.1, 21.7, 4.5), abs=0.06)
    assert "by up to 4.5 cells and lower the dense loss from 25.1 to 21.7" in DOCUMENT


def test_displacements_that_start_at_a_whole_cell():
    pair = case().pair
    rows = pair.source.visible & pair.target.visible
    places = [true_places(pair.source.points[rows], pair.target.points[rows], flag) for flag in (False, True)]
    apart = (places[0] - places[1]).norm(dim=1)
    assert "9 common keypoints" in DOCUMENT
    assert len(apart) == 9
    assert "0.33 cells on average, 0.50 at most" in DOCUMENT
    assert (apart.mean().item(), apart.max().item()) == pytest.approx((0.33, 0.50), abs=6e-3)

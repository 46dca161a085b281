"""The post-processor against the authors' network, and its properties."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.features.state_dict import load_strictly, read_state_dict
from geobench.training.adapters import load_post_processor
from geobench.training.post_processor import PostProcessor

GOLDENS = Path(__file__).parents[1] / "goldens" / "geoaware_training"
INFO = json.loads((GOLDENS / "aggregation_net_info.json").read_text())


@cache
def stored(name: str) -> torch.Tensor:
    with np.load(GOLDENS / "aggregation_net_io.npz") as file:
        return torch.from_numpy(file[name]).float()


def network(number: int) -> PostProcessor:
    return load_post_processor(GOLDENS / f"aggregation_net_{number}.safetensors")


@pytest.mark.parametrize("number", [0, 1])
def test_outputs_are_the_authors(number):
    found = network(number)
    assert list(found.groups) == INFO["small"][number]["feature_dims"]
    assert sum(p.numel() for p in found.parameters()) == INFO["small"][number]["n_params"]
    with torch.no_grad():
        torch.testing.assert_close(found(stored(f"{number}/x")), stored(f"{number}/y"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("number", [0, 1])
def test_in_training_without_dropout_outputs_and_gradients_are_the_authors(number):
    found = network(number).train()
    made = found(stored(f"{number}/x"))
    torch.testing.assert_close(made, stored(f"{number}/y"), rtol=0, atol=1e-5)
    made.square().mean().backward()
    norms = INFO["small"][number]["grad_norm_of_mean_square"]
    assert set(norms) == {name for name, _ in found.named_parameters()}
    for name, parameter in found.named_parameters():
        got = None if parameter.grad is None else float(parameter.grad.norm())
        assert got == (None if norms[name] is None else pytest.approx(norms[name], rel=1e-4)), name


@pytest.mark.parametrize("full", INFO["full"], ids=lambda full: str(full["projection_dim"]))
def test_full_size_has_the_authors_keys_shapes_and_count(full):
    found = PostProcessor(full["feature_dims"], full["projection_dim"])
    shapes = {name: list(tensor.shape) for name, tensor in found.state_dict().items()}
    assert shapes == {name: shape for name, (shape, _) in full["state_dict"].items()}
    assert sum(p.numel() for p in found.parameters()) == full["n_params"]


def test_the_default_is_the_papers_size():
    assert sum(p.numel() for p in PostProcessor().parameters()) == 5_150_214


def test_dropout_acts_in_training_only_and_scales_what_is_left():
    found, features = network(0), stored("0/x")
    found.dropout = 0.2
    with torch.no_grad():
        torch.testing.assert_close(found(features), stored("0/y"), rtol=0, atol=1e-5)
        torch.manual_seed(3)
        dropped = found.train()(features)
        torch.manual_seed(3)
        kept = torch.nn.functional.dropout(features, 0.2)
        found.dropout = 0.0
        assert torch.equal(found(kept), dropped)
    share = float((kept == 0).float().mean() - (features == 0).float().mean())
    assert share == pytest.approx(0.2, abs=0.01)
    torch.testing.assert_close(kept[kept != 0], (features / 0.8)[kept != 0])


def test_it_starts_with_equal_shares_and_the_contrastive_temperature_of_clip():
    found = PostProcessor([32, 64], 128)
    assert torch.equal(torch.softmax(found.mixing_weights, 0), torch.tensor([0.5, 0.5]))
    assert found.scale.item() == pytest.approx(1 / 0.07, rel=1e-6)


@settings(max_examples=10)
@given(st.lists(st.sampled_from([32, 64, 128]), min_size=1, max_size=3), st.sampled_from([128, 256]))
def test_descriptors_are_not_negative_and_a_copy_is_equal(groups, channels):
    found = PostProcessor(groups, channels).eval()
    features = torch.randn(1, sum(groups), 3, 4)
    copy = load_strictly(PostProcessor(groups, channels).eval(), found.state_dict(), "copy")
    with torch.no_grad():
        made = found(features)
        assert made.shape == (1, channels, 3, 4)
        assert float(made.min()) >= 0
        assert torch.equal(made, copy(features))


def test_images_of_a_batch_do_not_see_each_other():
    found, features = network(1), stored("1/x")
    with torch.no_grad():
        torch.testing.assert_close(found(features[1:]), found(features)[1:], rtol=0, atol=1e-6)


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="207 channels"):
        network(0)(torch.zeros(1, 207, 2, 2))
    with pytest.raises(ValueError, match="multiples of 128"):
        PostProcessor([32], 100)


def test_the_state_dict_of_the_golden_is_read_as_float16_and_used_as_float32():
    state = read_state_dict(GOLDENS / "aggregation_net_0.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert {p.dtype for p in network(0).parameters()} == {torch.float32}

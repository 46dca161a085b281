"""Checkpoints of post-processors: wrappings that are known, strictness beyond them, the three real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geobench.errors import InputError
from geobench.training.adapters import load_post_processor
from geobench.training.post_processor import PostProcessor

REAL = Path(__file__).parents[3] / "shared" / "data" / "weights" / "diy-sc-adapters"
REAL_ONES = [("0300_dino_spair", 768), ("0368_dino_spair_fdim_128", 128), ("0369_dino_spair_fdim_384", 384)]
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="DIY-SC's adapters are not beside this clone")


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(PostProcessor([32, 48], 128).state_dict())


def saved(path: Path, held: object) -> Path:
    torch.save(held, path)
    return path


WRAPPED = {
    "bare": lambda one: one,
    "state_dict": lambda one: {"state_dict": one, "epoch": 3},
    "model": lambda one: {"model": one},
    "aggregation_network": lambda one: {"step": 1, "aggregation_network": one},
    "module": lambda one: {f"module.{key}": value for key, value in one.items()},
    "module below state_dict": lambda one: {"state_dict": {f"module.{key}": value for key, value in one.items()}},
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_known_wrappings_are_taken_off(tmp_path, wrapping):
    found = load_post_processor(saved(tmp_path / "best.pth", WRAPPED[wrapping](state())))
    assert (found.groups, found.channels, found.training) == ((32, 48), 128, False)
    assert all(torch.equal(value, state()[key]) for key, value in found.state_dict().items())


def test_safetensors_load(tmp_path):
    save_file(state(), tmp_path / "post_processor.safetensors")
    found = load_post_processor(tmp_path / "post_processor.safetensors")
    assert torch.equal(found.state_dict()["mixing_weights"], torch.ones(2))


BLOCK = "bottleneck_layers.0.0."
WRONG = {
    "missing": (lambda one: one.pop("logit_scale"), r"logit_scale \(\) is missing"),
    "shape": (
        lambda one: one.update({BLOCK + "conv2.weight": torch.zeros(32, 32, 1, 1)}),
        r"0\.0\.conv2\.weight has shape \(32, 32, 1, 1\), the network has \(32, 32, 3, 3\)",
    ),
    "norm": (
        lambda one: one.update({BLOCK + "conv3.norm.bias": torch.zeros(64)}),
        r"conv3\.norm\.bias has shape \(64,\), the network has \(128,\)",
    ),
    "extra": (lambda one: one.update({"pos_embedding": torch.zeros(2)}), r"pos_embedding \(2,\) is not in the network"),
    "mixing": (
        lambda one: one.update(mixing_weights=torch.ones(5)),
        r"mixing_weights has shape \(5,\), the network has \(2,\)",
    ),
    "first layer gone": (lambda one: one.pop(BLOCK + "conv1.weight"), r"layers\.0\.0\.conv1\.weight is missing"),
    "no layers": (
        lambda one: [one.pop(key) for key in list(one) if key.startswith("bottleneck")],
        r"conv1\.weight is missing \(its first key: logit_scale \(\)\); these are not the weights of a post-processor",
    ),
    "no convolution": (
        lambda one: one.update({BLOCK + "conv1.weight": torch.zeros(32)}),
        r"conv1\.weight has shape \(32,\), a convolution has four axes",
    ),
    "width": (
        lambda one: one.update({BLOCK + "conv3.weight": torch.zeros(100, 32, 1, 1)}),
        r"conv3\.weight has 100 output channels, a post-processor has a multiple of 128",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_refused_by_its_first_key_in_one_sentence(tmp_path, wrong):
    change, sentence = WRONG[wrong]
    changed = state()
    change(changed)
    with pytest.raises(InputError, match=sentence) as caught:
        load_post_processor(saved(tmp_path / "best.pth", changed))
    assert str(caught.value).startswith(str(tmp_path / "best.pth"))
    assert "\n" not in str(caught.value)


def test_other_groups_than_asked_for_are_refused_with_both_shapes(tmp_path):
    path = saved(tmp_path / "best.pth", state())
    with pytest.raises(InputError, match=r"shortcut\.weight has shape \(128, 32, 1, 1\), the network has \(128, 64, 1"):
        load_post_processor(path, [64, 48])


def test_a_pickle_with_more_than_tensors_is_not_unpickled(tmp_path):
    with pytest.raises(InputError, match="holds more than tensors"):
        load_post_processor(saved(tmp_path / "best.pth", {"state_dict": state(), "path": Path("x")}))


@needs_real
@pytest.mark.parametrize(("name", "channels"), REAL_ONES)
def test_the_real_adapters_of_diy_sc_load_strictly_and_run(name, channels):
    found = load_post_processor(REAL / name / "best.pth", [768])
    assert (found.groups, found.channels) == ((768,), channels)
    assert 1 / found.scale.item() < 0.07  # training has sharpened the temperature
    with torch.no_grad():
        made = found(torch.randn(2, 768, 10, 10, generator=torch.Generator().manual_seed(0)))
    assert made.shape == (2, channels, 10, 10)
    assert bool(made.isfinite().all())
    assert float(made.min()) >= 0
    assert float(made.std()) > 0

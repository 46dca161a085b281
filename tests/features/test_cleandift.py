"""CleanDIFT on random weights: one clean pass, the UNet from one file, everything else from Stable Diffusion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geobench.errors import InputError
from geobench.features.cleandift import FILE, Extractor, Settings
from geobench.features.diffusion import networks
from geobench.features.diffusion.networks import load_unet, unet_from_file
from geobench.features.weights import Weights
from tests.features.test_dift import IDS, off, picture


def test_one_clean_pass_without_anything_drawn() -> None:
    made = Extractor(Settings(side=128, batch=2), weights=Weights(random="tiny"))
    both = made.many([picture("a"), picture("b")], [1, 2])
    again = made.many([picture("a")], [3])[0]
    assert both[0].grid == (8, 8)
    assert off(both[0].features, again.features) <= 1e-5
    with torch.no_grad():
        pixels = torch.rand(1, 3, 128, 128)
        mean, _ = made.posterior(pixels)
        text = made.text(["A photo of a cat"])
        wanted, at_zero = (made.unet(mean * made.posterior.factor, timestep, text) for timestep in (261, 0))
        found = made._one_pass(pixels, text)
    assert torch.equal(found, wanted)
    assert off(found, at_zero) > 1e-3


def test_the_unet_comes_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = load_unet(Weights(), IDS, "2.1")
    version = networks.VERSIONS["2.1"]
    given = {key: value for key, value in tiny.config.items() if not key.startswith("_")}
    monkeypatch.setitem(networks.VERSIONS, "2.1", networks.Version(version.ids, given, version.text, version.pad))
    path = tmp_path / FILE
    state = {key: value + 1 for key, value in tiny.state_dict().items()}
    save_file(state, path)
    made = Extractor(Settings(side=128, ids=IDS), weights=(weights := Weights({"cleandift": tmp_path})))
    assert torch.equal(made.unet.unet.conv_in.weight, state["conv_in.weight"])
    assert set(weights.loaded) == {"stable-diffusion/text_encoder", "stable-diffusion/vae", "cleandift"}
    del state["conv_in.bias"]
    save_file(state, path)
    with pytest.raises(InputError, match=rf"{FILE}: conv_in\.bias \(16,\) is missing"):
        unet_from_file(path, "2.1")


def test_an_absent_file_says_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"fetch {FILE} from https://huggingface.co/CompVis/cleandift"):
        Extractor(Settings(side=128, ids=IDS), weights=Weights({"cleandift": tmp_path}))

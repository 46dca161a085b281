"""DIFT against the authors' features on seeded random weights, and what this code saves against theirs."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from geobench.errors import InputError
from geobench.features.diffusion.networks import load_unet
from geobench.features.diffusion.noise import draw_noise, signal_and_noise
from geobench.features.diffusion.unet import UpBlock
from geobench.features.dift import VERSION, Extractor, Settings
from geobench.features.weights import Weights
from geobench.picture import Picture
from geobench.typed_toml import validate

GOLDENS = Path(__file__).parents[1] / "goldens" / "dift"
CASES = json.loads((GOLDENS / "dift_golden.json").read_text())["cases"]
IDS = (str(GOLDENS / "tiny_sd"),)


@cache
def golden() -> dict[str, Tensor]:
    return load_file(GOLDENS / "dift_golden.safetensors")


@cache
def extractor(timestep: int = 261, up_block: int = 1, ensemble: int = 8, side: int = 768) -> Extractor:
    settings = Settings(timestep=timestep, up_block=up_block, ensemble=ensemble, side=side, ids=IDS)
    return Extractor(settings)


def picture(name: str, category: str = "cat") -> Picture:
    path = GOLDENS / f"img_{name}.png"
    with Image.open(path) as image:
        width, height = image.size
    return Picture(f"{name}.png", path, (width, height), category, (0, 0, width, height))


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case["img_size"] == [768, 768]])
def test_full_size_goldens_from_picture_and_seed(name: str) -> None:
    case = CASES[name]
    (found,) = extractor(ensemble=case["ensemble_size"]).many([picture("a", case["category"])], [case["noise_seed"]])
    assert off(found.features[None], golden()[f"{name}.feature_mean"]) <= 1e-5
    assert found.grid == (48, 48)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case["img_size"] != [768, 768]])
def test_small_goldens_of_any_shape(name: str) -> None:
    case = CASES[name]
    made = extractor(case["t"], case["up_ft_index"], case["ensemble_size"])
    with Image.open(GOLDENS / f"img_{'odd' if name.startswith('odd') else 'b'}.png") as image:
        resized = image if case["img_size"] is None else image.resize(case["img_size"])
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].float() / 255
    noises = draw_noise(tuple(case["latent_shape"]), case["noise_seed"])
    torch.testing.assert_close(noises[0], golden()[f"{name}.noise_vae"], rtol=0, atol=0)
    torch.testing.assert_close(noises[1], golden()[f"{name}.noise_ddim"], rtol=0, atol=0)
    prompt = "" if case["category"].startswith("unknown") else f"a photo of a {case['category']}"
    with torch.no_grad():
        mean, std = made.posterior(pixels)
        found = made.features(mean, std, *noises, made.text([prompt]))
    assert off(found, golden()[f"{name}.feature_mean"]) <= 1e-5


def test_the_schedule_is_the_checkpoints() -> None:
    given = json.loads((GOLDENS / "dift_golden.json").read_text())["alphas_cumprod"]
    values = dict(given.items() if isinstance(given, dict) else enumerate(given))
    for timestep, kept in values.items():
        signal, noise = signal_and_noise(int(timestep))
        assert signal**2 == pytest.approx(float(kept), rel=1e-5)
        assert signal**2 + noise**2 == pytest.approx(1)


def test_the_autoencoder_runs_once_per_image_and_the_noises_do_not_depend_on_the_batch() -> None:
    made = Extractor(Settings(ensemble=3, side=128, ids=IDS, batch=2))
    calls: list[int] = []
    made.posterior.register_forward_hook(lambda _module, given, _out: calls.append(len(given[0])))
    a, b = picture("a"), picture("b", "dog")
    together = made.many([a, b], [1, 2])
    alone = [made.many([one], [seed])[0] for one, seed in ((a, 1), (b, 2))]
    assert calls == [2, 1, 1]
    for x, y in zip(together, alone, strict=True):
        assert off(x.features, y.features) <= 1e-5
    made._noises.size = 1
    assert off(made.many([a], [1])[0].features, alone[0].features) <= 1e-5


def test_one_encoding_serves_all_noises_as_well_as_one_each() -> None:
    made = Extractor(Settings(ensemble=8, side=128, ids=IDS))
    pixels = torch.from_numpy(np.array(Image.open(GOLDENS / "img_a.png").resize((128, 128)))).permute(2, 0, 1)[None]
    pixels = pixels.float() / 255
    noises = draw_noise((8, 4, 16, 16), 3)
    with torch.no_grad():
        mean, std = made.posterior(pixels)
        found = made.features(mean, std, *noises, made.text(["a photo of a cat"]))
        each = made.posterior.vae.encode(((pixels - 0.5) * 2).repeat(8, 1, 1, 1)).latent_dist
        latents = (each.mean + each.std * noises[0]) * made.posterior.vae.config.scaling_factor
        kept, added = signal_and_noise(261)
        condition = made.text(["a photo of a cat"] * 8)
        wanted = made.unet(kept * latents + added * noises[1], 261, condition).mean(dim=0, keepdim=True)
    assert off(found, wanted) <= 1e-5


def test_the_seed_decides_the_noise() -> None:
    made = extractor(ensemble=1, side=128)
    first, again, other = (made.many([picture("a")], [seed])[0].features for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert off(other, first) > 1e-2


@pytest.mark.parametrize(("block", "side"), [(0, 16), (1, 16), (1, 19), (2, 13)])
def test_cut_off_is_what_the_whole_network_has_there(block: int, side: int) -> None:
    whole, cut = (load_unet(Weights(), IDS, VERSION) for _ in range(2))
    kept: dict[str, Tensor] = {}
    whole.up_blocks[block].register_forward_hook(lambda _module, _given, out: kept.update(out=out))
    latents, condition = torch.randn(2, 4, side, side + 2), torch.randn(2, 77, 32)
    with torch.no_grad():
        whole(latents, 261, encoder_hidden_states=condition)
        found = UpBlock(cut, block)(latents, 261, condition)
    assert torch.equal(found, kept["out"])
    assert sum(p.numel() for p in cut.parameters()) < sum(p.numel() for p in whole.parameters())


def test_prompt_templates() -> None:
    settings = Settings(prompts={"tvmonitor": "a photo of a television"})
    assert settings.prompt_for(picture("a", "black bear")) == "a photo of a black bear"
    assert settings.prompt_for(picture("a", "tvmonitor")) == "a photo of a television"
    with pytest.raises(InputError, match=r"img_a\.png: has no category to put into the prompt"):
        settings.prompt_for(picture("a", " "))
    assert Settings(prompt="").prompt_for(picture("a", "")) == ""
    for prompt, wrong in (("a {kind}", "unknown field 'kind'"), ("a {category", "is not a template")):
        with pytest.raises(InputError, match=wrong):
            validate({"prompt": prompt}, Settings, "recipe")


def test_grey_and_small_pictures_go_through(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (3, 50), 128).save(path)
    one = replace(picture("a"), path=path, size=(3, 50))
    assert extractor(ensemble=1, side=128).many([one], [0])[0].features.isfinite().all()

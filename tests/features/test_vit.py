"""Any Vision Transformer: which tokens are read and where they lie, on random weights of every family."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch import Tensor

from geobench.errors import InputError
from geobench.features.vit import FAMILIES, Extractor, Settings
from geobench.features.weights import Weights
from geobench.methods.loader import load_method
from geobench.methods.recipe import ComposedMethod
from geobench.picture import Picture
from tests.features.checkpoints import saved, without


def picture(folder: Path, size: tuple[int, int], seed: int = 0, mode: str = "RGB") -> Picture:
    path = folder / f"{seed}-{mode}.png"
    bands = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    Image.fromarray(bands).convert(mode).save(path)
    return Picture(path.stem, path, size, "cat", (0, 0, *size))


def extractor(family: str, **settings: object) -> Extractor:
    return Extractor(Settings(family=family, **settings), weights=Weights(random="tiny"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("recipe", "side"), [("dino-nn", 60), ("dinov3-nn", 60), ("clip-nn", 42)])
def test_recipes_run_on_random_weights(recipe: str, side: int, tmp_path: Path) -> None:
    loaded = load_method(recipe, weights=Weights(random="tiny"))
    assert isinstance(loaded.method, ComposedMethod)
    assert loaded.weights == {"vit": "random (tiny)"}
    one = loaded.describe(picture(tmp_path, (100, 60)))
    assert one.grid == (side, side)
    points = np.array([[20.0, 30.0], [70.0, 10.0]], np.float32)
    np.testing.assert_allclose(loaded.predict(one, one, points), points, atol=100 / side)


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_come_from_the_family(family: str) -> None:
    made = extractor(family)
    assert made.settings.ids == FAMILIES[family].ids
    assert made.settings.side % made.reader.patch == 0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("facet", ["token", "query", "key", "value"])
def test_a_facet_is_what_the_block_computes_of_the_patches_row_by_row(family: str, facet: str, tmp_path: Path) -> None:
    side = 4 * extractor(family, side=FAMILIES[family].side).reader.patch
    made = extractor(family, facet=facet, layer=3, side=side)
    kept: dict[str, Tensor] = {}

    def keep(_module: object, given: tuple[Tensor, ...], out: Tensor | tuple[Tensor, ...]) -> None:
        kept["given"], kept["out"] = given[0], out[0] if isinstance(out, tuple) else out

    suffix = {"token": "3", "query": "3.attention.q_proj", "key": "k_proj", "value": "v_proj"}[facet].split(".")[-1]
    read = [module for name, module in made.reader.network.named_modules() if name.split(".")[-1] == suffix]
    read[-1].register_forward_hook(keep)
    found = made(picture(tmp_path, (64, 64))).features
    patches = kept["out"][0, -16:]
    for cell in range(16):
        assert torch.equal(found[:, cell // 4, cell % 4], patches[cell])


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_cut_off_change_nothing(family: str, tmp_path: Path) -> None:
    side = 4 * extractor(family, side=FAMILIES[family].side).reader.patch
    whole, cut = extractor(family, side=side), extractor(family, side=side, layer=4)
    lists = [one for one in whole.reader.network.modules() if isinstance(one, torch.nn.ModuleList) and len(one) == 12]
    kept: list[Tensor] = []
    lists[0][4].register_forward_hook(
        lambda _module, _given, out: kept.append(out[0] if isinstance(out, tuple) else out)
    )
    one = picture(tmp_path, (64, 64))
    whole(one)
    assert torch.equal(cut(one).features.flatten(1), kept[0][0, -16:].T)


def test_final_norm_is_the_last_hidden_state(tmp_path: Path) -> None:
    made = extractor("dino", side=32, final_norm=True)
    one = picture(tmp_path, (32, 32))
    pixels = made.pixels(one, made(one).letterbox)
    with torch.no_grad():
        state = made.reader.network(pixels[None], interpolate_pos_encoding=True).last_hidden_state
    assert torch.equal(made(one).features.flatten(1), state[0, 1:].T)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_pictures_of_any_colour_mode_go_through(mode: str, tmp_path: Path) -> None:
    assert extractor("clip", side=32)(picture(tmp_path, (5, 90), mode=mode)).features.isfinite().all()


def test_frames(tmp_path: Path) -> None:
    one = picture(tmp_path, (100, 50))
    padded, squashed = (extractor("vit", side=64, frame=frame)(one).letterbox for frame in ("pad", "squash"))
    assert padded.content == (64, 32)
    assert squashed.content == (64, 64)


def test_a_batch_gives_what_single_images_give(tmp_path: Path) -> None:
    made = extractor("dinov3", side=64, batch=3)
    pictures = [picture(tmp_path, (64, 40), seed) for seed in range(3)]
    for one, alone in zip(made.many(pictures, [0] * 3), map(made, pictures), strict=True):
        assert float((one.features - alone.features).abs().max()) <= 1e-5


def network(family: str) -> torch.nn.Module:
    """Return a network of a family, tiny and whole."""
    return extractor(family, side=FAMILIES[family].side).reader.network  # type: ignore[no-any-return]


def test_weights_of_another_family_are_refused(tmp_path: Path) -> None:
    saved(network("dino"), tmp_path)
    with pytest.raises(InputError, match="describes 'vit', and CLIPVisionModel needs"):
        Extractor(Settings(family="clip", ids=(str(tmp_path),)))


def test_the_first_key_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = without(saved(network("vit"), tmp_path), "embeddings.patch_embeddings.projection.bias")
    with pytest.raises(InputError, match=r"embeddings\.patch_embeddings\.projection\.bias is missing"):
        Extractor(Settings(ids=(str(folder),), side=32))


def test_half_of_clip_is_read_from_the_whole(tmp_path: Path) -> None:
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 64}
    text = vision | {"vocab_size": 9, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
    whole = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision)).eval()
    made = Extractor(Settings(family="clip", ids=(str(saved(whole, tmp_path / "clip")),), side=64, layer=0))
    one = picture(tmp_path, (64, 64))
    with torch.no_grad():
        pixels = made.pixels(one, made(one).letterbox)[None]
        states = whole.vision_model(pixels, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states
    assert torch.equal(made(one).features.flatten(1), states[1][0, 1:].T)


def test_colours_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    folder = saved(network("vit"), tmp_path / "vit")
    one = picture(tmp_path, (32, 32))

    def first_pixel() -> Tensor:
        made = Extractor(Settings(ids=(str(folder),), side=32))
        return made.pixels(one, made(one).letterbox)[:, 0, 0]

    rgb = torch.from_numpy(one.pixels[0, 0].copy()) / 255
    torch.testing.assert_close(first_pixel(), (rgb - 0.5) / 0.5)
    told = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    torch.testing.assert_close(
        first_pixel(), (rgb - torch.tensor(told["image_mean"])) / torch.tensor(told["image_std"])
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(told | {"do_normalize": False}))
    torch.testing.assert_close(first_pixel(), rgb)
    for broken, words in (([0.5], "image_std is .0.5., and not three"), ([0.5, 0.0, 0.5], "nothing can be divided")):
        (folder / "preprocessor_config.json").write_text(json.dumps(told | {"image_std": broken}))
        with pytest.raises(InputError, match=words):
            first_pixel()


def test_weights_behind_a_licence_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    words = r"accepted their licence by hand at https://huggingface.co/facebook/dinov3-vitb16-pretrain-lvd1689m"
    with pytest.raises(InputError, match=words):
        Extractor(Settings(family="dinov3"))
    with pytest.raises(InputError, match="no weights of facebook/dino-vits8") as caught:
        Extractor(Settings(family="dino"))
    assert "by hand" not in str(caught.value)
    with pytest.raises(InputError, match="is not there") as caught:
        Extractor(Settings(family="dinov3"), weights=Weights({"vit": tmp_path / "nowhere"}))
    assert "by hand" not in str(caught.value)


def test_full_size_is_known_of_the_default_model_only() -> None:
    with pytest.raises(InputError, match="random-weights=full knows facebook/dino-vits8"):
        Extractor(Settings(family="dino", ids=("facebook/dino-vitb8",)), weights=Weights(random="full"))

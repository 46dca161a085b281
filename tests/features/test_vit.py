"""Any Vision Transformer: which tokens are read and where they lie, on random weights of every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from geobench.errors import InputError
from geobench.features.vit import FAMILIES, Extractor, Settings
from geobench.features.weights import Weights
from geobench.picture import Picture


def picture(folder: Path, size: tuple[int, int], seed: int = 0, mode: str = "RGB") -> Picture:
    path = folder / f"{seed}-{mode}.png"
    bands = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    Image.fromarray(bands).convert(mode).save(path)
    return Picture(path.stem, path, size, "cat", (0, 0, *size))


def extractor(family: str, **settings: object) -> Extractor:
    return Extractor(Settings(family=family, **settings), weights=Weights(random="tiny"))  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_default_side_gives_the_grid_of_patches(family: str, tmp_path: Path) -> None:
    made = extractor(family)
    found = made(picture(tmp_path, (100, 60)))
    assert found.grid == (made.settings.side // made.reader.patch,) * 2
    assert found.features.isfinite().all()


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


def test_weights_of_another_family_are_refused(tmp_path: Path) -> None:
    extractor("dino", side=32).reader.network.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="describes 'vit', and CLIPVisionModel needs"):
        Extractor(Settings(family="clip", ids=(str(tmp_path),)))

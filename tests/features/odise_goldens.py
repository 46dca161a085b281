"""The numbers of tests/goldens/odise and the networks that gave them: weights that follow from their names."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from geobench.features import stable_diffusion
from geobench.features.diffusion.odise import Captioner
from geobench.features.stable_diffusion import Extractor, Settings
from geobench.features.weights import Weights
from geobench.picture import Picture

FOLDER = Path(__file__).parents[1] / "goldens" / "odise"
RUNS = {"geoaware-sc": "geo_t50_freeu", "sd-dino": "sddino_t100_nofreeu"}
SEEDS = {"tiny": 301, "sd15": 311}
_COMPONENTS = {"unet": "unet", "vae": "vae", "": "clip"}


def numbers(size: str, setting: str) -> tuple[dict[str, Tensor], dict]:
    stem = FOLDER / size / RUNS[setting]
    return load_file(f"{stem}.safetensors"), json.loads(stem.with_suffix(".json").read_text())


def picture(size: str) -> Picture:
    return Picture("golden", FOLDER / size / "img.png", (150, 100), "cat", (0.0, 0.0, 150.0, 100.0))


def tensor_named(component: str, name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """The recipe of the goldens' README, rules in its order."""
    key = (zlib.crc32(f"{component}/{name}".encode()) + 1000003 * seed) % 2**63
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(key))
    if name == "uncond_inputs":
        return drawn
    if name.startswith("alpha_cond") or name.endswith("positional_embedding"):
        return 0.5 * drawn
    if name.endswith("bias"):
        return 0.05 * drawn
    if len(shape) == 1:
        return 1 + 0.1 * drawn if name.endswith("weight") else 0.5 * drawn
    return 0.5 * drawn if name.endswith("position_embedding.weight") else drawn / drawn[0].numel() ** 0.5


def fill(network: nn.Module, component: str, seed: int) -> nn.Module:
    """Give a network the goldens' weights."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(tensor_named(component, name, tuple(tensor.shape), seed))
    return network


def tiny_network(component: str) -> nn.Module:
    """A network of the small goldens, with weights of its own."""
    if component == "unet":
        return UNet2DConditionModel(
            sample_size=64, block_out_channels=(32, 64, 128, 128), cross_attention_dim=32, attention_head_dim=8
        )
    if component == "vae":
        return AutoencoderKL(
            block_out_channels=(32, 64, 128, 128),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
    sizes = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"image_size": 56, "patch_size": 14, "projection_dim": 48}
    return CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_act="quick_gelu", **sizes))


class GoldenWeights(Weights):
    """Weights from the recipe in place of files; ODISE's are written to a file, from which they are read."""

    def __init__(self, size: str, folder: Path) -> None:
        super().__init__(random="tiny" if size == "tiny" else "full")
        self.seed, self.folder_of_odise = SEEDS[size], folder

    def network(self, part, cls, ids, randomly, subfolder=""):
        network = tiny_network(_COMPONENTS[subfolder]) if self.random == "tiny" else randomly(False)
        return fill(network.eval(), _COMPONENTS[subfolder], self.seed)

    def file(self, part, name, source):
        wide = self.random == "full"
        path = self.folder_of_odise / "odise.safetensors"
        save_file(odise_tensors(self.seed, (768, 768, 1280) if wide else (48, 32, 128)), path)
        return path


def odise_tensors(
    seed: int, dims: tuple[int, int, int], prefix: str = "backbone.feature_extractor."
) -> dict[str, Tensor]:
    """The eight tensors of ODISE's checkpoint; ``dims`` are the lengths of embedding, context and time embedding."""
    shapes = Captioner(*dims, torch.zeros(1, 77, dims[1])).state_dict()
    return {prefix + key: tensor_named("odise", key, tuple(value.shape), seed) for key, value in shapes.items()}


def golden_extractor(monkeypatch, tmp_path: Path, size: str, settings: Settings) -> Extractor:
    """The extractor with the goldens' networks; their embedding of the empty prompt is given, from no text encoder."""
    width = 32 if size == "tiny" else 768
    empty_prompt = tensor_named("odise", "uncond_inputs", (1, 77, width), SEEDS[size])
    monkeypatch.setattr(stable_diffusion, "TextEncoder", lambda *_: lambda _: empty_prompt)
    return Extractor(settings, weights=GoldenWeights(size, tmp_path))


class Steps:
    """What every part of an extractor's networks gave in its last run, by the goldens' names."""

    def __init__(self, extractor: Extractor) -> None:
        self.extractor, self._made = extractor, {}
        for part in ("posterior", "embedding", "captioner", "noise", "unet"):
            module = getattr(extractor.network, part)
            module.register_forward_hook(lambda _, given, made, part=part: self._made.update({part: made}))

    def by_name(self) -> dict[str, Tensor]:
        made = self._made
        rows = {"clip_embed": made["embedding"], "latent": 0.18215 * made["posterior"][0], "noisy": made["noise"]}
        rows |= {"cond_inputs": made["captioner"][0], "cond_emb": made["captioner"][1]}
        rows |= dict(zip(self.extractor.settings.levels, made["unet"], strict=True))
        return {f"crop{n}.{name}": row[None] for name, found in rows.items() for n, row in enumerate(found)}


def errors(found: Mapping[str, Tensor], golden: Mapping[str, Tensor]) -> dict[str, float]:
    """The relative error of everything that the goldens hold, but for the UNet's output, which no feature needs."""
    held = {".".join(key.split(".")[:2]) for key in golden} - {"shared_noise_head", "crop0.eps"}
    return {name: compare(found[name], golden, name) for name in sorted(held)}


def compare(found: Tensor, golden: Mapping[str, Tensor], name: str) -> float:
    """||found - golden|| / ||golden||, of all entries that are stored; the largest for a tensor stored in samples."""
    if name in golden:
        return relative(found, golden[name])
    errors = [relative(found.flatten()[golden[f"{name}.idx"].long()], golden[f"{name}.val"])]
    if f"{name}.shape" in golden:
        assert tuple(found.shape) == tuple(golden[f"{name}.shape"].tolist())
    if f"{name}.chan_mean" in golden:
        errors += [
            relative(found.mean(dim=(0, 2, 3)), golden[f"{name}.chan_mean"]),
            relative(found.mean(dim=(0, 1)), golden[f"{name}.spatial_mean"]),
        ]
    return max(errors)


def relative(found: Tensor, wanted: Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())

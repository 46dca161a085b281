"""State dicts and folders of networks: what is loaded, and one sentence about whatever cannot be."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPVisionModelWithProjection, Dinov2Model, ViTConfig, ViTModel

from geobench.errors import InputError
from geobench.features.state_dict import digest_of_weights, load_strictly, pretrained, read_state_dict
from geobench.files import sha256_of
from tests.conftest import SHARED, needs_shared
from tests.features.checkpoints import as_bin, dino, saved, unet, without

UNET_WEIGHTS = "diffusion_pytorch_model.safetensors"


def fails(call: object, *words: str) -> str:
    """Return the sentence of the InputError that a call raises, checked to be one line with these words."""
    with pytest.raises(InputError) as caught:
        call()  # type: ignore[operator]
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    for word in words:
        assert word in sentence
    return sentence


def test_a_folder_is_loaded_in_float32_and_evaluation_mode(tmp_path: Path) -> None:
    network = dino()
    found = pretrained(Dinov2Model, saved(network, tmp_path / "dino"))
    assert not found.training
    for name, value in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_checkpoint_in_half_precision_comes_out_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    """transformers 5 keeps the checkpoint's precision unless told otherwise."""
    folder = saved(dino().to(dtype), tmp_path / "half")
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {dtype}
    for found in (pretrained(Dinov2Model, folder), pretrained(UNet2DConditionModel, saved(unet().to(dtype), tmp_path))):
        assert {value.dtype for value in found.state_dict().values() if value.is_floating_point()} == {torch.float32}


def test_shards_and_bin_files_are_loaded_too(tmp_path: Path) -> None:
    network = dino()
    shards = saved(network, tmp_path / "shards", shard="20KB")
    assert len(list(shards.glob("*.safetensors"))) > 2
    for folder in (shards, as_bin(saved(network, tmp_path / "bin"))):
        found = pretrained(Dinov2Model, folder).state_dict()
        assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


def test_an_autoencoder_with_the_names_of_old_is_read(tmp_path: Path) -> None:
    """Stable Diffusion's own autoencoders call the layers of their attention query, key, value and proj_attn."""
    torch.manual_seed(0)
    sizes = {"block_out_channels": (32, 32), "layers_per_block": 1, "latent_channels": 4}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    network = AutoencoderKL(**sizes, **blocks)
    folder = saved(network, tmp_path / "vae")
    names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    old = {}
    for key, value in load_file(folder / UNET_WEIGHTS).items():
        for now, then in names.items():
            key = key.replace(now, then)
        old[key] = value
    assert "encoder.mid_block.attentions.0.query.weight" in old
    save_file(old, folder / UNET_WEIGHTS, metadata={"format": "pt"})
    found = pretrained(AutoencoderKL, folder).state_dict()
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


def test_half_of_clip_is_read_from_the_whole(tmp_path: Path) -> None:
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    special = {"vocab_size": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = CLIPConfig(text_config=small | special, vision_config=small | {"image_size": 28, "patch_size": 14})
    whole = CLIPModel(config)
    found = pretrained(CLIPVisionModelWithProjection, saved(whole, tmp_path / "clip"))
    assert torch.equal(found.visual_projection.weight, whole.visual_projection.weight)


def test_another_hidden_size_names_the_first_key_and_both_shapes(tmp_path: Path) -> None:
    wrong = saved(dino(48), tmp_path / "wrong")
    shutil.copy(saved(dino(32), tmp_path / "right") / "config.json", wrong)
    sentence = fails(lambda: pretrained(Dinov2Model, wrong), "wrong: embeddings.cls_token has shape (1, 1, 48)")
    assert "Dinov2Model of its config.json has (1, 1, 32)" in sentence


def test_another_context_of_a_unet_names_the_first_key_and_both_shapes(tmp_path: Path) -> None:
    folder = saved(unet(16), tmp_path / "unet")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"cross_attention_dim": 24}))
    key = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    fails(lambda: pretrained(UNet2DConditionModel, folder), f"{key} has shape (32, 16)", "config.json has (32, 24)")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    folder = without(saved(dino(), tmp_path / "dino"), "encoder.layer.1.mlp.fc1.weight")
    fails(lambda: pretrained(Dinov2Model, folder), "encoder.layer.1.mlp.fc1.weight is missing")
    folder = without(saved(unet(), tmp_path / "unet"), "conv_in.bias", UNET_WEIGHTS)
    fails(lambda: pretrained(UNet2DConditionModel, folder), "conv_in.bias is missing")


def test_a_missing_pooler_is_no_matter(tmp_path: Path) -> None:
    """DINO's checkpoints have none, and nor have those of classifiers."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    network = ViTModel(ViTConfig(**sizes, image_size=32, patch_size=16), add_pooling_layer=False)
    found = pretrained(ViTModel, saved(network, tmp_path / "vit"))
    assert all(torch.equal(found.state_dict()[name], value) for name, value in network.state_dict().items())


def test_another_class_of_network_is_named(tmp_path: Path) -> None:
    one, other = saved(dino(), tmp_path / "dino"), saved(unet(), tmp_path / "unet")
    fails(lambda: pretrained(UNet2DConditionModel, one), "describes 'dinov2'", "UNet2DConditionModel needs")
    fails(lambda: pretrained(Dinov2Model, other), "describes 'UNet2DConditionModel'", "Dinov2Model needs 'dinov2'")
    fails(lambda: pretrained(CLIPVisionModelWithProjection, one), "describes 'dinov2'", "needs 'clip_vision_model'")


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, -1])
def test_truncated_safetensors_are_named(tmp_path: Path, kept: float) -> None:
    for cls, network, name in (
        (Dinov2Model, dino(), "model.safetensors"),
        (UNet2DConditionModel, unet(), UNET_WEIGHTS),
    ):
        path = saved(network, tmp_path / cls.__name__) / name
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
        fails(lambda path=path, cls=cls: pretrained(cls, path.parent), f"{path}: is truncated or no safetensors file")
        fails(lambda path=path: read_state_dict(path), f"{path}: is truncated or no safetensors file")


def test_a_pointer_of_git_lfs_is_told_apart(tmp_path: Path) -> None:
    path = saved(unet(), tmp_path / "unet") / UNET_WEIGHTS
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    fails(lambda: pretrained(UNet2DConditionModel, path.parent), "pointer of git-lfs", "run `git lfs pull`")


def test_absent_files_of_a_folder_are_named(tmp_path: Path) -> None:
    folder = saved(dino(), tmp_path / "shards", shard="20KB")
    missing = sorted(folder.glob("*.safetensors"))[1]
    missing.unlink()
    fails(lambda: pretrained(Dinov2Model, folder), f"has no {missing.name}")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    fails(lambda: pretrained(Dinov2Model, folder), "model.safetensors.index.json: names no files under weight_map")
    folder = saved(dino(), tmp_path / "dino")
    (folder / "config.json").write_text("{")
    fails(lambda: pretrained(Dinov2Model, folder), "config.json: not valid JSON")
    (folder / "config.json").unlink()
    fails(lambda: pretrained(Dinov2Model, folder), "has no config.json")
    (saved(dino(), folder) / "model.safetensors").unlink()
    fails(lambda: pretrained(Dinov2Model, folder), "has no model.safetensors")


class Spy:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["weights.pth", "pytorch_model.bin"])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, name: str) -> None:
    folder, trace = as_bin(saved(dino(), tmp_path / "dino")), tmp_path / "was-here"
    torch.save({"state_dict": {"a": torch.ones(1)}, "spy": Spy(trace)}, folder / name)
    fails(lambda: read_state_dict(folder / name), "holds more than tensors and is not unpickled here")
    if name == "pytorch_model.bin":
        fails(lambda: pretrained(Dinov2Model, folder), f"{folder / name}: holds more than tensors")
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(Spy(trace)))
    fails(lambda: read_state_dict(tmp_path / "old.pkl"), "holds more than tensors and is not unpickled here")
    assert not trace.exists()


@pytest.mark.parametrize("kept", [0, 3, 200, 0.5, -10])
def test_truncated_pth_is_named(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(1000)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    fails(lambda: read_state_dict(path), f"{path}: is truncated or no PyTorch file")


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (torch.ones(3), "holds Tensor, not a state dict"),
        ([1, 2], "holds list, not a state dict"),
        ({"epoch": 3, "best": 0.5}, "holds no tensors (its keys: epoch, best)"),
        ({}, "holds no tensors"),
    ],
)
def test_what_is_no_state_dict_is_said(tmp_path: Path, held: object, words: str) -> None:
    torch.save(held, tmp_path / "weights.pth")
    fails(lambda: read_state_dict(tmp_path / "weights.pth"), words)


def test_a_state_dict_is_found_below_what_training_scripts_wrap_it_in(tmp_path: Path) -> None:
    tensors = {"a.weight": torch.ones(2), "b.bias": torch.zeros(1)}
    save_file(tensors, tmp_path / "plain.safetensors")
    torch.save({"model": {f"module.{key}": value for key, value in tensors.items()}, "epoch": 3}, tmp_path / "x.pth")
    torch.save({"state_dict": tensors}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("plain.safetensors", "x.pth", "old.pth"):
        found = read_state_dict(tmp_path / name)
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[key], tensors[key]) for key in tensors)


@needs_shared
def test_real_files_open() -> None:
    """ImageNet networks, and adapters that DIY-SC's authors published."""
    files = sorted((SHARED / "data" / "weights").rglob("*.pth"))
    counts = {path.parent.name: len(read_state_dict(path)) for path in files}
    assert counts == {
        "0300_dino_spair": 12,
        "0368_dino_spair_fdim_128": 15,
        "0369_dino_spair_fdim_384": 15,
        "mobilenet-v2-imagenet": 314,
        "squeezenet-imagenet": 52,
    }


def test_a_page_instead_of_a_file_is_not_taken_for_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_text("<html>404 not found</html>")
    with pytest.raises(InputError, match=r"a\.pth: is truncated or no PyTorch file") as caught:
        read_state_dict(tmp_path / "a.pth")
    assert not isinstance(caught.value.__cause__, pickle.UnpicklingError)
    torch.save({"spy": Spy(tmp_path / "trace")}, tmp_path / "b.pth")
    with pytest.raises(InputError, match="holds more than tensors") as caught:
        read_state_dict(tmp_path / "b.pth")
    assert isinstance(caught.value.__cause__, pickle.UnpicklingError)


def test_absent_file_is_one_sentence(tmp_path: Path) -> None:
    for name in ("a.safetensors", "a.pth"):
        fails(lambda name=name: read_state_dict(tmp_path / name), name, "there is no such file of weights")


def test_strict_loading_names_the_first_key_that_differs() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    state = network.state_dict()
    assert load_strictly(network, state, "file") is network
    other = state | {"0.weight": torch.ones(5, 3)}
    fails(lambda: load_strictly(network, other, "file"), "file: 0.weight has shape (5, 3), the network has (4, 3)")
    fails(
        lambda: load_strictly(network, {k: v for k, v in state.items() if k != "1.bias"}, "file"),
        "1.bias (2,) is missing",
    )
    fails(lambda: load_strictly(network, state | {"z": torch.ones(7)}, "file"), "z (7,) is not in the network")


def test_digest_is_of_the_file_that_is_read(tmp_path: Path) -> None:
    folder = saved(dino(), tmp_path / "dino")
    expected = sha256_of(folder / "model.safetensors")
    assert digest_of_weights(folder) == digest_of_weights(folder / "model.safetensors") == expected
    (folder / "model.fp16.safetensors").write_bytes(b"a copy that is not read")
    assert digest_of_weights(folder) == expected


def test_digest_of_shards_changes_with_any_of_them(tmp_path: Path) -> None:
    digests = set()
    for seed, spoilt in ((0, None), (0, None), (1, None), (0, 1)):
        folder = saved(dino(seed=seed), tmp_path / f"{seed}{spoilt}", shard="20KB")
        if spoilt is not None:
            path = sorted(folder.glob("*.safetensors"))[spoilt]
            save_file({key: value + 1 for key, value in load_file(path).items()}, path)
        digests.add(digest_of_weights(folder))
    assert len(digests) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


def test_the_hubs_name_of_a_blob_is_its_digest_and_no_other_name_is(tmp_path: Path) -> None:
    name = "ab" * 32
    for folder, expected in (("blobs", name), ("elsewhere", None)):
        path = tmp_path / folder / name
        path.parent.mkdir()
        path.write_bytes(b"weights")
        link = tmp_path / f"{folder}.safetensors"
        link.symlink_to(path)
        assert digest_of_weights(link) == (expected or sha256_of(path))

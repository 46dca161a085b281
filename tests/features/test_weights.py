"""Where weights come from: a user's path, a folder, the hub's cache, the hub; and what is said when there are none."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from pathlib import Path

import huggingface_hub.constants as hub_settings
import platformdirs
import pytest
import torch
from diffusers import UNet2DConditionModel
from huggingface_hub.utils import filter_repo_objects
from torch import nn
from transformers import Dinov2Model

from geobench.benchmark import Benchmark
from geobench.cli import run
from geobench.errors import InputError, UsageError
from geobench.features import hub
from geobench.features.weights import Weights, parse_chosen
from geobench.files import sha256_of
from tests.features.checkpoints import as_bin, dino, saved, unet
from tests.features.fake_hub import COMMIT, fake_hub

RECIPE = """
title = "Small"
[[features]]
extractor = "small_net"
[matcher]
kind = "nearest"
"""
EXTRACTOR = """
import torch
from transformers import Dinov2Config, Dinov2Model
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.network import NetworkSettings

class Settings(NetworkSettings):
    model: str = "nobody/dino"

class Extractor:
    def __init__(self, settings, device="cpu", weights=None):
        small = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
        made = lambda tiny: Dinov2Model(Dinov2Config(**small))
        self.network = settings.place(weights.network("dino", Dinov2Model, [settings.model], made), device)

    def __call__(self, picture):
        box = Letterbox.pad(picture.size, 28)
        pixels = torch.from_numpy(box.place(picture.pixels)).permute(2, 0, 1)[None] / 255
        found = self.network(pixels).last_hidden_state[0, 1:]
        return FeatureMap(found.T.reshape(-1, 2, 2), box)
"""


@pytest.fixture(autouse=True)
def empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a hub cache of its own, and no hub: a port that nothing listens on."""
    monkeypatch.setattr(hub_settings, "HF_HUB_CACHE", str(tmp_path / "hub"))
    use_hub(monkeypatch, "http://127.0.0.1:9")
    return tmp_path / "hub"


def use_hub(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(hub_settings, "ENDPOINT", address)
    monkeypatch.setattr(hub_settings, "HF_HUB_OFFLINE", False)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(hub_settings, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def never(tiny: bool) -> nn.Module:
    raise AssertionError("random weights were not asked for")


def load_dino(weights: Weights, *ids: str) -> Dinov2Model:
    return weights.network("dino", Dinov2Model, ids, never)


def keep_in_cache(folder: Path, cache: Path, name: str) -> Path:
    """Put a checkpoint into a hub cache as the hub's client lays it out, and return its snapshot."""
    home = cache / f"models--{name.replace('/', '--')}"
    snapshot = home / "snapshots" / COMMIT
    for file in (one for one in folder.rglob("*") if one.is_file()):
        blob = home / "blobs" / sha256_of(file)
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blob)
        link = snapshot / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    return snapshot


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(value, b.state_dict()[key]) for key, value in a.state_dict().items())


def test_the_users_path_wins_and_its_digest_is_noted(tmp_path: Path) -> None:
    network, other = dino(seed=1), dino(seed=2)
    mine, theirs = saved(network, tmp_path / "mine"), saved(other, tmp_path / "theirs")
    weights = Weights({"dino": mine})
    assert same(load_dino(weights, str(theirs)), network)
    assert weights.loaded == {"dino": sha256_of(mine / "model.safetensors")}
    assert same(load_dino(Weights(), str(theirs)), other)


def test_the_hubs_cache_is_read_without_a_connection(tmp_path: Path, empty_hub_cache: Path) -> None:
    network = dino()
    snapshot = keep_in_cache(saved(network, tmp_path / "made"), empty_hub_cache, "who/dino")
    weights = Weights()
    assert same(load_dino(weights, "who/dino"), network)
    assert weights.folder("dino", ["who/dino"]) == snapshot
    assert weights.loaded == {"dino": (snapshot / "model.safetensors").resolve().name}


def test_the_environments_cache_is_read_offline(tmp_path: Path) -> None:
    """The same in a process of its own, as a user has it: HF_HOME, HF_HUB_OFFLINE."""
    import os
    import subprocess
    import sys

    keep_in_cache(saved(dino(), tmp_path / "made"), tmp_path / "home" / "hub", "who/dino")
    code = "from geobench.features.hub import cached, fetch; print(cached('who/dino').name, fetch('who/other'))"
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == f"{COMMIT} {hub.OFFLINE}", done.stderr


def test_subfolders_and_tokenizers_of_a_checkpoint(tmp_path: Path, empty_hub_cache: Path) -> None:
    made = tmp_path / "made"
    network = unet()
    saved(network, made / "unet")
    (made / "tokenizer").mkdir()
    (made / "tokenizer" / "tokenizer_config.json").write_text("{}")
    snapshot = keep_in_cache(made, empty_hub_cache, "who/sd")
    for weights, ids in ((Weights(), ["who/sd"]), (Weights({"sd": made}), ["x/y"]), (Weights(), [str(made)])):
        assert same(weights.network("sd", UNet2DConditionModel, ids, never, "unet"), network)
        assert weights.folder("sd", ids, "tokenizer").name == "tokenizer"
        assert list(weights.loaded) == ["sd/unet"]
    assert Weights().folder("sd", ["who/sd"], "unet") == snapshot / "unet"
    assert Weights({"sd": made / "unet"}).folder("sd", ["x/y"], "unet") == made / "unet"
    assert Weights({"sd": snapshot.parents[1]}).folder("sd", ["x/y"], "unet") == snapshot / "unet"


def test_ids_are_tried_in_order_first_on_this_machine(tmp_path: Path, empty_hub_cache: Path) -> None:
    first, second = dino(seed=1), dino(seed=2)
    keep_in_cache(saved(second, tmp_path / "b"), empty_hub_cache, "who/second")
    assert same(load_dino(Weights(), "who/first", "who/second"), second)
    keep_in_cache(saved(first, tmp_path / "a"), empty_hub_cache, "who/first")
    assert same(load_dino(Weights(), "who/first", "who/second"), first)


def test_a_snapshot_that_lacks_weights_is_not_taken_for_whole(tmp_path: Path, empty_hub_cache: Path) -> None:
    snapshot = keep_in_cache(saved(dino(), tmp_path / "a", shard="20KB"), empty_hub_cache, "who/dino")
    assert hub.cached("who/dino") == snapshot
    sorted(snapshot.glob("*.safetensors"))[2].unlink()
    assert hub.cached("who/dino") is None


def test_what_the_hub_has_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, shards = saved(dino(), tmp_path / "root/who/whole"), saved(dino(), tmp_path / "root/who/shards", "20KB")
    old = as_bin(saved(dino(), tmp_path / "root/who/old"))
    (old / "tokenizer_config.json").write_text("{}")  # CLIP's repositories have their tokenizer beside the weights
    for copy in ("model.fp16.safetensors", "pytorch_model.bin", "onnx/model.onnx"):
        (whole / copy).parent.mkdir(exist_ok=True)
        (whole / copy).write_bytes(b"a copy that nobody reads")
    with fake_hub(tmp_path / "root") as (address, asked):
        use_hub(monkeypatch, address)
        for name in ("who/whole", "who/shards", "who/old"):
            assert same(load_dino(Weights(), "who/absent", name), dino())
        assert {Path(one).name for one in asked if "/resolve/" in one} == {
            *(file.name for file in shards.iterdir()),
            *("config.json", "tokenizer_config.json", "model.safetensors", "pytorch_model.bin"),
        }
        assert not [one for one in asked if one.startswith("/who/whole") and one.endswith(".bin")]
        asked.clear()
        load_dino(Weights(), "who/absent", "who/whole")
        assert not asked


def told(call: object) -> str:
    with pytest.raises(InputError) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_a_hub_the_sentence_says_what_to_fetch_and_where_to_put_it() -> None:
    sentence = told(lambda: load_dino(Weights(), "who/dino", "who/mirror"))
    assert sentence == (
        "dino: no weights of who/dino or who/mirror on this machine, and they could not be fetched (the hub cannot be "
        "reached); on a machine with a connection run `hf download who/dino --local-dir WEIGHTS`, copy that folder "
        "here, and pass --weights dino=WEIGHTS; to try the plumbing without weights, pass --random-weights"
    )
    sentence = told(lambda: Weights({"dina": Path()}).network("sd", UNet2DConditionModel, ["who/sd"], never, "unet"))
    assert "who/sd (folder unet) on this machine" in sentence
    assert 'hf download who/sd --include "*/*.[jst]*" --exclude "*.[fn]*" --local-dir WEIGHTS`' in sentence
    assert "pass --weights sd=WEIGHTS (given for now: dina)" in sentence


def test_the_command_fetches_what_recipes_read_and_no_copies_of_it() -> None:
    """File names of Stable Diffusion 1.5 and 2.1 on the hub, through the filter of the hub's client."""
    read = [
        *("unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json", "scheduler/x_config.json"),
        *("vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json", "text_encoder/model.safetensors"),
        *("tokenizer/merges.txt", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json"),
    ]
    copies = [
        *("v1-5-pruned.safetensors", "v2-1_768-ema-pruned.ckpt", "README.md", "unet/diffusion_pytorch_model.bin"),
        *("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors"),
        *(
            "vae/diffusion_pytorch_model.fp16.bin",
            "text_encoder/pytorch_model.bin",
            "unet/diffusion_flax_model.msgpack",
        ),
    ]
    words = shlex.split(hub.command_to_fetch("who/sd", "unet"))
    options = {words[at]: words[at + 1] for at in (3, 5)}
    chosen = filter_repo_objects(
        [*read, *copies], allow_patterns=options["--include"], ignore_patterns=options["--exclude"]
    )
    assert sorted(chosen) == sorted(read)


def test_the_reason_is_the_hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(dino(), tmp_path / "who/gated")
    saved(dino(), tmp_path / "who/empty")
    (tmp_path / "who/empty/model.safetensors").unlink()
    with fake_hub(tmp_path, gated=("who/gated",)) as (address, _):
        use_hub(monkeypatch, address)
        gated = "accept its terms at https://huggingface.co/who/gated and run `hf auth login`"
        assert f"({gated});" in told(lambda: load_dino(Weights(), "who/gated"))
        absent = "the hub has no such model, or it is private"
        assert f"({absent});" in told(lambda: load_dino(Weights(), "who/no", "who/none"))
        assert f"(who/no: {absent}; who/gated: {gated});" in told(lambda: load_dino(Weights(), "who/no", "who/gated"))
        assert "without its weights in full precision" in told(lambda: load_dino(Weights(), "who/empty"))
        assert "neither a folder here nor a name on the hub" in told(lambda: load_dino(Weights(), "no/such/folder"))
        monkeypatch.setattr(hub_settings, "HF_HUB_OFFLINE", True)
        assert "(HF_HUB_OFFLINE is set)" in told(lambda: load_dino(Weights(), "who/gated"))


def test_a_hub_that_never_answers_is_given_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 0.3)
    with fake_hub(tmp_path, answers=False) as (address, asked):
        use_hub(monkeypatch, address)
        started = time.monotonic()
        assert "(the hub cannot be reached)" in told(lambda: load_dino(Weights(), "a/b", "c/d", "e/f"))
        assert time.monotonic() - started < 5
        assert len(asked) == 1


def test_patience_is_seconds() -> None:
    assert 1 <= hub.PATIENCE <= 15


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "is not there; name the folder"),
        (lambda path: path.write_bytes(b"x"), "is a file; name the folder"),
        (lambda path: path.mkdir(), "has no config.json; name the folder"),
        (lambda path: (saved(dino(), path) / "model.safetensors").unlink(), "has no model.safetensors"),
    ],
)
def test_a_path_that_is_no_checkpoint_is_said(tmp_path: Path, make: object, words: str) -> None:
    make(tmp_path / "given")  # type: ignore[operator]
    sentence = told(lambda: load_dino(Weights({"dino": tmp_path / "given"}), "who/dino"))
    assert sentence.startswith(f"--weights dino={tmp_path / 'given'}: ")
    assert words in sentence


def test_a_file_of_weights_is_found_and_its_absence_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    where = "https://example.org/odise.pth"
    sentence = told(lambda: Weights().file("odise", "odise.pth", where))
    kept = tmp_path / "geobench" / "weights" / "odise.pth"
    assert f"there is no file {kept}; fetch odise.pth from {where}, and put it at {kept}" in sentence
    for path in (kept, tmp_path / "mine.pth"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    weights = Weights({"other": tmp_path / "mine.pth", "folder": kept.parent})
    assert weights.file("odise", "odise.pth", where) == kept
    assert weights.file("other", "odise.pth", where) == tmp_path / "mine.pth"
    assert weights.file("folder", "odise.pth", where) == kept
    assert weights.loaded["odise"] == weights.loaded["folder"] == sha256_of(kept)
    assert Weights(random="tiny").file("odise", "odise.pth", where) is None


def test_random_networks_are_seeded_and_marked() -> None:
    weights, again = Weights(random="tiny"), Weights(random="tiny")
    made = [one.network("dino", nn.Linear, ["x/y"], lambda tiny: nn.Linear(3, 3)) for one in (weights, again)]  # type: ignore[type-var]
    other = weights.network("other", nn.Linear, ["x/y"], lambda tiny: nn.Linear(3, 3))
    assert same(*made)
    assert not same(made[0], other)
    assert weights.loaded == {"dino": "random (tiny)", "other": "random (tiny)"}
    state = torch.get_rng_state()
    weights.network("dino", nn.Linear, ["x/y"], lambda tiny: nn.Linear(3, 3))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("text", ["dinov2", "dinov2=", "=path", ""])
def test_malformed_options_are_wrong_usage(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="write PART=PATH"):
        parse_chosen([text])
    assert run(["check", "dense-sift", "--weights", text]) == 2
    assert "write PART=PATH" in capsys.readouterr().err


def test_options_are_parsed() -> None:
    assert parse_chosen(["a=b=c", "d=~/e"]) == {"a": Path("b=c"), "d": Path("~/e").expanduser()}
    with pytest.raises(UsageError, match="names a twice"):
        parse_chosen(["a=b", "a=c"])


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with an extractor of one small network."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_parts").mkdir()
    (tmp_path / "my_parts" / "small_net.py").write_text(EXTRACTOR)
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.replace("small_net", "my_parts.small_net"))
    return path


def test_the_command_line_says_what_is_missing(
    recipe: Path, tiny: Benchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["check", str(recipe)], ["eval", "--method", str(recipe), "--benchmark", str(tiny.folder)]):
        assert run(arguments) == 1
        out, err = capsys.readouterr()
        assert not out
        assert err.startswith("geobench: dino: no weights of nobody/dino on this machine")
        assert err.count("\n") == 1


def test_the_command_line_loads_and_says_nothing_else(
    recipe: Path, tiny: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No bars, tables or advice of the libraries; the run records what was loaded."""
    folder = saved(dino(), tmp_path / "dino")
    loaded = {f"dino={folder}": sha256_of(folder / "model.safetensors"), None: "random (tiny)"}
    for given, digest in loaded.items():
        option = ["--weights", given] if given else ["--random-weights"]
        runs = tmp_path / digest.split()[0]
        command = ["eval", "--method", str(recipe), "--benchmark", str(tiny.folder), "--runs", str(runs)]
        assert run([*command, *option]) == 0
        out, err = capsys.readouterr()
        assert "PCK@0.1" in out
        assert not err
        record = json.loads(next(runs.rglob("run.json")).read_text())
        assert record["method"]["weights"] == {"dino": digest}


def test_unknown_parts_and_misplaced_options_are_wrong_usage(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved(dino(), tmp_path / "dino")
    given = ["--weights", f"dino={folder}", "--weights", "dinosaur=x"]
    cases = {
        "the recipe has no such part; did you mean dino?; it has: dino": [str(recipe), *given],
        "--weights and --random-weights are for recipes of [[features]]": ["random", "--weights", "a=b"],
        "the recipe has no such part": ["dense-sift", "--weights", "a=b"],
        "not one of 'tiny', 'full'": [str(recipe), "--random-weights", "huge"],
        "torch cannot use it here; usable: cpu": [str(recipe), "--random-weights", "--device", "cuda:99"],
    }
    for words, arguments in cases.items():
        assert run(["check", *arguments]) == 2, words
        assert words in " ".join(capsys.readouterr().err.split())

"""CNN features: torchvision's layout, hypercolumns, and the real weights where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from geobench.errors import InputError
from geobench.features.cnn import Extractor, Settings, Stages
from geobench.features.cnn_networks import ARCHITECTURES, load_stages
from geobench.features.letterbox import Letterbox
from geobench.features.state_dict import read_state_dict
from geobench.features.weights import Weights
from geobench.picture import Picture

SHARED = Path(__file__).parents[3] / "shared" / "data"
WEIGHTS = {
    "mobilenet-v2": SHARED / "weights" / "mobilenet-v2-imagenet" / "mobilenet_v2_torchvision_1001cls.pth",
    "squeezenet": SHARED / "weights" / "squeezenet-imagenet" / "squeezenet1_0_torchvision_bgr.pth",
}
COLOURS = {"mobilenet-v2": "minus-one-to-one", "squeezenet": "caffe-bgr"}
LAST = {"mobilenet-v2": 18, "squeezenet": 12, "resnet50": 16, "resnet101": 33}
BREEDS = {"n02087394": 159, "n02092339": 178, "n02093754": 182, "n02099601": 207}


def picture(folder: Path, size: tuple[int, int] = (90, 60), seed: int = 0, mode: str = "RGB") -> Picture:
    path = folder / f"{seed}.png"
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return Picture(path.stem, path, size, "cat", (0, 0, *size))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_stage_can_be_read(architecture: str, tmp_path: Path) -> None:
    last = LAST[architecture]
    settings = Settings(architecture=architecture, layers=(last,), side=96)  # type: ignore[arg-type]
    made = Extractor(settings, weights=Weights(random="tiny"))
    assert made(picture(tmp_path)).features.isfinite().all()
    with pytest.raises(InputError, match=rf"layers has {last + 1}, the stages of {architecture} are 0 to {last}"):
        Extractor(settings.model_copy(update={"layers": (last + 1,)}), weights=Weights(random="tiny"))


def test_a_hypercolumn_is_its_stages_side_by_side_each_of_unit_length(tmp_path: Path) -> None:
    one = picture(tmp_path)
    weights = Weights(random="full")
    alone = [Extractor(Settings(layers=(n,), side=96), weights=weights)(one).features for n in (7, 15)]
    both = Extractor(Settings(layers=(7, 15), side=96), weights=weights)(one).features
    channels = len(alone[0])
    coarse = torch.nn.functional.interpolate(alone[1][None], alone[0].shape[1:], mode="bilinear")[0]
    unit = [torch.nn.functional.normalize(part, dim=0, eps=1e-10) for part in (alone[0], coarse)]
    assert torch.equal(both[:channels], unit[0])
    assert torch.allclose(both[channels:], unit[1], atol=1e-6)


def test_stages_after_the_last_one_read_are_not_kept() -> None:
    stages = [nn.Conv2d(3, 3, 1) for _ in range(5)]
    assert len(Stages(stages, (0, 2)).stages) == 3


def test_layers_in_another_order_are_refused() -> None:
    with pytest.raises(ValueError, match="increasing order"):
        Settings(layers=(15, 7))


def test_a_batch_gives_what_single_images_give(tmp_path: Path) -> None:
    made = Extractor(Settings(layers=(7,), side=96, batch=3), weights=Weights(random="tiny"))
    pictures = [picture(tmp_path, seed=seed, mode="L" if seed else "RGB") for seed in range(3)]
    for one, alone in zip(made.many(pictures, [0] * 3), map(made, pictures), strict=True):
        assert float((one.features - alone.features).abs().max()) <= 1e-5


def _torchvision_layout(architecture: str) -> dict[str, Tensor]:
    """Return a state dict in torchvision's names, made by turning the mapping around over all names there can be."""
    network = ARCHITECTURES[architecture].make(False, False)
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    if architecture == "mobilenet-v2":
        parts = ["0.0", "0.1", "1.0", "1.1", "1", "2", "3"]
        paths = ["features.0.0", "features.0.1", "features.18.0", "features.18.1"]
        paths += [f"features.{n}.conv.{part}" for n in range(1, 18) for part in parts]
    else:
        parts = ["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample.0", "downsample.1"]
        paths = ["conv1", "bn1", *(f"layer{n}.{m}.{part}" for n in range(1, 5) for m in range(23) for part in parts)]
    wanted = network.state_dict()
    names = {
        ARCHITECTURES[architecture].renamed(f"{path}.{kind}"): f"{path}.{kind}" for path in paths for kind in kinds
    }
    assert set(wanted) <= set(names)
    return {str(names[key]): torch.randn(value.shape).to(value.dtype) for key, value in wanted.items()}


@pytest.mark.parametrize("architecture", ["mobilenet-v2", "resnet50"])
def test_a_file_in_torchvisions_layout_is_loaded_strictly(architecture: str, tmp_path: Path) -> None:
    state = _torchvision_layout(architecture) | {"classifier.1.weight": torch.zeros(2), "fc.bias": torch.zeros(2)}
    path = tmp_path / "net.pth"
    torch.save(state, path)
    stages = load_stages(weights := Weights({"cnn": path}), architecture, None, False)
    first = next(value for key, value in state.items() if key.endswith("weight"))
    assert any(torch.equal(first, parameter) for parameter in stages[0].parameters())
    assert len(weights.loaded["cnn"]) == 64
    key = next(iter(state))
    torch.save({**state, key: torch.zeros(1, 2, 3)}, path)
    with pytest.raises(InputError, match=r"net\.pth: .* has shape \(1, 2, 3\), the network has \("):
        load_stages(Weights({"cnn": path}), architecture, None, False)
    torch.save({name: value for name, value in state.items() if name != key}, path)
    with pytest.raises(InputError, match=r"net\.pth: .* is missing; these are not the weights"):
        load_stages(Weights({"cnn": path}), architecture, None, False)
    torch.save(state | {"extra.weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"extra\.weight is no key of torchvision's layout"):
        load_stages(Weights({"cnn": path}), architecture, None, False)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"net\.pth: is truncated or no PyTorch file"):
        load_stages(Weights({"cnn": path}), architecture, None, False)


def test_squeezenet_without_a_file_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"fetch squeezenet\.pth from torchvision's SqueezeNet 1\.0"):
        load_stages(Weights(), "squeezenet", None, False)


@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="needs ../shared")
@pytest.mark.parametrize(("architecture", "right"), [("mobilenet-v2", 22), ("squeezenet", 20)])
def test_real_weights_name_the_breeds_of_real_dogs(architecture: str, right: int) -> None:
    settings = Settings(architecture=architecture, layers=(LAST[architecture],), side=224, frame="squash")  # type: ignore[arg-type]
    settings = settings.model_copy(update={"colours": COLOURS[architecture]})
    made = Extractor(settings, weights=Weights({"cnn": WEIGHTS[architecture]}))
    state = read_state_dict(WEIGHTS[architecture])
    weight, bias = state["classifier.1.weight"], state["classifier.1.bias"]
    named = 0
    for path in sorted((SHARED / "stanfordextra-sample" / "sample_imgs").rglob("*.jpg")):
        with Image.open(path) as image:
            size = image.size
        one = Picture(path.name, path, size, "dog", (0, 0, *size))
        pixels = made.pixels(one, Letterbox.squash(size, 224))
        with torch.no_grad():
            found = made.network(pixels[None])
        if architecture == "mobilenet-v2":  # class 0 is the background
            named += int((found.mean((2, 3)) @ weight.T + bias).argmax()) == BREEDS[path.name[:9]] + 1
        else:
            scores = torch.nn.functional.conv2d(found, weight, bias).relu().mean((2, 3))
            named += int(scores.argmax()) == BREEDS[path.name[:9]]
    assert named >= right


@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="needs ../shared")
@pytest.mark.parametrize(
    ("name", "channels"),
    [("0300_dino_spair", 768), ("0368_dino_spair_fdim_128", 128), ("0369_dino_spair_fdim_384", 384)],
)
def test_the_post_processors_of_diy_sc_open_without_unpickling(name: str, channels: int) -> None:
    (path,) = (SHARED / "weights" / "diy-sc-adapters" / name).glob("*.pth")
    state = read_state_dict(path)
    assert state["mixing_weights"].shape == (1,)
    assert state["bottleneck_layers.0.0.conv3.weight"].shape[:1] == (channels,)
    assert state["bottleneck_layers.0.0.conv1.weight"].shape[1:] == (768, 1, 1)
    assert ("bottleneck_layers.0.0.shortcut.weight" in state) == (channels != 768)

"""quadnet: its weights, what it sees, and that it finds parts better than the classical baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from geobench.embedded import embedded_benchmark
from geobench.errors import InputError
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.runner import predict_jobs
from geobench.evaluation.scoring import score_run
from geobench.features.quadnet import WEIGHTS, Extractor, Settings
from geobench.features.quadnet_network import CONTEXT, SEMANTIC, SIDE, QuadNet
from geobench.features.weights import Weights
from geobench.methods.loader import load_method
from geobench.picture import Picture


def picture(folder: Path, size: tuple[int, int] = (90, 60), seed: int = 0) -> Picture:
    path = folder / f"{seed}.png"
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return Picture(path.stem, path, size, "cat", (0, 0, *size))


def test_the_weights_are_float16_of_at_most_three_megabytes_and_finite() -> None:
    assert WEIGHTS.stat().st_size <= 3_000_000
    state = load_file(WEIGHTS)
    assert {value.dtype for value in state.values()} == {torch.float16, torch.int64}
    assert all(value.isfinite().all() for value in state.values())


def test_features_are_two_groups_of_unit_length_on_the_padded_image(tmp_path: Path) -> None:
    weights = Weights()
    made = Extractor(Settings(context=0.5), weights=weights)(picture(tmp_path))
    assert made.features.shape == (SEMANTIC + CONTEXT, 32, 32)
    assert made.letterbox.size == (SIDE, SIDE)
    assert torch.allclose(made.features.norm(dim=0), torch.ones(32, 32), atol=1e-5)
    share = made.features[SEMANTIC:].norm(dim=0) / made.features[:SEMANTIC].norm(dim=0)
    assert torch.allclose(share, torch.full((32, 32), 0.5), atol=1e-4)
    assert len(weights.loaded["quadnet"]) == 64
    assert not Extractor(Settings(context=0))(picture(tmp_path)).features[SEMANTIC:].any()


def test_a_cell_in_one_corner_sees_the_opposite_corner() -> None:
    network = Extractor(Settings()).network
    pixels = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).mul(2).sub(1).requires_grad_()
    network(pixels)[0, :, 0, 0].square().sum().backward()
    assert pixels.grad is not None
    seen = pixels.grad[0].abs().sum(0)
    assert float(seen[-8:, -8:].max()) > 0
    assert float((seen > 0).float().mean()) > 0.9  # the whole image, in fact


def test_a_batch_gives_what_single_images_give(tmp_path: Path) -> None:
    made = Extractor(Settings(batch=3))
    pictures = [picture(tmp_path, seed=seed, size=(70 + 30 * seed, 90)) for seed in range(3)]
    for one, alone in zip(made.many(pictures, [0] * 3), map(made, pictures), strict=True):
        assert float((one.features - alone.features).abs().max()) <= 1e-5


def test_other_weights_are_taken_from_a_file_and_refused_by_the_first_key_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    state = QuadNet().state_dict()
    save_file(state, path)
    made = Extractor(Settings(), weights=Weights({"quadnet": path}))
    assert torch.equal(made.network.out.weight, state["out.weight"])
    save_file({**state, "out.bias": torch.zeros(7)}, path)
    with pytest.raises(InputError, match=r"own\.safetensors: out\.bias has shape \(7,\), the network has \(128,\)"):
        Extractor(Settings(), weights=Weights({"quadnet": path}))
    with pytest.raises(InputError, match=r"there is no file .*absent\.safetensors; leave out --weights quadnet"):
        Extractor(Settings(), weights=Weights({"quadnet": tmp_path / "absent.safetensors"}))


def test_random_weights_repeat_and_are_marked(tmp_path: Path) -> None:
    weights = Weights(random="tiny")
    first, again = (Extractor(Settings(), weights=weights)(picture(tmp_path)).features for _ in range(2))
    assert torch.equal(first, again)
    assert weights.loaded["quadnet"] == "random (tiny)"


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], float]:
    """Return PCK@0.1 per image of 30 cross-species pairs, by method and subset."""
    folder = tmp_path_factory.mktemp("quadnet")
    benchmark = embedded_benchmark(folder / "quadrupeds", images=50)
    found = {}
    for name in ("quadnet-nn", "dense-sift"):
        job = Job(load_method(name), benchmark, "test/cross-species", find_protocol("default"), limit=30)
        (run,) = predict_jobs([job], folder / "runs")
        table = score_run(run, benchmark)
        rows = table[(table.metric == "per_image") & (table.scope == "all") & np.isclose(table.alpha, 0.1)]
        found.update({(name, str(row.subset)): float(row.value) for row in rows.itertuples()})
    return found


@pytest.mark.slow  # tests/test_demo.py asks the same of all keypoints
@pytest.mark.parametrize("subset", ["all", "geometry_aware"])
def test_nearest_neighbours_beat_dense_sift_by_far(scores: dict[tuple[str, str], float], subset: str) -> None:
    assert scores["quadnet-nn", subset] > scores["dense-sift", subset] + 0.15

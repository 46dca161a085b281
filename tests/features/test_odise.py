"""ODISE's captioner: its checkpoint as people have it, and what is wrong with others."""

import pickle
import re

import pytest
import torch
from safetensors.torch import save_file

from geobench.errors import InputError
from geobench.features.diffusion import odise
from geobench.features.diffusion.odise import Captioner, ImageEmbedding, load_captioner, load_clip
from geobench.features.weights import Weights
from tests.features.odise_goldens import odise_tensors

DIMS = (48, 32, 128)
EMPTY = torch.zeros(1, 77, 32)


class NotATensor:
    """What makes a file more than tensors."""


def checkpoint(**others):
    model = odise_tensors(301, DIMS) | {"backbone.feature_projections.0.weight": torch.zeros(3)}
    return {"model": model, "iteration": 5, **others}


def load(path):
    return load_captioner(Weights({"odise": path}), *DIMS, EMPTY)


def assert_is_the_goldens(captioner):
    wanted = odise_tensors(301, DIMS, prefix="")
    assert captioner.state_dict().keys() == wanted.keys()
    for key, tensor in captioner.state_dict().items():
        assert torch.equal(tensor, wanted[key])


def test_the_official_layout_is_read(tmp_path):
    torch.save(checkpoint(), tmp_path / odise.FILE)
    assert_is_the_goldens(load(tmp_path / odise.FILE))
    assert_is_the_goldens(load(tmp_path))  # a folder that holds it


@pytest.mark.parametrize("prefix", ["backbone.feature_extractor.", ""])
def test_safetensors_of_the_needed_tensors_are_read(tmp_path, prefix):
    save_file(odise_tensors(301, DIMS, prefix), tmp_path / "odise.safetensors")
    assert_is_the_goldens(load(tmp_path / "odise.safetensors"))


def test_a_file_of_more_than_tensors_says_how_to_save_them(tmp_path):
    path = tmp_path / odise.FILE
    torch.save(checkpoint(trainer=NotATensor()), path)
    with pytest.raises(InputError, match=r"not unpickled.*weights_only=False.*save_file.*--weights odise=FILE"):
        load(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_what_the_message_says_works(tmp_path):
    path, saved = tmp_path / odise.FILE, tmp_path / "odise.safetensors"
    torch.save(checkpoint(trainer=NotATensor()), path)
    model = torch.load(path, weights_only=False)["model"]
    save_file({key: value for key, value in model.items() if key.startswith("backbone.feature_extractor.")}, saved)
    assert_is_the_goldens(load(saved))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m, k: m.pop(k), r"clip_project\.linear\.weight \(32, 48\) is missing"),
        (
            lambda m, k: m.update({k: torch.zeros(32, 50)}),
            r"clip_project\.linear\.weight has shape \(32, 50\), .*\(32, 48\)",
        ),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(tmp_path, change, said):
    held = checkpoint()
    change(held["model"], "backbone.feature_extractor.clip_project.linear.weight")
    torch.save(held, tmp_path / odise.FILE)
    with pytest.raises(InputError, match=said):
        load(tmp_path / odise.FILE)


def test_a_missing_file_says_where_to_fetch_it(tmp_path):
    with pytest.raises(InputError, match=re.escape(odise.SOURCE)):
        load(tmp_path / "absent.pth")


def test_a_truncated_file_is_no_traceback(tmp_path):
    path = tmp_path / odise.FILE
    torch.save(checkpoint(), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="truncated"):
        load(path)


def test_random_tensors_have_the_shapes_and_repeat():
    one, other = (load_captioner(Weights(random="tiny"), *DIMS, EMPTY) for _ in range(2))
    assert one.state_dict().keys() == odise_tensors(301, DIMS, prefix="").keys()
    for key, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[key])
        assert bool(tensor.abs().max() > 0)


def test_shut_gates_leave_the_empty_prompt():
    """Both alphas zero: nothing of the image, as at the start of ODISE's training."""
    empty = torch.randn(1, 77, 32)
    with torch.no_grad():
        condition, time = Captioner(*DIMS, empty)(torch.randn(3, 48))
    assert torch.equal(condition, empty.expand(3, -1, -1))
    assert time.shape == (3, 128)
    assert not time.any()


def test_embeddings_are_projected_not_normalised_and_each_crops_own():
    clip = load_clip(Weights(random="tiny"), odise.CLIP_IDS)
    embedding, crops = ImageEmbedding(clip), torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        both, first = embedding(crops), embedding(crops[:1])
    assert both.shape == (2, 48)
    torch.testing.assert_close(both[:1], first)
    assert not torch.allclose(both.norm(dim=1), torch.ones(2), atol=1e-3)

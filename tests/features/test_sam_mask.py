"""Segment Anything's masks, on a tiny model with random weights: the whole path but the quality of the mask."""

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from geobench.errors import InputError
from geobench.features.instance_mask import box_mask, mask_maker
from geobench.features.letterbox import Letterbox
from geobench.features.quiet import quiet_libraries
from geobench.features.sam_mask import SamMasks
from geobench.features.weights import Weights
from geobench.files import sha256_of
from geobench.matching.distance import sampled_mask
from geobench.methods.alignment import Alignment
from geobench.methods.family import Family, Variant, family_members
from geobench.methods.loader import load_method
from geobench.posing import POSES
from tests.conftest import SMALL_RECIPE
from tests.features.checkpoints import dino, saved, without
from tests.methods.examples import make_picture

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tiny_sam(tmp_path_factory):
    """A folder with a Segment Anything of 64 x 64 pixels and two narrow layers."""
    folder = tmp_path_factory.mktemp("sam")
    with quiet_libraries():
        SamMasks("facebook/sam-vit-base", weights=Weights(random="tiny"))._network.save_pretrained(folder)
        processor = transformers.SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
        transformers.SamProcessor(processor).save_pretrained(folder)
    return str(folder)


def test_a_mask_has_the_size_of_the_image_and_follows_its_pose(tmp_path, tiny_sam):
    picture = make_picture(tmp_path, "a", size=(60, 40))
    masks = SamMasks(tiny_sam)
    mask = masks(picture)
    assert mask.shape == (40, 60)
    assert mask.dtype == bool
    assert 0 < mask.mean() < 1
    for pose in POSES.values():
        np.testing.assert_array_equal(masks(picture.posed(pose)), pose.array(mask))
    np.testing.assert_array_equal(SamMasks(tiny_sam)(picture), mask)


def test_the_box_is_the_prompt(tmp_path, tiny_sam):
    masks = SamMasks(tiny_sam)
    answers = [masks(make_picture(tmp_path, "a", box=box)) for box in ((5.0, 5.0, 40.0, 30.0), (30.0, 0.0, 9.0, 8.0))]
    assert not np.array_equal(*answers)


def test_masks_enter_the_frame(tmp_path, tiny_sam):
    picture = make_picture(tmp_path, "a", size=(60, 40))
    frame = mask_maker("sam", tiny_sam)(picture, Letterbox.pad(picture.size, 60)).numpy()
    np.testing.assert_array_equal(frame[10:50], SamMasks(tiny_sam)(picture))
    assert not frame[:10].any()
    assert not frame[50:].any()


def test_nothing_found_leaves_the_box(tmp_path, tiny_sam, monkeypatch):
    picture = make_picture(tmp_path, "a", size=(60, 40))
    monkeypatch.setattr(SamMasks, "_segment", lambda self, unposed: np.zeros((40, 60), bool))
    frame = mask_maker("sam", tiny_sam)(picture, Letterbox.pad(picture.size, 60)).numpy()
    np.testing.assert_array_equal(frame[10:50], box_mask(picture))


def test_absent_weights_say_what_to_fetch_and_where_to(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=r'mask = "sam": .*hf download .*nowhere .*--weights sam=.*mask = "dataset"'):
        SamMasks(str(tmp_path / "nowhere"))


def test_weights_of_another_network_are_refused(tmp_path, tiny_sam):
    folder = without(Path(copytree(tiny_sam, tmp_path / "sam")), "mask_decoder.iou_token.weight")
    with pytest.raises(InputError, match=r"mask_decoder\.iou_token\.weight is missing"):
        SamMasks(str(folder))
    with pytest.raises(InputError, match="describes 'dinov2', and SamModel needs 'sam'"):
        SamMasks(str(saved(dino(), tmp_path / "dino")))


def test_a_positional_embedding_that_the_hub_has_once_is_not_missing(tmp_path, tiny_sam):
    folder = Path(copytree(tiny_sam, tmp_path / "sam"))
    key = next(key for key in load_file(folder / "model.safetensors") if key.endswith("positional_embedding"))
    assert key == "shared_image_embedding.positional_embedding"
    network = SamMasks(str(folder))._network
    other = network.prompt_encoder.shared_embedding.positional_embedding
    assert torch.equal(other, network.shared_image_embedding.positional_embedding)


def test_a_folder_without_its_preprocessor_is_one_sentence(tmp_path, tiny_sam):
    folder = Path(copytree(tiny_sam, tmp_path / "sam"))
    for file in folder.glob("*processor_config.json"):
        file.unlink()
    with pytest.raises(InputError, match=r"sam: has no preprocessor_config.json that can be used"):
        SamMasks(str(folder))


RECIPE = SMALL_RECIPE + '[alignment]\nmask = "sam"\n'


def test_a_recipe_records_the_hash_and_takes_the_path_from_the_command_line(tmp_path, tiny_sam, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "row.toml").write_text(RECIPE)
    method = load_method(str(tmp_path / "row.toml"), weights=Weights({"sam": Path(tiny_sam)}))
    assert method.weights == {"sam": sha256_of(Path(tiny_sam) / "model.safetensors")}
    picture = make_picture(tmp_path, "a", size=(60, 40))
    instance = method.describe(picture).instance()
    frame = Letterbox.pad(picture.size, 64)
    expected = sampled_mask(mask_maker("sam", tiny_sam)(picture, frame), 64)
    assert len(instance.vectors) == int(expected.sum())


def test_random_weights_reach_the_masks_of_a_recipe_and_of_a_family(tmp_path, tiny_sam):
    (tmp_path / "row.toml").write_text(RECIPE)
    method = load_method(str(tmp_path / "row.toml"), weights=Weights(random="tiny"))
    assert method.random_weights
    assert method.weights == {"sam": "random (tiny)"}
    (tmp_path / "plain.toml").write_text(SMALL_RECIPE)
    alignment = Alignment(mask="sam", sam_model=tiny_sam)
    variant = Variant(name="nearest", title="Nearest", matcher={"kind": "nearest"})
    family = Family(title="Two", variants=(variant, variant), alignment=alignment)
    members = family_members(str(tmp_path / "plain.toml"), family)
    assert [list(member.weights) for member in members] == [[], [], ["sam"], ["sam"]]
    assert members[2].method.masks is members[3].method.masks


def test_only_sizes_that_are_known_can_be_made_at_full_size():
    with pytest.raises(InputError, match="the size of mine is not known here"):
        SamMasks("mine", weights=Weights(random="full"))

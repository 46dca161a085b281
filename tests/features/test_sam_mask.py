"""Segment Anything's masks, on a tiny model with random weights: the whole path but the quality of the mask."""

import numpy as np
import pytest
import torch

from geobench.errors import InputError
from geobench.features.instance_mask import box_mask, mask_maker
from geobench.features.letterbox import Letterbox
from geobench.features.sam_mask import SamMasks
from geobench.posing import POSES
from tests.methods.examples import make_picture

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tiny_sam(tmp_path_factory):
    """A folder with a Segment Anything of 64 x 64 pixels and two narrow layers."""
    folder = tmp_path_factory.mktemp("sam")
    torch.manual_seed(0)
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 64, "patch_size": 8, "window_size": 4, "mlp_dim": 32, "global_attn_indexes": [1],
            "num_pos_feats": 8,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 32,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    transformers.SamModel(config).save_pretrained(folder)
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
    with pytest.raises(InputError, match=r"hf download .*nowhere --local-dir.*sam_model"):
        SamMasks(str(tmp_path / "nowhere"))(make_picture(tmp_path, "a"))

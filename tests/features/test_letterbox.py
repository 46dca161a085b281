"""The letterbox against GeoAware-SC's geometry goldens, and what holds for every image size."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import UsageError
from geobench.features.letterbox import Letterbox, frame_transform
from geobench.picture import Picture

GOLDENS = Path(__file__).parents[1] / "goldens" / "geoaware"
CASES = json.loads(gzip.decompress((GOLDENS / "geometry_pad_cases.json.gz").read_bytes()))
SIZES = st.tuples(st.integers(8, 4000), st.integers(8, 4000))
KINDS = st.sampled_from(["pad", "squash", "longest-side", "original"])


@pytest.mark.parametrize("number", range(len(CASES)))
def test_padding_is_the_authors(number: int) -> None:
    case = CASES[number]
    box = Letterbox.pad((case["W"], case["H"]), case["size"])
    assert box.offset == (case["offset_x"], case["offset_y"]) == (case["image_left"], case["image_top"])
    assert box.content == (case["image_width"], case["image_height"])
    assert box.size == (case["size"], case["size"])
    assert box.scale == pytest.approx((case["scale"], case["scale"]), abs=1e-12)


def test_keypoints_are_the_authors() -> None:
    kps = np.load(GOLDENS / "geometry_kps.npz")
    for case, given_, wanted in zip(CASES, kps["kps_in"], kps["kps_out"], strict=True):
        placed = Letterbox.pad((case["W"], case["H"]), case["size"]).to_model(given_[:, :2])
        # Their loader multiplies x and y by v: 0 hides a point, 0.5 halves it (row 9).
        np.testing.assert_allclose(placed * given_[:, 2:], wanted[:, :2], atol=2e-4)


def test_pixels_are_the_authors() -> None:
    stored = np.load(GOLDENS / "geometry_resize_pixels.npz")
    outputs = [key for key in stored.files if key.startswith("out")]
    assert len(outputs) >= 8
    for key in outputs:
        number, mode, side = key.removeprefix("out").split("_")
        pixels = stored[f"in{number}"]
        placed = Letterbox.pad((pixels.shape[1], pixels.shape[0]), int(side)).place(pixels, edge=mode == "edge")
        assert placed.dtype == np.uint8
        assert np.abs(placed.astype(int) - stored[key]).max() <= 1, key


def test_mirroring_is_the_authors() -> None:
    stored = np.load(GOLDENS / "geometry_flip.npz")
    square = Picture("p", Path("p.jpg"), (840, 840), "cat", (0, 0, 1, 1))
    points = stored["kps"]
    flipped = square.mirror_points(points[:, :2])
    np.testing.assert_allclose(flipped, stored["flip_noperm"][:, :2], atol=1e-4)
    tables = json.loads(gzip.decompress((GOLDENS / "index_tables.json.gz").read_bytes()))
    permutations = {"flip_perm_all": tables["flip_perm_all"]["cat"], "flip_perm_vis": stored["perm_vis"]}
    for key, permutation in permutations.items():
        np.testing.assert_allclose(flipped[permutation], stored[key][:, :2], atol=1e-4)


@given(SIZES, st.integers(8, 1024), KINDS, st.integers(0, 2**31))
def test_there_and_back(size: tuple[int, int], side: int, kind: str, seed: int) -> None:
    box = Letterbox.of(kind, size, None if kind == "original" else side)
    points = np.random.default_rng(seed).random((5, 2)) * size
    placed = box.to_model(points)
    np.testing.assert_allclose(box.to_image(placed), points, rtol=1e-9, atol=1e-9)
    assert (placed >= np.array(box.offset) - 1e-9).all()
    # The scale is not corrected for rounding the resized image: up to half a pixel beyond it, or a whole sliver.
    assert (placed <= np.array(box.offset) + box.content + 1).all()


@given(SIZES, st.integers(8, 1024))
def test_padding_is_centred_and_fits(size: tuple[int, int], side: int) -> None:
    box = Letterbox.pad(size, side)
    left, right = np.array(box.offset), np.array(box.size) - box.offset - box.content
    assert max(box.content) == side
    assert (left >= 0).all()
    assert ((right - left >= 0) & (right - left <= 1)).all()


@given(st.lists(SIZES, min_size=1, max_size=5), st.integers(8, 1024), KINDS)
def test_many_images_are_as_one_by_one(sizes: list[tuple[int, int]], side: int, kind: str) -> None:
    side_ = None if kind == "original" else side
    frames = frame_transform(kind, side_, [w for w, _ in sizes], [h for _, h in sizes])
    for row, size in enumerate(sizes):
        one = Letterbox.of(kind, size, side_)
        assert tuple(frames.scale[row]) == one.scale
        assert tuple(frames.offset[row]) == one.offset


def test_rounding_is_half_to_even() -> None:
    assert Letterbox.pad((8, 5), 4).content == (4, 2)  # 2.5 -> 2
    assert Letterbox.pad((8, 7), 4).content == (4, 4)  # 3.5 -> 4
    assert Letterbox.pad((8, 5), 5).offset == (0, 1)  # (5 - 3) / 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_are_as_arrays(dtype: torch.dtype) -> None:
    points = torch.rand(7, 2, dtype=dtype) * 300
    for box in (Letterbox.pad((500, 333), 840), Letterbox.squash((500, 333), 768)):
        there = box.to_model(points)
        assert there.dtype == dtype
        np.testing.assert_array_equal(there.numpy(), box.to_model(points.numpy()))
        np.testing.assert_array_equal(box.to_image(there).numpy(), box.to_image(there.numpy()))


def test_squash_and_longest_side() -> None:
    assert Letterbox.squash((200, 100), 50).scale == (0.25, 0.5)
    box = Letterbox.of("longest-side", (200, 100), 50)
    assert (box.scale, box.offset, box.size) == ((0.25, 0.25), (0.0, 0.0), (50, 25))
    assert box.place(np.zeros((100, 200, 3), np.uint8)).shape == (25, 50, 3)


def test_edge_padding_repeats_the_border() -> None:
    pixels = np.full((10, 40, 3), 200, np.uint8)
    assert (Letterbox.pad((40, 10), 40).place(pixels, edge=True) == 200).all()
    assert (Letterbox.pad((40, 10), 40).place(pixels)[:15] == 0).all()


def test_wrong_use_is_explained() -> None:
    with pytest.raises(UsageError, match="needs a side"):
        frame_transform("pad", None, [1], [1])
    with pytest.raises(UsageError, match="needs a side"):
        Letterbox.squash((4, 4), 0)


def test_torch_is_not_imported() -> None:
    code = "import sys, geobench.features.letterbox; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

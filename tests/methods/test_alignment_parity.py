"""Adaptive pose alignment end to end: GeoAware-SC's own runs with ADAPT_FLIP, pair by pair (goldens spair_flip_*)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch

from geobench.evaluation.queries import queries
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.methods.alignment import AlignedMethod, Alignment
from geobench.picture import Picture
from geobench.posing import IDENTITY, MIRROR
from tests.evaluation.geoaware_goldens import GEOAWARE, golden, image_ids, skeleton, spair

RUNS = {
    "spair_flip_mask_nn_kpt": ("nearest", {}, "masked-nearest"),
    "spair_flip_mask_win5": ("window-soft-argmax", {"window": 11, "masked": "zero"}, "masked-nearest"),
    "spair_flip_mnn_win5": ("window-soft-argmax", {"window": 11, "masked": "zero"}, "mutual-nearest"),
}
DISTANCE = 1e-5
PIXELS = 2e-3
SLOW = "spair_flip_mnn_win5"  # all cells with all cells, both ways
EACH = [pytest.param(name, marks=pytest.mark.slow) if name == SLOW else name for name in RUNS]


class Stored:
    """The goldens' features, each cell divided by its norm + 1e-10, and a matcher."""

    name = "stored"

    def __init__(self, kind: str, settings: dict[str, Any]) -> None:
        module = import_module(f"geobench.matching.{kind.replace('-', '_')}")
        self.matcher = module.Matcher(module.Settings(padding="searched", **settings))

    def describe(self, picture: Picture) -> FeatureMap:
        name = f"{picture.category}/{picture.path.stem}{'_flip' if picture.is_mirrored else ''}"
        features = torch.from_numpy(golden("features_spair.npz")[name].astype(np.float32))
        return FeatureMap(features / (features.norm(dim=0) + 1e-10), Letterbox.pad(picture.size, 840))

    def match(self, source, target, points):
        return self.matcher(source, target, points)


def stored_mask(picture: Picture, letterbox: Letterbox) -> torch.Tensor:
    packed = golden("masks_spair.npz")[f"{picture.category}/{picture.path.stem}_mask"]
    return torch.from_numpy(picture.pose.array(np.unpackbits(packed).reshape(960, 960).astype(bool)))


@cache
def answers(name: str) -> dict[str, np.ndarray]:
    """Return our distances [pairs, 2], and the difference in frame pixels of the final and the flipped predictions."""
    kind, settings, distance = RUNS[name]
    if find_spec(f"geobench.matching.{kind.replace('-', '_')}") is None:
        pytest.skip(f"there is no matcher {kind} yet")
    method = AlignedMethod(
        Stored(kind, settings), Alignment(distance=distance, zeros="far", carry="frame"), stored_mask
    )
    benchmark, run, stored = spair(), golden("pck_runs")["runs"][name], golden("pck_preds.npz")
    pairs = benchmark.split("test")
    asked = queries(benchmark, pairs, GEOAWARE)
    row_of = {key: row for row, key in enumerate(image_ids(benchmark, pairs))}
    described = [method.describe(benchmark.picture(row)) for row in range(len(benchmark.instances))]
    ours: dict[str, list] = {"distances": [], "pose": [], "final": [], "flipped": []}
    for number, theirs in enumerate(run["pairs"]):
        key = tuple(theirs[end].rsplit("/", 1)[1].removesuffix(".jpg") for end in ("src", "trg"))
        at = np.flatnonzero(asked.pair == row_of[key])
        source, target = described[pairs.source[row_of[key]]], described[pairs.target[row_of[key]]]
        points, keypoints = torch.from_numpy(asked.points[at]), asked.keypoint[at]
        partner = torch.from_numpy(benchmark.skeletons[theirs["category"]].partner_rows(keypoints))
        ours["distances"].append([method.distance(source, target, pose) for pose in (IDENTITY, MIRROR)])
        ours["pose"].append(method.choose(source, target) == MIRROR)
        frame = Letterbox.pad(target.picture.size, 840)
        final = frame.to_model(method.match(source, target, points, partner).numpy())
        ours["final"].append(np.abs(final - stored[name][number, keypoints]).max(initial=0))
        own = torch.arange(len(at))
        carried = points[partner.where(partner >= 0, own)]
        flipped = frame.to_model(method.answer(source, target, carried, MIRROR).numpy())
        used = np.array(run["categories"][theirs["category"]]["used_points"])
        branch = stored[f"{name}/flip_branch_used_order"][number, np.searchsorted(used, keypoints)]
        ours["flipped"].append(np.abs(flipped - branch).max(initial=0))
    return {key: np.array(value) for key, value in ours.items()}


@pytest.mark.parametrize("name", EACH)
def test_distances(name: str) -> None:
    pairs = golden("pck_runs")["runs"][name]["pairs"]
    theirs = [[pair["original_dist"], pair["flip_dist"]] for pair in pairs]
    np.testing.assert_allclose(answers(name)["distances"], theirs, atol=DISTANCE, rtol=0)


@pytest.mark.parametrize("name", EACH)
def test_the_same_pairs_are_flipped(name: str) -> None:
    pairs = golden("pck_runs")["runs"][name]["pairs"]
    flipped = np.array([pair["flip_dist"] < pair["original_dist"] for pair in pairs])
    assert 0 < flipped.sum() < len(flipped)
    np.testing.assert_array_equal(answers(name)["pose"], flipped)


@pytest.mark.parametrize("name", EACH)
def test_predictions(name: str) -> None:
    np.testing.assert_allclose(answers(name)["final"], 0, atol=PIXELS)


@pytest.mark.parametrize("name", EACH)
def test_predictions_of_the_flipped_branch(name: str) -> None:
    np.testing.assert_allclose(answers(name)["flipped"], 0, atol=PIXELS)


def test_mirrored_keypoints_and_partners() -> None:
    """geometry_flip: where mirrored keypoints lie, and which place each takes over, all or the visible ones paired."""
    stored, cat = golden("geometry_flip.npz"), skeleton("cat", 15)
    points = stored["kps"][:, :2].astype(np.float32)
    mirrored = MIRROR.points(points, (840, 840))
    np.testing.assert_allclose(mirrored, stored["flip_noperm"][:, :2], atol=1e-4)
    np.testing.assert_allclose(mirrored[list(cat.mirror)], stored["flip_perm_all"][:, :2], atol=1e-4)
    visible = np.flatnonzero(stored["kps"][:, 2] > 0)
    partner = cat.partner_rows(visible)
    order = np.arange(15)
    order[visible[partner >= 0]] = visible[partner[partner >= 0]]
    np.testing.assert_array_equal(order, stored["perm_vis"])
    np.testing.assert_allclose(mirrored[order], stored["flip_perm_vis"][:, :2], atol=1e-4)


def test_the_padded_frame_is_not_the_place_to_mirror_points() -> None:
    """The slip that ``carry = "frame"`` reproduces moves points by the odd pixel of padding, and no more."""
    off = []
    for row in range(len(spair().instances)):
        picture = spair().picture(row)
        method = Stored("nearest", {})
        source = AlignedMethod(method, Alignment(), stored_mask).describe(picture)
        seen = []
        method.match = lambda source, target, points, seen=seen: seen.append(points)
        for carry in ("image", "frame"):
            aligned = AlignedMethod(method, Alignment(carry=carry), stored_mask)
            aligned.answer(source, source, torch.tensor([[10.0, 20.0]]), MIRROR)
        off.append(float((seen[0] - seen[1]).abs().max()) * source.map().letterbox.scale[0])
    assert 0.2 < max(off) <= 1.5
    assert min(off) < 1e-3

"""Matchers against the authors' own: single cases, DIFT's evaluation, and whole evaluation runs end to end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matching_goldens import archive, as_fed, dift_features, dift_pairs, normalised

from geobench.evaluation.queries import queries
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.matching import gaussian_soft_argmax, nearest, soft_argmax, upsampled_nearest, window_soft_argmax

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from geoaware_cases import RUNS, Case
from geoaware_goldens import golden

MODES = sorted(key for key in archive("matching") if key.split("/")[1] not in {"desc1", "desc2", "kps1", "patch_idx"})
PIXELS = {"nn": 0.0, "soft": 2e-3, "window": 2e-3, "gauss": 2e-3}
END_TO_END = [name for name in RUNS if "flip" not in name]


def matcher_of(mode: str):
    """Return the matcher of a golden's mode, as the authors' code does it, masked cells and padding included."""
    kind, _, number = mode.partition("_")
    if kind == "nn":
        return nearest.Matcher(nearest.Settings(padding="searched"))
    if kind == "soft":
        return soft_argmax.Matcher(soft_argmax.Settings(padding="searched"))
    if kind == "window":
        settings = window_soft_argmax.Settings(window=2 * int(number) + 1, masked="zero", padding="searched")
        return window_soft_argmax.Matcher(settings)
    sigma = float(number.removeprefix("sigma_"))
    settings = gaussian_soft_argmax.Settings(sigma=sigma, masked="zero", padding="searched")
    return gaussian_soft_argmax.Matcher(settings)


def test_every_mode_of_every_case_is_compared():
    assert len(MODES) == 8 + 5 + 5


@pytest.mark.parametrize("key", MODES)
def test_case(key):
    case, mode = key.split("/")
    stored = archive("matching")
    source, target = as_fed(stored[f"{case}/desc1"]), as_fed(stored[f"{case}/desc2"])
    points = torch.from_numpy(stored[f"{case}/kps1"][:, :2])
    assert source.cells(points).tolist() == stored[f"{case}/patch_idx"].tolist()
    answer = matcher_of(mode)(source, target, points).numpy()
    np.testing.assert_allclose(answer, stored[key], rtol=0, atol=PIXELS[mode.partition("_")[0]])


def run_matcher(settings: dict):
    if not settings.get("SOFT_EVAL"):
        return matcher_of("nn"), 0.0
    window = settings["SOFT_EVAL_WINDOW"]
    return (matcher_of(f"window_{window}"), 2e-3) if window else (matcher_of("soft_full"), 5e-3)


def features_of(case: Case) -> dict[int, FeatureMap]:
    """Return the map of every instance of a run."""
    dataset = case.settings["EVAL_DATASET"]
    stored, table = archive(f"features_{dataset}"), case.benchmark.instances
    by_name = {name.rsplit("/", 1)[-1]: name for name in stored}
    rows = np.unique(np.concatenate([case.pairs.source, case.pairs.target]))
    maps = {}
    for row in rows.tolist():
        name = by_name[Path(str(table.image[row])).stem]
        maps[row] = normalised(stored[name], (int(table.width[row]), int(table.height[row])))
    return maps


@pytest.mark.parametrize("name", END_TO_END)
def test_whole_run(name):
    """Every stored prediction of a query the protocol asks; those for invisible keypoints are never asked here."""
    case = Case(name)
    match, tolerance = run_matcher(case.settings)
    maps, stored = features_of(case), golden("pck_preds.npz")[name]
    used = {label: value["used_points"] for label, value in case.golden["categories"].items()}
    mutual, asked = case.pairs.mutual(case.benchmark), case.golden["pairs"]
    compared = 0
    for row, theirs, pair in zip(case.order, stored, asked, strict=True):
        source, target = int(case.pairs.source[row]), int(case.pairs.target[row])
        slots = np.flatnonzero(mutual[row])
        assert slots.tolist() == np.array(used[pair["category"]])[pair["vis"]].tolist()
        points = asked_points(case, source, slots)
        answer = match(maps[source], maps[target], points)
        framed = maps[target].letterbox.to_model(answer.double()).numpy()
        limit = max(tolerance, 1e-3 if not tolerance else 0)  # float32 pixels of the image and back to the frame
        np.testing.assert_allclose(framed, theirs[slots], rtol=0, atol=limit)
        if not tolerance:
            assert np.array_equal(np.floor(framed / 14), np.floor(theirs[slots] / 14))
        compared += len(slots)
    assert compared == sum(len(pair["vis"]) for pair in asked) > 0


def asked_points(case: Case, row: int, slots: np.ndarray) -> torch.Tensor:
    """Return the query points of one instance as the protocol gives them, pixels of the image."""
    pairs = case.pairs
    asked = queries(case.benchmark, pairs, case.protocol.model_copy(update={"sampling": None}))
    mask = asked.query_row[asked.pair] == row
    found = {int(k): point for k, point in zip(asked.keypoint[mask], asked.points[mask], strict=True)}
    return torch.from_numpy(np.stack([found[int(slot)] for slot in slots]))


def dift_map(maps: dict[str, torch.Tensor], pair: dict, end: str) -> FeatureMap:
    size = tuple(pair[f"{end}_imsize"][:2])
    return FeatureMap(maps[pair[f"{end}_imname"].removesuffix(".png")], Letterbox.squash(size, 96))


def test_dift_evaluation():
    """The predictions of DIFT's eval_spair.py, pixel for pixel, but among pixels that tie."""
    match, maps = upsampled_nearest.Matcher(upsampled_nearest.Settings()), dift_features()
    tied = 0
    for pair in dift_pairs():
        source, target = (
            FeatureMap(
                maps[pair[f"{end}_imname"].removesuffix(".png")], Letterbox.squash(tuple(pair[f"{end}_imsize"][:2]), 96)
            )
            for end in ("src", "trg")
        )
        answer = match(source, target, torch.tensor(pair["src_kps"], dtype=torch.float32)).tolist()
        for ours, theirs, margin in zip(answer, pair["pred_xy"], pair["argmax_margin"], strict=True):
            if margin["n_within_2e_6"] == 1:
                assert ours == theirs
            else:
                tied += 1
                assert ours == margin["near_xy"][0]
    assert tied == 3

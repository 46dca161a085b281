"""Pose awareness: the authors' votes and distance, ties, and what the answer must not depend on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geobench.errors import InputError, UsageError
from geobench.evaluation.pose_awareness import DistanceSettings, feature_map, pose_distances, template_distance
from geobench.evaluation.pose_templates import TemplateSet
from geobench.evaluation.pose_vote import BACK, FRONT, LEFT, RIGHT, VIEWS, accuracy, correct, vote
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.matching.distance import nearest_distances, sampled_mask
from geobench.matching.upsampled_distance import UpsampledMap, upsampled
from geobench.methods.loader import load_method
from tests.conftest import make_tiny_benchmark

GOLDENS = Path(__file__).parents[1] / "goldens" / "geoaware_pose"
CASES = json.loads(gzip.decompress((GOLDENS / "pose_vote.json.gz").read_bytes()))
LETTERS = {"b": BACK, "f": FRONT, "l": LEFT, "r": RIGHT}


@pytest.mark.parametrize("case", CASES)
def test_votes_and_counts_are_the_authors(case: dict) -> None:
    voted = vote(np.array(case["distances"]).reshape(-1, 3, 4))
    truth = np.array([LETTERS[letter] for letter in case["gt"]])
    letters = [VIEWS[a][0] + VIEWS[b][0] for a, b in zip(voted.front_back, voted.left_right, strict=True)]
    assert letters == case["pred_bf_lr"]
    assert [VIEWS[v][0] for v in voted.four_way] == case["pred_4"]
    found, counts = correct(voted, truth), case["correct_counts"]
    hits = {name: int(column.sum()) for name, column in found.items()}
    assert hits == {
        "L/R": counts["2_lr"],
        "F/B": counts["2_fb"],
        "L/R or F/B": counts["2"],
        "L/R/F/B": counts["4"],
    }
    assert [len(found[name]) for name in found] == [
        case["view_counts"]["lr"],
        case["view_counts"]["bf"],
        case["total"],
        case["total"],
    ]
    shares = accuracy(voted, truth)
    keys = {"L/R": "correct_2_lr", "F/B": "correct_2_fb", "L/R or F/B": "correct_2", "L/R/F/B": "correct_4"}
    assert shares == {name: case["accuracies"][key] for name, key in keys.items()}


def golden_maps() -> tuple[FeatureMap, FeatureMap, torch.Tensor, float]:
    stored = np.load(GOLDENS / "pose_template_distance.npz")
    box = Letterbox.pad((840, 840), 840)
    template, target = (
        FeatureMap(torch.from_numpy(stored[f"{name}_desc"].astype(np.float32)).T.reshape(8, 60, 60).contiguous(), box)
        for name in ("template", "target")
    )
    mask = np.unpackbits(stored["target_mask"])[: 840 * 840].reshape(840, 840).astype(bool)
    return template, target, torch.from_numpy(mask), float(stored["distance"])


@pytest.mark.parametrize("zeros", ["keep", "far"])
def test_template_distance_is_the_authors(zeros: str) -> None:
    template, target, mask, expected = golden_maps()
    found = template_distance(UpsampledMap.of(template, 128), target, sampled_mask(mask, 128), zeros)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_zero_entry_of_the_target_is_far_in_the_authors_code_only() -> None:
    template, target, mask, expected = golden_maps()
    emptied = FeatureMap(target.features.clone(), target.letterbox)
    emptied.features[0] = 0
    known, cells = UpsampledMap.of(template, 128), sampled_mask(mask, 128)
    assert template_distance(known, emptied, cells) < 2 * expected + 1
    assert template_distance(known, emptied, cells, "far") == pytest.approx(100000, rel=1e-4)


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 5), st.sampled_from([4, 9, 16]))
def test_upsampled_distances_are_those_to_the_upsampled_vectors(seed: int, rows: int, c: int, resolution: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shown = FeatureMap(torch.randn((c, rows, 5), generator=generator), Letterbox.squash((50, 70), 60))
    pixels = upsampled(shown.features, resolution).flatten(1).T.contiguous()
    queries = torch.cat([torch.randn((20, c), generator=generator), pixels[:3]])
    known = UpsampledMap.of(shown, resolution)
    torch.testing.assert_close(known.vectors(torch.arange(resolution**2)), pixels, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(known.distances(queries), nearest_distances(queries, pixels), atol=2e-6, rtol=1e-5)


def test_padding_of_a_template_is_no_answer() -> None:
    box = Letterbox.pad((40, 20), 40)
    features = torch.ones((2, 8, 8))
    features[:, :2] = features[:, 6:] = 0
    target = FeatureMap(torch.zeros((2, 8, 8)), box)
    everywhere = torch.ones((8, 8), dtype=torch.bool)
    assert template_distance(UpsampledMap.of(FeatureMap(features, box), 8), target, everywhere) == pytest.approx(2**0.5)


def test_an_empty_mask_counts_the_whole_frame() -> None:
    template, target, _, _ = golden_maps()
    known = UpsampledMap.of(template, 16)
    whole = template_distance(known, target, torch.ones((16, 16), dtype=torch.bool))
    assert template_distance(known, target, torch.zeros((16, 16), dtype=torch.bool)) == whole


distances = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(4)), elements=st.floats(0, 9))
ties = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(4)), elements=st.integers(0, 3))


@given(st.one_of(distances, ties), st.randoms(use_true_random=False), st.sampled_from([0.25, 2.0, 1024.0]))
def test_neither_the_order_of_sets_nor_the_scale_matters(found: np.ndarray, random: object, scale: float) -> None:
    order = list(range(found.shape[1]))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, second = vote(found), vote(found[:, order] * scale)
    np.testing.assert_array_equal(first.front_back, second.front_back)
    np.testing.assert_array_equal(first.left_right, second.left_right)
    np.testing.assert_array_equal(first.four_way, second.four_way)


@given(distances)
def test_one_set_repeated_votes_as_it_does_alone(found: np.ndarray) -> None:
    alone, repeated = vote(found[:, :1]), vote(np.repeat(found[:, :1], 4, axis=1))
    for one, other in zip(vars(alone).values(), vars(repeated).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ties_go_to_back_and_left_and_to_the_first_view() -> None:
    assert [int(a[0]) for a in vars(vote(np.ones((1, 3, 4)))).values()] == [BACK, LEFT, BACK]
    # Of two sets, one for front and one for back: no majority.
    halves = np.array([[[1.0, 0, 5, 4], [0.0, 1, 5, 4]]])
    assert [int(a[0]) for a in vars(vote(halves)).values()] == [BACK, RIGHT, BACK]


def test_a_distance_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        vote(np.full((1, 3, 4), np.nan))


def test_a_target_that_is_a_template_is_told_right_whatever_the_method_matches_with(tmp_path: Path) -> None:
    benchmark = make_tiny_benchmark(tmp_path)
    method = load_method("dense-sift")
    pictures = [benchmark.picture(row) for row in range(8)]
    sets = [TemplateSet("one", tuple(pictures[:4]))]
    found = pose_distances(method, sets, pictures[:4], DistanceSettings(16))
    np.testing.assert_allclose(np.diagonal(found[:, 0]), 0, atol=1e-6)
    np.testing.assert_array_equal(vote(found).four_way, np.arange(4))


def test_an_aligned_recipe_gives_its_features(tmp_path: Path) -> None:
    plain = Path(__file__).parents[2] / "baselines" / "dense-sift.toml"
    recipe = tmp_path / "aligned.toml"
    recipe.write_text(plain.read_text(encoding="utf-8") + '\n[alignment]\nposes = ["identity", "mirror"]\n')
    picture = make_tiny_benchmark(tmp_path / "b").picture(0)
    maps = [feature_map(load_method(str(path)), picture).features for path in (plain, recipe)]
    torch.testing.assert_close(*maps, atol=0, rtol=0)


def test_a_method_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no feature map"):
        feature_map(load_method("same-position"), make_tiny_benchmark(tmp_path).picture(0))

"""The kinds of error against a slow count keypoint by keypoint, and what must hold for every prediction."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_benchmarks import KEYPOINTS, frame_of, random_benchmark, random_predictions

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError, UsageError
from geobench.evaluation.error_table import error_table
from geobench.evaluation.landings import landings
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Protocol, Sampling, find_protocol, protocol_names
from geobench.evaluation.queries import pair_weights
from geobench.evaluation.scores import score
from geobench.evaluation.swaps import confusion_matrix
from geobench.evaluation.taxonomy import KINDS, outcomes
from geobench.skeleton import Skeleton

DEFAULT = find_protocol("default")
SEEDS = st.integers(0, 2**32 - 1)
SKELETONS = {
    "cat": Skeleton(tuple("abcdefg"), {"x": (0, 3), "y": (1, 2, 6)}, (0, 2, 1, 3, 5, 4, 6)),
    "dog": Skeleton(tuple("abcdefg"), {"x": (2, 5)}, (1, 0, 2, 3, 4, 5, 6)),
}


def mirrored_benchmark(seed: int, **options: int) -> Benchmark:
    """Return a random benchmark whose skeletons have mirror partners, in and out of their subgroups."""
    benchmark = random_benchmark(seed, **options)
    rng = np.random.default_rng(seed + 7)
    pairs = benchmark.split("test")
    flagged = dataclasses.replace(pairs, attributes={"occlusion": rng.integers(0, 4, len(pairs)).astype(np.int8)})
    return dataclasses.replace(benchmark, skeletons=SKELETONS, splits={"test": flagged})


def scattered(benchmark: Benchmark, protocol: Protocol, seed: int) -> Predictions:
    """Return answers near the truth, near other keypoints, anywhere, and none."""
    rng = np.random.default_rng(seed)
    near = random_predictions(benchmark, protocol, seed)
    asked = queries(benchmark, benchmark.split("test"), protocol)
    table, rows = benchmark.instances, asked.answer_row[asked.pair]
    elsewhere = table.keypoints[rows, rng.integers(0, KEYPOINTS, len(asked))] + rng.normal(0, 2, (len(asked), 2))
    points = np.stack([near.x, near.y], axis=1)
    return Predictions.of(asked, np.where(rng.random((len(asked), 1)) < 0.5, points, elsewhere))


def slow_kinds(benchmark: Benchmark, predictions: Predictions, protocol: Protocol, alpha: float) -> list[str]:
    """Return the kind of each answer, written again from docs/errors.md, for source-to-target protocols."""
    table, pairs, kinds = benchmark.instances, benchmark.split("test"), []
    for p, k, x, y in zip(predictions.pair, predictions.keypoint, predictions.x, predictions.y, strict=True):
        t = int(pairs.target[p])
        skeleton = benchmark.skeleton(str(pairs.category[p]))
        sx, sy, *_ = frame_of(protocol, int(table.width[t]), int(table.height[t]))
        threshold = alpha * max(float(table.bbox[t, 2]) * sx, float(table.bbox[t, 3]) * sy)
        if np.isnan(x):
            kinds.append("no_answer")
            continue
        distance = {
            j: float(np.hypot((float(x) - float(kx)) * sx, (float(y) - float(ky)) * sy))
            for j, (kx, ky) in enumerate(table.keypoints[t].tolist())
            if table.visibility[t, j]
        }
        own = distance[k]
        nearest = min(distance, key=lambda j: (distance[j], j != k, j))
        left, top, width, height = table.bbox[t].tolist()
        if own <= threshold:
            kinds.append("correct")
        elif distance[nearest] <= threshold:
            together = any(k in g and nearest in g for g in skeleton.groups.values())
            swap = "subgroup_swap" if together else "other_keypoint"
            kinds.append("mirror_swap" if skeleton.mirror[k] == nearest else swap)
        elif own <= 2 * threshold:
            kinds.append("near_miss")
        elif left <= x <= left + width and top <= y <= top + height:
            kinds.append("on_instance")
        else:
            kinds.append("background")
    return kinds


@pytest.mark.parametrize("name", ["default", "dift", "sd4match"])
@settings(max_examples=15)
@given(seed=SEEDS, alpha=st.sampled_from([0.05, 0.1, 0.3]))
def test_kinds_equal_the_slow_count(name: str, seed: int, alpha: float) -> None:
    protocol, benchmark = find_protocol(name), mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, protocol, seed)
    found = landings(benchmark, pairs, predictions, protocol)
    result = outcomes(benchmark, pairs, found, protocol, alpha)
    assert [KINDS[code] for code in result.kind] == slow_kinds(benchmark, predictions, protocol, alpha)


def test_every_kind_occurs_in_these_random_inputs() -> None:
    seen: Counter[str] = Counter()
    for seed in range(12):
        benchmark = mirrored_benchmark(seed)
        seen.update(slow_kinds(benchmark, scattered(benchmark, DEFAULT, seed), DEFAULT, 0.1))
    assert set(seen) == set(KINDS)


@pytest.mark.parametrize("name", protocol_names())
@settings(max_examples=15)
@given(seed=SEEDS)
def test_kinds_exclude_one_another_and_add_to_all(name: str, seed: int) -> None:
    protocol, benchmark = find_protocol(name), mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, protocol, seed)
    table = error_table(benchmark, pairs, predictions, protocol, by=["category", "keypoint", "type", "difficulty"])
    counted = table[table.n > 0]
    np.testing.assert_allclose(counted[list(KINDS)].sum(axis=1), 1, atol=1e-12)
    assert (counted[list(KINDS)] >= 0).all(axis=None)
    for prefix in ("category:", "keypoint:", "type:", "occlusion:"):
        assert table.n[table.scope.str.startswith(prefix)].sum() == table.n[0]


@pytest.mark.parametrize("name", protocol_names())
@settings(max_examples=10)
@given(seed=SEEDS)
def test_correct_and_the_gap_are_those_of_the_scores(name: str, seed: int) -> None:
    protocol = find_protocol(name).model_copy(update={"empty_pair": "skip"})
    benchmark = mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, protocol, seed)
    table = error_table(benchmark, pairs, predictions, protocol, by=["category"]).set_index("scope")
    scores = score(benchmark, pairs, predictions, protocol)
    scores = scores[np.isclose(scores.alpha, 0.1) & ~scores.scope.str.startswith("azimuth")]
    for row in scores.itertuples():
        column = f"{'standard' if row.subset == 'all' else 'geometry_aware'}_{row.metric}"
        ours = table.loc[row.scope, column] if row.scope in table.index else np.nan
        assert ours == pytest.approx(row.value, abs=1e-12, nan_ok=True)
    np.testing.assert_allclose(table.correct, table.standard_per_point)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_pck_dagger_equals_the_slow_count(seed: int) -> None:
    """Correct, and no keypoint visible in both images is nearer: the published definition."""
    benchmark = mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, seed)
    table, kinds = benchmark.instances, slow_kinds(benchmark, predictions, DEFAULT, 0.1)
    hits = []
    for p, k, x, y, kind in zip(
        predictions.pair, predictions.keypoint, predictions.x, predictions.y, kinds, strict=True
    ):
        s, t = int(pairs.source[p]), int(pairs.target[p])
        mutual = [j for j in range(KEYPOINTS) if table.visibility[s, j] and table.visibility[t, j]]
        places = table.keypoints[t].astype(float)
        distance = {j: np.hypot(float(x) - places[j, 0], float(y) - places[j, 1]) for j in mutual}
        hits.append(kind == "correct" and distance[int(k)] <= min(distance.values()))
    ours = error_table(benchmark, pairs, predictions, DEFAULT).pck_dagger[0]
    assert ours == pytest.approx(np.mean(hits) if hits else np.nan, nan_ok=True)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_geco_and_left_right_equal_the_slow_count(seed: int) -> None:
    benchmark = mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, seed)
    table, n = benchmark.instances, Counter[str]()
    places = {
        (int(p), int(k)): (float(x), float(y))
        for p, k, x, y in zip(predictions.pair, predictions.keypoint, predictions.x, predictions.y, strict=True)
    }
    for p in range(len(pairs)):
        s, t = int(pairs.source[p]), int(pairs.target[p])
        mirror = benchmark.skeleton(str(pairs.category[p])).mirror
        for k in np.flatnonzero(table.visibility[s]).tolist():
            symmetric = mirror[k] != k and bool(table.visibility[t, mirror[k]])
            if not table.visibility[t, k]:
                n["n_01" if symmetric else "n_00"] += 1
                continue
            case = "11" if symmetric else "10" if mirror[k] != k else "1x"
            x, y = places[p, k]
            reach = 0.1 * float(table.bbox[t, 2:].max())
            own, other = (
                float(np.hypot(x - float(table.keypoints[t, j, 0]), y - float(table.keypoints[t, j, 1])))
                for j in (k, mirror[k])
            )
            n[f"n_{case}"] += 1
            n[f"hat_{case}"] += own <= reach
            n["tilde_11"] += case == "11" and own <= reach and other <= reach
            n["overline_11"] += case == "11" and not own <= reach and other <= reach
            n["left_right_n"] += case == "11" and not np.isnan(x)
            n["confused"] += case == "11" and other < own
    ours = error_table(benchmark, pairs, predictions, DEFAULT).iloc[0]
    for name in ("n_11", "hat_11", "overline_11", "tilde_11", "n_10", "hat_10", "n_1x", "hat_1x", "n_01", "n_00"):
        assert ours[name] == n[name], name
    assert ours.left_right_n == n["left_right_n"]
    if n["left_right_n"]:
        assert ours.left_right_confusion == pytest.approx(n["confused"] / n["left_right_n"])


@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_confusion_matrix_counts_every_answer_once(seed: int) -> None:
    benchmark = mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, seed)
    found = landings(benchmark, pairs, predictions, DEFAULT)
    matrix = confusion_matrix(benchmark, pairs, found)
    slow: Counter[tuple[str, str]] = Counter()
    for k, nearest in zip(found.asked.keypoint.tolist(), found.nearest.tolist(), strict=True):
        slow["abcdefg"[k], "-" if nearest < 0 else "abcdefg"[nearest]] += 1
    assert {(row.keypoint, row.nearest): row.n for row in matrix.itertuples()} == slow
    parts = [confusion_matrix(benchmark, pairs, found, label).n.sum() for label in ("cat", "dog")]
    assert sum(parts) == matrix.n.sum() == len(predictions)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_a_pair_drawn_twice_counts_twice(seed: int) -> None:
    benchmark = mirrored_benchmark(seed)
    pairs, sampled = benchmark.split("test"), DEFAULT.model_copy(update={"sampling": Sampling(per_category=9)})
    predictions = scattered(benchmark, sampled, seed)
    weight = pair_weights(pairs, sampled.sampling)
    result = error_table(benchmark, pairs, predictions, sampled).iloc[0]
    kinds = slow_kinds(benchmark, predictions, sampled, 0.1)
    times = [weight[p] for p in predictions.pair]
    assert result.n == sum(times)
    if result.n:
        counts = [sum(w for w, kind in zip(times, kinds, strict=True) if kind == one) for one in KINDS]
        np.testing.assert_allclose(result[list(KINDS)].astype(float), np.array(counts) / result.n)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_visible_members_of_the_subgroup(seed: int) -> None:
    benchmark = mirrored_benchmark(seed)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, seed)
    slow: Counter[str] = Counter()
    for p, k in zip(predictions.pair.tolist(), predictions.keypoint.tolist(), strict=True):
        for group in benchmark.skeleton(str(pairs.category[p])).groups.values():
            if k in group:
                count = sum(benchmark.instances.visibility[pairs.target[p], j] > 0 for j in group)
                slow[f"subgroup_visible:{count}"] += 1
    table = error_table(benchmark, pairs, predictions, DEFAULT, by=["visible"])[1:]
    assert dict(zip(table.scope, table.n, strict=True)) == slow


def test_names_of_keypoints_and_types() -> None:
    benchmark = mirrored_benchmark(1, n_pairs=60)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, 1)
    scopes = error_table(benchmark, pairs, predictions, DEFAULT, by=["keypoint", "type"]).scope.tolist()
    assert [f"keypoint:{name}" for name in "abcdefg"] == [s for s in scopes if s.startswith("keypoint:")]
    assert {"type:x", "type:y", "type:e"} <= set(scopes)


def test_masks_decide_where_there_are_some(tmp_path: Path) -> None:
    benchmark = mirrored_benchmark(3, n=2, n_pairs=1)
    table = benchmark.instances
    table.visibility[:] = 2
    table.keypoints[:] = np.array([2, 2], np.float32)
    table.bbox[:] = np.array([0, 0, 10, 10], np.float32)
    pairs = Pairs(np.array([0], np.int32), np.array([1], np.int32), np.array(["cat"]))
    width, height = int(table.width[1]), int(table.height[1])
    mask = np.zeros((height, width), np.uint8)
    mask[8, 9] = 255  # in the box, and the only pixel of the mask
    Image.fromarray(mask).save(tmp_path / "mask.png")
    masked = dataclasses.replace(table, mask=np.array(["", "mask.png"]))
    benchmark = dataclasses.replace(benchmark, instances=masked, image_root=tmp_path)
    asked = queries(benchmark, pairs, DEFAULT)
    points = np.array([[9.5, 8.5], [9.99, 8.0], [8.9, 8.5], [9.5, 9.1], [-1, 8.5], [width, 8.5], [9, 8]], np.float32)
    found = landings(benchmark, pairs, Predictions.of(asked, points), DEFAULT)
    kinds = [KINDS[code] for code in outcomes(benchmark, pairs, found, DEFAULT, 0.1).kind]
    inside, outside = "on_instance", "background"
    assert kinds == [inside, inside, outside, outside, outside, outside, inside]
    boxes = [KINDS[code] for code in outcomes(benchmark, pairs, found, DEFAULT, 0.1, "box").kind]
    assert boxes == [inside, inside, inside, inside, outside, outside, inside]
    (tmp_path / "mask.png").unlink()
    with pytest.raises(InputError, match=r"mask\.png: no such mask.*--extent box"):
        outcomes(benchmark, pairs, found, DEFAULT, 0.1)


def test_what_cannot_be_divided_by_is_explained() -> None:
    benchmark = random_benchmark(0)
    pairs, predictions = benchmark.split("test"), random_predictions(benchmark, DEFAULT, 1)
    with pytest.raises(UsageError, match="--by difficulty: random says nothing"):
        error_table(benchmark, pairs, predictions, DEFAULT, by=["difficulty"])
    with pytest.raises(UsageError, match="did you mean category"):
        error_table(benchmark, pairs, predictions, DEFAULT, by=["categry"])
    benchmark.instances.azimuth[:] = np.nan
    with pytest.raises(UsageError, match="--by azimuth"):
        error_table(benchmark, pairs, predictions, DEFAULT, by=["azimuth"])

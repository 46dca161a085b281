"""Parity with GeoAware-SC's own evaluation, on its outputs stored in tests/goldens/geoaware."""

from __future__ import annotations

import numpy as np
import pytest
from geoaware_cases import RUNS, Case, named
from geoaware_goldens import (
    GEOAWARE,
    PRINTED,
    golden,
    image_ids,
    predictions_from_frame,
    same_counts,
    spair,
    values,
)

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.geometry import counted_as_geometry_aware
from geobench.evaluation.pck import per_image, per_point, tally
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.queries import queries
from geobench.evaluation.scores import correct_keypoints, score, threshold_sizes

VALUE = 1e-6


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {name: Case(name) for name in RUNS}


@pytest.mark.parametrize("name", RUNS)
class TestRuns:
    def test_overall(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        metric = case.protocol.averaging.replace("-", "_")
        assert case.values("all", "all", metric)[0] == pytest.approx(case.golden["overall"], abs=VALUE)

    def test_every_category(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        for label, theirs in case.golden["categories"].items():
            same_counts(case.values(f"category:{label}", "all", "per_point"), theirs["per_kpt"], theirs["n_kpts"])
            if theirs["per_img"] is not None:
                ours, n = case.values(f"category:{label}", "all", "per_image")
                assert n == theirs["n_pairs"]
                assert ours == pytest.approx(theirs["per_img"], abs=VALUE)

    def test_geometry_aware_per_point(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        if case.golden.get("geo") is None:
            pytest.skip("the authors' PF-Pascal has no geometry-aware subset")
        for label, theirs in case.golden["categories"].items():
            *_, n_geo = theirs["geo_score"]
            same_counts(
                case.values(f"category:{label}", "geometry_aware", "per_point"), theirs["geo_score"][2:5], n_geo
            )
        overall, n = case.values("all", "geometry_aware", "per_point")
        assert n == sum(case.golden["geo"]["n_geo_per_cat"])
        assert overall == pytest.approx(case.golden["geo"]["per_kpt_weighted"], abs=VALUE)

    def test_geometry_aware_per_image(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        if "per_img" not in (case.golden.get("geo") or {}):
            pytest.skip("this run printed none")
        # Their geometry-aware per-image figure keeps the boxes even with --IMG_THRESHOLD.
        boxed = case.protocol.model_copy(update={"size": "benchmark"})
        ours = values(case.score(case.pairs, case.predictions, boxed), "all", "geometry_aware", "per_image")
        assert ours[1] == case.golden["geo"]["per_img_n"]
        assert ours[0] == pytest.approx(case.golden["geo"]["per_img"], abs=VALUE)

    def test_occurrence_of_geometry_aware_keypoints(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        if case.golden.get("geo") is None:
            pytest.skip("the authors' PF-Pascal has no geometry-aware subset")
        tags = counted_as_geometry_aware(case.benchmark, case.pairs, case.protocol, "per-point", case.weight)
        ratios = []
        for label, theirs in case.golden["categories"].items():
            rows = case.order[case.pairs.category[case.order] == label]
            ratios.append(tags[rows].any(axis=1).mean())
            geo, every = (case.values(f"category:{label}", s, "per_point")[1] for s in ("geometry_aware", "all"))
            assert [ratios[-1], geo / every] == pytest.approx(theirs["geo_score"][:2], abs=VALUE)
        assert np.mean(ratios) == pytest.approx(case.golden["geo"]["avg_images_occurrence"], abs=VALUE)
        geo, every = (case.values("all", s, "per_point")[1] for s in ("geometry_aware", "all"))
        assert geo / every == pytest.approx(case.golden["geo"]["avg_points_occurrence"], abs=VALUE)

    def test_every_pair(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        mutual = case.pairs.mutual(case.benchmark)
        rules = {
            rule: counted_as_geometry_aware(case.benchmark, case.pairs, case.protocol, rule, case.weight)
            for rule in ("per-image", "per-point")
        }
        size = threshold_sizes(case.benchmark, case.protocol.model_copy(update={"size": "benchmark"}))
        for row, theirs in zip(case.order, case.golden["pairs"], strict=True):
            used = np.array(case.golden["categories"][theirs["category"]]["used_points"])
            assert np.flatnonzero(mutual[row]).tolist() == used[theirs["vis"]].tolist()
            if "geo_idx_compute_pck" in theirs:
                assert np.flatnonzero(rules["per-point"][row]).tolist() == used[theirs["geo_idx_compute_pck"]].tolist()
            if "geo_idx_eval_spair" in theirs:
                assert np.flatnonzero(rules["per-image"][row]).tolist() == sorted(theirs["geo_idx_eval_spair"])
            if "threshold" in theirs:
                assert size[case.pairs.target[row]] == pytest.approx(theirs["threshold"], abs=2e-4)

    def test_tables_by_class_subset_and_azimuth(self, cases: dict[str, Case], name: str) -> None:
        case = cases[name]
        table = case.golden.get("eval_spair")
        if not table:
            pytest.skip("the authors' PF-Pascal has no such table")
        pairs = case.pairs.take(case.order)  # as listed, drawn pairs repeated
        stored = golden("pck_preds.npz")[name]
        predictions = predictions_from_frame(case.benchmark, pairs, GEOAWARE, stored)
        compared = check_table(case.benchmark, pairs, predictions, table)
        assert compared == sum("subset=flip" not in key for key in table)


def check_table(benchmark: Benchmark, pairs: Pairs, predictions: Predictions, table: dict) -> int:
    """Compare every cell of an eval_spair.py table (class x all/geo x azimuth) and return how many there were."""
    by_definition = GEOAWARE.model_copy(update={"geometry_rule": "subgroups", "alphas": PRINTED})
    compared = 0
    for key, theirs in table.items():
        cls, subset, az = (part.split("=")[1] for part in key.split(","))
        if subset == "flip":
            continue
        chosen = np.ones(len(pairs), bool)
        if cls != "None":
            chosen &= benchmark.instances.category[pairs.source] == cls
        if az != "None":
            azimuth = benchmark.instances.azimuth / 45
            turn = (azimuth[pairs.source] - azimuth[pairs.target]) % 8
            chosen &= np.minimum(turn, 8 - turn) == int(az)
        rows = np.flatnonzero(chosen)
        kept = np.isin(predictions.pair, rows)
        columns = (predictions.keypoint[kept], predictions.x[kept], predictions.y[kept])
        some = Predictions(np.searchsorted(rows, predictions.pair[kept]).astype(np.int32), *columns)
        scores = score(benchmark, pairs.take(rows), some, by_definition)
        subset = {"all": "all", "geo": "geometry_aware"}[subset]
        if not isinstance(theirs["img"], str):
            ours = values(scores, "all", subset, "per_image")
            assert ours[1] == theirs["img"][3]
            if ours[1]:
                assert ours[0] == pytest.approx(theirs["img"][:3], abs=VALUE)
        if not isinstance(theirs["std"], str):
            same_counts(values(scores, "all", subset, "per_point"), theirs["std"][:3], theirs["std"][3])
        compared += 1
    return compared


def test_metrics_table_of_given_predictions() -> None:
    """metrics_spair: the whole table of eval_spair.py, for predictions made up by the goldens' author."""
    benchmark, stored = spair(), golden("metrics_spair")
    pairs = benchmark.split("test")
    rows = {key: row for row, key in enumerate(image_ids(benchmark, pairs))}
    order = [rows[named(pair)] for pair in stored["pairs"]]
    in_frame = np.full((len(pairs), 30, 2), np.nan, np.float32)
    in_frame[order] = golden("metrics_spair_preds.npz")["pred_xy"]
    predictions = predictions_from_frame(benchmark, pairs, GEOAWARE, in_frame)
    compared = check_table(benchmark, pairs, predictions, stored["table"])
    assert compared == sum("subset=flip" not in key for key in stored["table"]) > 20


@pytest.mark.parametrize("name", [name for name, run in RUNS.items() if "flip" in str(run.get("eval_spair"))])
def test_their_mirror_subset(name: str) -> None:
    """The subset "flip" of eval_spair.py, which no protocol has: its keypoints as stored, averaged by pck.py."""
    run, stored = RUNS[name], golden("pck_preds.npz")[name]
    case = Case(name)
    pairs = case.pairs.take(case.order)
    predictions = predictions_from_frame(case.benchmark, pairs, GEOAWARE, stored)
    asked = queries(case.benchmark, pairs, GEOAWARE)
    protocol = GEOAWARE.model_copy(update={"alphas": PRINTED})
    points = np.stack([predictions.x, predictions.y], axis=1)
    marks = correct_keypoints(case.benchmark, protocol, asked, points)
    chosen = np.zeros((len(pairs), 30), bool)
    for row, pair in enumerate(run["pairs"]):
        chosen[row, pair["flip_idx_eval_spair"]] = True
    rows = chosen[asked.pair, asked.keypoint]
    counts = tally(marks[rows], asked.pair[rows], len(pairs))
    compared = 0
    for key, theirs in run["eval_spair"].items():
        cls, subset, az = (part.split("=")[1] for part in key.split(","))
        if subset != "flip" or az != "None":
            continue
        group = np.where((pairs.category == cls) | (cls == "None"), 0, -1)
        once = np.ones(len(pairs), int)
        value, n = per_image(counts, group, 1, once)
        assert n[0] == theirs["img"][3]
        assert value[0] == pytest.approx(theirs["img"][:3], abs=VALUE)
        value, n = per_point(counts, group, 1, once)
        same_counts((value[0], int(n[0])), theirs["std"][:3], theirs["std"][3])
        compared += 1
    assert compared == sum("subset=flip,az=None" in key for key in run["eval_spair"]) > 0

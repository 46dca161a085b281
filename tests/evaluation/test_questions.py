"""Which predictions can be counted under which protocols, and one set of them under all."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from geoaware_cases import RUNS, Case
from geoaware_goldens import ap10k, spair
from hypothesis import given, settings
from hypothesis import strategies as st
from random_benchmarks import random_benchmark, random_predictions
from test_taxonomy import mirrored_benchmark, scattered

from geobench.benchmark import Benchmark
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import Protocol, Sampling, find_protocol, protocol_names
from geobench.evaluation.questions import difference, questions_fingerprint
from geobench.evaluation.scores import score
from geobench.evaluation.spread import common_alphas, presets_and, protocol_spread

DEFAULT, GEOAWARE, CATS = (find_protocol(name) for name in ("default", "geoaware-sc", "cats"))


def without_occluded(benchmark: Benchmark) -> Benchmark:
    """Return the benchmark with every annotated keypoint in plain view."""
    table = benchmark.instances
    plain = dataclasses.replace(table, visibility=np.where(table.visibility > 0, 2, 0).astype(np.uint8))
    return dataclasses.replace(benchmark, instances=plain)


def test_halving_is_a_difference_only_where_something_is_occluded() -> None:
    """AP-10K has occluded keypoints, SPair-71k has none."""
    pairs = spair().split("test")
    assert difference(spair(), pairs, DEFAULT, GEOAWARE) is None
    same = {questions_fingerprint(spair(), pairs, one) for one in (DEFAULT, GEOAWARE)}
    assert len(same) == 1
    pairs = ap10k().split("test")
    found = difference(ap10k(), pairs, DEFAULT, GEOAWARE)
    assert found is not None
    assert found.reason == "asks at other points (occluded keypoints at half their coordinates)"
    asked = queries(ap10k(), pairs, DEFAULT)
    assert found.n == (ap10k().instances.visibility[asked.query_row[asked.pair], asked.keypoint] == 1).sum() > 0
    assert found.of == len(asked)
    assert len({questions_fingerprint(ap10k(), pairs, one) for one in (DEFAULT, GEOAWARE)}) == 2


def test_the_other_direction_is_always_a_difference() -> None:
    found = difference(spair(), spair().split("test"), DEFAULT, CATS)
    assert found is not None
    assert (found.reason, found.n) == ("asks in another direction", found.of)


def test_truncation_is_a_difference_unless_keypoints_are_whole() -> None:
    truncated = CATS.model_copy(update={"direction": "source-to-target"})
    benchmark = random_benchmark(0)
    found = difference(benchmark, benchmark.split("test"), DEFAULT, Protocol.model_validate(truncated.model_dump()))
    assert found is not None
    assert found.reason == "asks at other points (truncated to whole pixels of a frame)"


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), per_category=st.integers(1, 20))
def test_a_sample_is_part_of_all(seed: int, per_category: int) -> None:
    """Predictions for all pairs can be counted under a sample of them, not the other way round."""
    benchmark = random_benchmark(seed, n_pairs=40)
    pairs = benchmark.split("test")
    sampled = DEFAULT.model_copy(update={"sampling": Sampling(per_category=per_category)})
    sampled = Protocol.model_validate(sampled.model_dump())
    assert difference(benchmark, pairs, DEFAULT, sampled) is None
    every = random_predictions(benchmark, DEFAULT, seed)
    asked = queries(benchmark, pairs, sampled)
    kept = np.isin(every.pair, asked.pair)
    drawn = Predictions(every.pair[kept], every.keypoint[kept], every.x[kept], every.y[kept])
    assert score(benchmark, pairs, every, sampled).equals(score(benchmark, pairs, drawn, sampled))
    back = difference(benchmark, pairs, sampled, DEFAULT)
    n_missing = len(every) - len(drawn)
    assert (back is None) == (n_missing == 0)
    assert back is None or (back.reason, back.n) == ("asks for more pairs", n_missing)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_difference_is_equal_fingerprints_but_for_sampling(seed: int) -> None:
    benchmark = random_benchmark(seed)
    for data in (benchmark, without_occluded(benchmark)):
        pairs = data.split("test")
        for name in protocol_names():
            other = find_protocol(name)
            same = difference(data, pairs, DEFAULT, other) is None
            prints = [questions_fingerprint(data, pairs, one) for one in (DEFAULT, other)]
            assert same == (prints[0] == prints[1]), name
            if same and len(queries(data, pairs, DEFAULT)):
                assert (queries(data, pairs, DEFAULT).points == queries(data, pairs, other).points).all()


def test_the_spread_is_what_scoring_one_by_one_gives() -> None:
    benchmark = random_benchmark(5, n_pairs=30)
    pairs, predictions = benchmark.split("test"), random_predictions(benchmark, DEFAULT, 5)
    protocols = presets_and(DEFAULT)
    found = protocol_spread(benchmark, pairs, predictions, DEFAULT, protocols, (0.05, 0.1))
    assert set(found.left_out) == {"actr", "cats", "cats-plus-plus", "geoaware-sc", "pf-willow-padded"}
    assert found.left_out["pf-willow-padded"].endswith("random is not PF-Willow")
    assert set(found.table.protocol) | set(found.left_out) == set(protocol_names())
    for row in found.table.itertuples():
        protocol = find_protocol(row.protocol)
        assert row.fingerprint == protocol.fingerprint
        assert row.headline == protocol.averaging.replace("-", "_")
        scores = score(benchmark, pairs, predictions, protocol.model_copy(update={"alphas": (row.alpha,)}))
        overall = scores[scores.scope == "all"].set_index(["subset", "metric"]).value
        assert row.per_image == overall["all", "per_image"]
        assert row.per_point == overall["all", "per_point"]
        assert row.geometry_aware_per_image == overall["geometry_aware", "per_image"]
        assert row.geometry_aware_per_point == overall["geometry_aware", "per_point"]


def test_the_spread_has_the_intervals_of_the_scores() -> None:
    benchmark = mirrored_benchmark(5, n=40, n_pairs=120)
    pairs, predictions, made = benchmark.split("test"), scattered(benchmark, DEFAULT, 5), Bootstrap(resamples=200)
    found = protocol_spread(
        benchmark, pairs, predictions, DEFAULT, [DEFAULT, find_protocol("sd4match")], (0.1, 0.2), bootstrap=made
    )
    assert len(found.table) == 4
    for row in found.table.itertuples():
        counted = find_protocol(row.protocol).model_copy(update={"alphas": (row.alpha,)})
        scores = score(benchmark, pairs, predictions, counted, bootstrap=made)
        for expected in scores[scores.scope == "all"].itertuples():
            name = expected.metric if expected.subset == "all" else f"{expected.subset}_{expected.metric}"
            assert (getattr(row, f"{name}_low"), getattr(row, f"{name}_high")) == (expected.low, expected.high)
            assert expected.low < getattr(row, name) < expected.high
            if expected.subset == "all":
                assert row.n_images == expected.n_images


def test_a_protocol_of_ones_own_stands_first() -> None:
    mine = Protocol.model_validate(DEFAULT.model_dump() | {"name": "mine", "comparison": "<"})
    assert [one.name for one in presets_and(mine)] == ["mine", *protocol_names()]
    assert common_alphas(presets_and(mine)) == (0.1,)
    assert common_alphas([mine.model_copy(update={"alphas": (0.2,)}), DEFAULT]) == (0.1,)


@pytest.mark.parametrize("name", protocol_names())
def test_every_preset_counts_the_predictions_made_under_it(name: str) -> None:
    benchmark, own = random_benchmark(3), find_protocol(name)
    predictions = random_predictions(benchmark, own, 3)
    found = protocol_spread(benchmark, benchmark.split("test"), predictions, own, presets_and(own))
    assert name in set(found.table.protocol)


def test_the_golden_spread_is_that_of_the_page() -> None:
    """docs/protocols.md shows GeoAware-SC's own predictions (goldens/geoaware) under every protocol."""
    case = Case("spair_nn_img")
    found = protocol_spread(case.benchmark, case.pairs, case.predictions, DEFAULT, presets_and(DEFAULT), (0.1,))
    page = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
    columns = ("per_image", "per_point", "geometry_aware_per_image", "geometry_aware_per_point")
    shown = re.findall(r"^\| `([a-z0-9-]+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    ours = [
        (row.protocol, *(f"{100 * getattr(row, name):.2f}" for name in columns)) for row in found.table.itertuples()
    ]
    assert shown == ours
    for name in found.left_out:
        assert f"`{name}`" in page


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_golden_run_is_counted_as_its_authors_did(name: str) -> None:
    """Through the spread, too, GeoAware-SC's stored predictions give the overall figure that its code printed."""
    case = Case(name)
    found = protocol_spread(case.benchmark, case.pairs, case.predictions, case.protocol, [case.protocol])
    column = case.protocol.averaging.replace("-", "_")
    rows = found.table.set_index("alpha")[column]
    ours = [rows[alpha] for alpha in case.protocol.alphas]
    theirs = [np.nan if value is None else value for value in case.golden["overall"]]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)

"""``geobench eval`` on a benchmark of flow: every pixel is asked, counted as published, kept, and resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

import geobench
from geobench.builders.options import build_benchmark
from geobench.catalog import find_card
from geobench.cli import run as command_line
from geobench.errors import InputError, UsageError
from geobench.evaluation import flow_run
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.protocol import Protocol, find_protocol
from geobench.evaluation.scoring import score_run
from geobench.flow_file import known_pixels, read_flow
from geobench.methods.base import LoadedMethod
from geobench.reporting.scores_text import scores_text
from geobench.seeding import seed_for
from geobench.storage import load_benchmark_folder
from tests.builders.raw_tss import PAIRS, write_tss
from tests.evaluation.test_flow import slow_accuracy, slow_foreground


class Shifted:
    """Answers with a fixed shift; counts the points that it is asked."""

    name = "shifted"
    asked = 0

    def describe(self, picture):
        return picture.key

    def match(self, source, target, points):
        Shifted.asked += len(points)
        return points + points.new_tensor([1.25, -0.5])


def method(plain=None) -> LoadedMethod:
    return LoadedMethod(plain or Shifted(), "shifted", "Shifted", "", "tests")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("tss")
    return build_benchmark(find_card("tss"), write_tss(place / "raw")).save(place / "benchmark")


@pytest.fixture
def benchmark(folder):
    return load_benchmark_folder(folder)


def value(scores: pd.DataFrame, metric: str, scope: str = "all", alpha: float | None = 0.05) -> float:
    rows = scores[(scores.scope == scope) & (scores.subset == "all") & (scores.metric == metric)]
    return float(rows.value.iloc[0] if alpha is None else rows.value[(rows.alpha - alpha).abs() < 1e-9].iloc[0])


def slow_scores(benchmark, alpha: float) -> tuple[float, float, list[float]]:
    """Return per image, per point and the overlaps for :class:`Shifted`, counted pixel by pixel."""
    table, pairs, root = benchmark.instances, benchmark.split("test"), benchmark.image_root
    counts, overlaps = [], []
    for source, target in zip(pairs.source.tolist(), pairs.target.tolist(), strict=True):
        flows = [np.full((table.height[r], table.width[r], 2), [1.25, -0.5], np.float32) for r in (source, target)]
        truth = read_flow(root / str(table.record[source]))
        longer = max(int(table.width[target]), int(table.height[target]))
        counts.append(slow_accuracy(flows[0], truth, alpha * longer))
        found = slow_foreground(*flows)
        mask = np.array(Image.open(root / str(table.mask[source]))) > 0
        overlaps.append((found & mask).sum() / (found | mask).sum())
    right, all_points = np.array(counts).T
    return float((right / all_points).mean()), right.sum() / all_points.sum(), overlaps


@pytest.fixture(scope="module")
def scores(folder, tmp_path_factory) -> pd.DataFrame:
    runs = tmp_path_factory.mktemp("runs")
    return geobench.score(geobench.predict(method(), load_benchmark_folder(folder), runs=runs))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.10, 0.15])
def test_scores_are_those_of_the_slow_count(benchmark, scores, alpha):
    per_image, per_point, overlaps = slow_scores(benchmark, alpha)
    assert value(scores, "per_image", alpha=alpha) == pytest.approx(per_image, abs=1e-12)
    assert value(scores, "per_point", alpha=alpha) == pytest.approx(per_point, abs=1e-12)
    assert value(scores, "iou", alpha=None) == pytest.approx(np.mean(overlaps), abs=1e-12)
    assert value(scores, "iou", "category:JODS", alpha=None) == pytest.approx(np.mean(overlaps[4:6]), abs=1e-12)
    assert value(scores, "iou", "flip:0", alpha=None) == pytest.approx(np.mean(overlaps[:6]), abs=1e-12)
    assert {*scores.scope} == {"all", "category:FG3DCar", "category:JODS", "category:PASCAL", "flip:0", "flip:1"}


def test_overlaps_have_intervals_where_there_are_enough_images(tmp_path):
    many = [("JODS", f"car_{n:02}_{n + 1:02}") for n in range(7)] + [PAIRS[0], PAIRS[3]]
    built = build_benchmark(find_card("tss"), write_tss(tmp_path / "raw", 1, many)).save(tmp_path / "benchmark")
    benchmark = load_benchmark_folder(built)
    run = geobench.predict(method(), benchmark, runs=tmp_path / "runs")
    settings = Bootstrap(resamples=400, seed=2)
    scores = score_run(run, benchmark, bootstrap=settings)
    rows = scores[scores.metric == "iou"].set_index("scope")
    overlaps = np.rint(np.array(slow_scores(benchmark, 0.05)[2]) * 2**30) / 2**30
    pairs = benchmark.split("test")
    order = np.argsort(benchmark.instances.image[pairs.target].astype(str))
    for scope, chosen in {"all": order, "category:JODS": order[pairs.category[order] == "JODS"]}.items():
        generator = np.random.default_rng(seed_for(2, scope))
        made = stats.bootstrap((overlaps[chosen],), np.mean, n_resamples=400, random_state=generator)
        ends = made.confidence_interval.low, made.confidence_interval.high
        assert tuple(rows.loc[scope, ["low", "high"]]) == pytest.approx(ends, abs=1e-9)
    assert rows.loc["category:PASCAL", ["low", "high"]].isna().all()  # two images
    # Every image is target once and source once here, so drawing both can only widen.
    both = score_run(run, benchmark, bootstrap=replace(settings, drawn="both-images"))
    wide = both[both.metric == "iou"].set_index("scope").loc["all"]
    assert (wide.value, wide.n_images) == (rows.value["all"], rows.n_images["all"])
    assert wide.high - wide.low > rows.high["all"] - rows.low["all"]
    said = scores_text(run, scores)
    assert f"({100 * rows.low['all']:.1f} – {100 * rows.high['all']:.1f}), mean of 18 pairs" in said


def test_the_oracle_is_always_right_and_no_pixel_is_geometry_aware(benchmark, tmp_path):
    scores = geobench.score(geobench.predict("oracle", benchmark, runs=tmp_path))
    chosen = scores[(scores.subset == "all") & (scores.metric != "iou")]
    assert (chosen.value == 1).all()
    assert (scores[scores.subset == "geometry_aware"].n == 0).all()
    paths = [benchmark.image_root / str(name) for name in benchmark.instances.record]
    pixels = sum(int(known_pixels(read_flow(path)).sum()) for path in paths)
    points = scores[(scores.scope == "all") & (scores.subset == "all") & (scores.metric == "per_point")]
    assert (points.n == pixels).all()


def test_every_pixel_is_asked_once(benchmark, tmp_path):
    Shifted.asked = 0
    geobench.predict(method(), benchmark, runs=tmp_path)
    table = benchmark.instances
    keypoints = int(benchmark.split("test").mutual(benchmark).sum())
    assert Shifted.asked == int((table.width * table.height).sum()) + keypoints


def test_an_interrupted_run_goes_on_where_it_was(benchmark, tmp_path, monkeypatch):
    whole = geobench.predict(method(), benchmark, runs=tmp_path / "whole")
    hits, calls = flow_run.flow_hits, []

    def cut(*given):
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return hits(*given)

    monkeypatch.setattr(flow_run, "flow_hits", cut)
    with pytest.raises(KeyboardInterrupt):
        geobench.predict(method(), benchmark, runs=tmp_path / "cut")
    (unfinished,) = (tmp_path / "cut").rglob("run.json")
    with pytest.raises(InputError, match="flow is not measured yet; repeat the same eval command"):
        geobench.score(unfinished.parent)
    again = geobench.predict(method(), benchmark, runs=tmp_path / "cut")
    assert len(calls) == 4 + 5  # three pairs of eight were kept
    assert (again.folder / "flow.parquet").read_bytes() == (whole.folder / "flow.parquet").read_bytes()
    assert not (again.folder / "flow-part.parquet").exists()
    geobench.predict(method(), benchmark, runs=tmp_path / "cut")
    assert len(calls) == 9


def test_a_pair_that_fails_is_wrong(benchmark, tmp_path):
    class Failing(Shifted):
        def match(self, source, target, points):
            if source.startswith("JODS"):
                raise ValueError("cannot")
            return super().match(source, target, points)

    run = geobench.predict(method(Failing()), benchmark, runs=tmp_path)
    scores = geobench.score(run)
    assert run.record.status == "success_with_failures"
    assert value(scores, "per_image", "category:JODS", alpha=0.15) == 0
    assert value(scores, "iou", "category:JODS", alpha=None) == 0


def test_a_limit_asks_some_pairs(benchmark, tmp_path):
    scores = geobench.score(geobench.predict(method(), benchmark, runs=tmp_path, limit=3))
    assert scores[(scores.scope == "all") & (scores.metric == "iou")].n.tolist() == [3]


@pytest.mark.parametrize(("preset", "reason"), [("geoaware-sc", "occluded"), ("cats", "direction")])
def test_protocols_that_cannot_count_flow_are_refused_before_anything_runs(benchmark, tmp_path, preset, reason):
    with pytest.raises(UsageError, match=rf"protocol '{preset}' has another {reason} than flow is counted with"):
        geobench.predict(method(), benchmark, runs=tmp_path, protocol=preset)
    assert not list(tmp_path.rglob("run.json"))


def test_another_protocol_needs_another_run(benchmark, tmp_path):
    run = geobench.predict(method(), benchmark, runs=tmp_path)
    strict = Protocol.model_validate({**find_protocol("default").model_dump(), "name": "strict", "comparison": "<"})
    with pytest.raises(InputError, match=r"flow was counted under protocol 'default' and was not kept; .*strict"):
        score_run(run, benchmark, strict)


def test_what_is_of_keypoints_is_refused(folder, tmp_path, capsys):
    for name in ("oracle", "box-position"):
        geobench.predict(name, load_benchmark_folder(folder), runs=tmp_path)
    one, other = (str(path.parent) for path in sorted(tmp_path.rglob("run.json")))
    asked = (["errors", one], ["errors", one, "--confusion"], ["score", one, "--protocol", "all"])
    for verb in (*asked, ["compare", one, other]):
        assert command_line(verb) == 1
        said = capsys.readouterr().err
        assert said.startswith("geobench: tss: its truth is flow, not keypoints, so there is nothing to "), said
        assert said.count("\n") == 1


def test_the_command_line_shows_flow_and_masks(folder, tmp_path, capsys):
    arguments = ["--method", "box-position", "--benchmark", str(folder), "--runs", str(tmp_path)]
    assert command_line(["eval", *arguments]) == 0
    said = capsys.readouterr().out
    assert "masks: intersection over union" in said
    (record,) = tmp_path.rglob("run.json")
    assert json.loads(record.read_text())["cost"]["wall_s"] > 0
    assert command_line(["leaderboard", str(tmp_path), "--alpha", "0.05"]) == 0
    assert "Same position in the box" in capsys.readouterr().out

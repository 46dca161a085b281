"""Intervals of the kinds of error: against SciPy on sums made image by image, and against those of the scores."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from random_benchmarks import KEYPOINTS, random_benchmark, random_predictions
from scipy import stats
from test_taxonomy import SKELETONS, mirrored_benchmark, scattered

from geobench.benchmark import Benchmark
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.error_intervals import FIGURES
from geobench.evaluation.error_table import error_table
from geobench.evaluation.landings import landings
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Protocol, Sampling, find_protocol
from geobench.evaluation.queries import in_direction
from geobench.evaluation.scores import score
from geobench.evaluation.taxonomy import KINDS, outcomes
from geobench.seeding import seed_for

DEFAULT = find_protocol("default")
DRAWN = DEFAULT.model_copy(update={"sampling": Sampling(per_category=90)})
REVERSED = find_protocol("cats")
SETTINGS = Bootstrap(resamples=300, seed=4)


def shared_images(seed: int) -> Benchmark:
    """Return a benchmark of 39 images, two objects in the first."""
    benchmark = mirrored_benchmark(seed, n=40, n_pairs=150)
    benchmark.instances.image[1] = benchmark.instances.image[0]
    return benchmark


def answers_of(benchmark: Benchmark, predictions: Predictions, protocol: Protocol) -> pd.DataFrame:
    """Return one row per answer that counts: its image, scopes, weight, and 1 or 0 for each figure; NaN: not asked."""
    pairs, table = benchmark.split("test"), benchmark.instances
    found = landings(benchmark, pairs, predictions, protocol)
    result, rows = outcomes(benchmark, pairs, found, protocol, 0.1), []
    aware = in_direction(pairs, protocol).geometry_aware(benchmark)
    for r, (p, k) in enumerate(zip(found.asked.pair.tolist(), found.asked.keypoint.tolist(), strict=True)):
        row = int(found.asked.answer_row[p])
        mirror = SKELETONS[str(pairs.category[p])].mirror[k]
        both = mirror != k and table.visibility[row, mirror] > 0 and not np.isnan(found.points[r]).any()
        marks = {kind: float(KINDS[result.kind[r]] == kind) for kind in KINDS}
        marks["pck_dagger"] = float(result.dagger[r])
        marks["left_right_confusion"] = float(found.partner[r] < found.own[r]) if both else np.nan
        hat, there = marks["correct"], float(found.partner[r] <= 0.1 * found.size[r])
        case = "1x" if mirror == k else "11" if table.visibility[row, mirror] > 0 else "10"
        rates = {"hat_11": hat, "overline_11": there * (1 - hat), "tilde_11": there * hat, "hat_10": hat, "hat_1x": hat}
        marks |= {f"{name}_rate": rate if name.endswith(case) else np.nan for name, rate in rates.items()}
        about = {"image": table.image[row], "weight": int(found.weight[r]), "keypoint": "abcdefg"[k], "pair": p}
        rows.append(about | {"category": str(pairs.category[p]), "aware": bool(aware[p, k])} | marks)
    answers = pd.DataFrame(rows)
    return answers[answers.weight > 0]


def sums_of(answers: pd.DataFrame, figure: str) -> np.ndarray:
    """Return part and whole of every image, in order of the images' names."""
    part = (answers[figure].fillna(0) * answers.weight).groupby(answers.image).sum()
    whole = (answers[figure].notna() * answers.weight).groupby(answers.image).sum()
    return np.stack([part, whole], axis=1).astype(float)


def sums_of_pck(answers: pd.DataFrame, figure: str) -> np.ndarray:
    """Return part and whole of ``standard_…`` or ``geometry_aware_…`` of every image, in order of the images' names."""
    own = answers[answers.aware] if figure.startswith("geometry") else answers
    if figure.endswith("point"):
        part, whole = own.correct * own.weight, own.weight
    else:
        pairs = own.groupby(["image", "pair"])
        share = (pairs.correct.mean() * 2**30).round() / 2**30  # else rounding would break ties with the estimate
        part, whole = share * pairs.weight.first(), pairs.weight.first()
    images = np.unique(answers.image)
    summed = [(some.groupby(own.image if some.index.nlevels == 1 else "image")).sum() for some in (part, whole)]
    return np.stack([one.reindex(images).fillna(0).to_numpy(float) for one in summed], axis=1)


def known(sums: np.ndarray) -> bool:
    """Return whether a figure of these sums has an interval."""
    counted = sums[sums[:, 1] > 0]
    either = min((counted[:, 0] > 0).sum(), (counted[:, 0] < counted[:, 1]).sum())
    return bool(len(counted) >= 10 and either >= 5)


def ends_of_scipy(sums: np.ndarray, scope: str, less: np.ndarray | None = None) -> tuple[float, float]:
    """Return the ends of the interval of a figure, or of the difference to that of ``less``."""

    def ratio(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        value: np.ndarray = sums[rows, 0].sum(axis=axis) / sums[rows, 1].sum(axis=axis)
        if less is not None:
            value = value - less[rows, 0].sum(axis=axis) / less[rows, 1].sum(axis=axis)
        return value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generator = np.random.default_rng(seed_for(SETTINGS.seed, scope))
        made = stats.bootstrap((np.arange(len(sums)),), ratio, n_resamples=300, random_state=generator)
    return float(made.confidence_interval.low), float(made.confidence_interval.high)


@pytest.mark.parametrize("protocol", [DEFAULT, DRAWN, REVERSED], ids=["default", "drawn", "reversed"])
def test_intervals_equal_those_of_scipy(protocol: Protocol) -> None:
    benchmark, shown = shared_images(1), set()
    predictions = scattered(benchmark, protocol, 2)
    answers = answers_of(benchmark, predictions, protocol)
    table = error_table(
        benchmark, benchmark.split("test"), predictions, protocol, by=["category", "keypoint"], bootstrap=SETTINGS
    )
    for row in table.to_dict("records"):
        family, _, name = row["scope"].partition(":")
        group = answers if family == "all" else answers[answers[family] == name]
        for figure in FIGURES:
            kind, _, average = figure.partition("_per_")
            less = None
            if kind == "gap":
                sums, less = (sums_of_pck(group, f"{name}_per_{average}") for name in ("standard", "geometry_aware"))
            else:
                sums = sums_of_pck(group, figure) if average else sums_of(group, figure)
            ends = row[f"{figure}_low"], row[f"{figure}_high"]
            assert np.isnan(ends).tolist() == [not known(sums) or (less is not None and not known(less))] * 2
            if not np.isnan(ends[0]):
                shown.add(figure)
                assert ends == pytest.approx(ends_of_scipy(sums, row["scope"], less), abs=1e-9)
                assert ends[0] <= row[figure] <= ends[1]
    assert shown >= {"correct", "other_keypoint", "background", "pck_dagger", "left_right_confusion"}
    assert shown >= {"hat_11_rate", *FIGURES[-6:]}


def test_correct_has_the_interval_of_the_scores() -> None:
    benchmark = shared_images(3)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, 4)
    table = error_table(benchmark, pairs, predictions, DEFAULT, by=["category"], bootstrap=SETTINGS)
    scores = score(benchmark, pairs, predictions, DEFAULT, bootstrap=SETTINGS)
    chosen = scores[np.isclose(scores.alpha, 0.1) & (scores.subset == "all") & (scores.metric == "per_point")]
    chosen = chosen.set_index("scope").loc[table.scope]
    np.testing.assert_array_equal(table[["correct_low", "correct_high"]], chosen[["low", "high"]])
    assert chosen.low.notna().all()


@pytest.mark.parametrize("drawn", ["target-images", "both-images"])
@pytest.mark.parametrize("subset", ["all", "geometry_aware"])
@pytest.mark.parametrize("metric", ["per_image", "per_point"])
def test_both_sides_of_the_gap_have_the_intervals_of_the_scores(subset: str, metric: str, drawn: Any) -> None:
    benchmark, settings = shared_images(3), replace(SETTINGS, drawn=drawn)
    pairs, predictions = benchmark.split("test"), scattered(benchmark, DEFAULT, 4)
    table = error_table(benchmark, pairs, predictions, DEFAULT, by=["category"], bootstrap=settings)
    scores = score(benchmark, pairs, predictions, DEFAULT, bootstrap=settings)
    chosen = scores[np.isclose(scores.alpha, 0.1) & (scores.subset == subset) & (scores.metric == metric)]
    chosen = chosen.set_index("scope").loc[table.scope]
    side = {"all": "standard"}.get(subset, subset)
    np.testing.assert_array_equal(table[f"{side}_{metric}"], chosen.value)
    np.testing.assert_array_equal(table[[f"{side}_{metric}_low", f"{side}_{metric}_high"]], chosen[["low", "high"]])
    assert chosen.low.notna().any()


def test_the_other_columns_are_the_same_and_few_images_have_no_interval() -> None:
    benchmark = random_benchmark(0)  # nine images
    pairs, predictions = benchmark.split("test"), random_predictions(benchmark, DEFAULT, 1)
    without = error_table(benchmark, pairs, predictions, DEFAULT, by=["keypoint"])
    table = error_table(benchmark, pairs, predictions, DEFAULT, by=["keypoint"], bootstrap=SETTINGS)
    pd.testing.assert_frame_equal(table[without.columns], without)
    ends = table.drop(columns=without.columns)
    assert ends.columns.tolist() == [f"{figure}_{end}" for figure in FIGURES for end in ("low", "high")]
    assert ends.isna().all(axis=None)
    assert len(table) == KEYPOINTS + 1

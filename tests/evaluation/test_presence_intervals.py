"""Intervals of KAP: SciPy's on sets of pairs written out draw by draw, and where there is none."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from geobench.benchmark import Pairs
from geobench.cli import run as geobench
from geobench.errors import UsageError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.job import Job
from geobench.evaluation.presence import Samples, average_precision
from geobench.evaluation.presence_run import presence_scores
from geobench.evaluation.presence_scores import presence_table
from geobench.evaluation.protocol import find_protocol
from geobench.methods.loader import load_method
from geobench.seeding import seed_for
from tests.conftest import make_tiny_benchmark

SETTINGS = Bootstrap(resamples=300, seed=4)
ALPHAS = (0.05, 0.1)


@dataclass
class Case:
    """Pairs with random samples, many of them equal."""

    pairs: Pairs
    samples: list[Samples]
    asked: np.ndarray
    image: np.ndarray

    def table(self, bootstrap: Bootstrap | None = SETTINGS) -> pd.DataFrame:
        return presence_table(self.pairs, self.samples, self.asked, self.image, ALPHAS, bootstrap)

    def rows(self, scope: str) -> np.ndarray:
        chosen = np.ones(len(self.pairs), bool) if scope == "all" else self.pairs.category == scope.partition(":")[2]
        return np.flatnonzero(chosen & (self.asked > 0))


def some_case(seed: int, n_pairs: int = 90, n_images: int = 34) -> Case:
    """Return pairs of three categories; an image may be of several, some pairs ask nothing, some have no positive."""
    rng = np.random.default_rng(seed)
    category = rng.choice(["cat", "cow", "dog"], n_pairs, p=[0.5, 0.4, 0.1])
    asked = rng.integers(0, 6, n_pairs)
    there = rng.binomial(asked, 0.6)
    samples = [
        (rng.integers(2, 10, (2, p)) / 10, rng.integers(0, 9, (2, q)) / 10) for p, q in zip(there, asked, strict=True)
    ]
    row = np.zeros(n_pairs, np.int32)
    return Case(Pairs(row, row, category), samples, asked, rng.integers(0, n_images, n_pairs) * 3)


def slow_kap(case: Case, rows: list[int], metric: str, place: int) -> float:
    """Return KAP of pairs, each as often as it is in ``rows``."""
    if metric == "per_image":
        own = [average_precision(*(side[place] for side in case.samples[row])) for row in rows]
        return float(np.nanmean(own))
    total, whole = 0.0, 0
    for label in sorted(set(case.pairs.category[rows])):
        some = [row for row in rows if case.pairs.category[row] == label]
        positive, negative = (np.concatenate([case.samples[row][side][place] for row in some]) for side in (0, 1))
        if len(positive):
            weight = int(case.asked[some].sum())
            total, whole = total + weight * average_precision(positive, negative), whole + weight
    return total / whole if whole else float("nan")


def ends_of_scipy(case: Case, scope: str, metric: str, place: int, method: str) -> tuple[float, float]:
    rows = case.rows(scope)
    of_image = [rows[case.image[rows] == image].tolist() for image in np.unique(case.image[rows])]

    def kap(drawn: np.ndarray) -> float:
        return slow_kap(case, [row for image in drawn for row in of_image[image]], metric, place)

    generator = np.random.default_rng(seed_for(SETTINGS.seed, scope))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = (np.arange(len(of_image)),)
        made = stats.bootstrap(images, kap, n_resamples=150, vectorized=False, method=method, random_state=generator)
    return float(made.confidence_interval.low), float(made.confidence_interval.high)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_equal_those_of_scipy(method: str) -> None:
    case, shown = some_case(1), []
    table = case.table(Bootstrap(method, resamples=150, seed=4))
    for row in table[(table.alpha == 0.1) & table.low.notna()].itertuples():
        ends = ends_of_scipy(case, row.scope, row.metric, 1, "BCa" if method == "bca" else method)
        assert (row.low, row.high) == pytest.approx(ends, abs=1e-8)  # per image, shares are rounded to 2^-30
        assert row.low < row.value < row.high
        shown.append((row.scope, row.metric))
    assert {scope for scope, _ in shown} == {"all", "category:cat", "category:cow"}
    assert len(shown) == 6


def test_figures_and_counts_are_those_of_the_pairs() -> None:
    case = some_case(2)
    table = case.table(None)
    assert table.low.isna().all()
    assert table.high.isna().all()
    for row in table.itertuples():
        rows = case.rows(row.scope)
        if row.metric == "per_image":
            rows = rows[[case.samples[one][0].shape[1] > 0 for one in rows]]
        assert row.value == pytest.approx(slow_kap(case, rows.tolist(), row.metric, ALPHAS.index(row.alpha)))
        assert (row.n_pairs, row.n_points) == (len(rows), case.asked[rows].sum())
        assert row.n == (row.n_pairs if row.metric == "per_image" else row.n_points)
        assert row.n_images == len(np.unique(case.image[rows]))
    made = case.table()
    assert made.low.notna().any()
    pd.testing.assert_frame_equal(made.drop(columns=["low", "high"]), table.drop(columns=["low", "high"]))


def test_blocks_of_draws_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    case = some_case(3)
    whole = case.table()
    monkeypatch.setattr("geobench.evaluation.presence_intervals._BLOCK", 34)  # one draw at a time
    monkeypatch.setattr("geobench.evaluation.bootstrap._BLOCK", 70)
    pd.testing.assert_frame_equal(whole, case.table(), check_exact=True)


def ordered_case(n_images: int, outranked: list[int], outranking: list[int]) -> Case:
    """Return a pair per image with a positive of 0.5 and a negative of 0.1; some positives 0.3, some negatives 0.4."""
    values = [(0.3 if i in outranked else 0.5, 0.4 if i in outranking else 0.1) for i in range(n_images)]
    samples = [(np.full((2, 1), p), np.full((2, 1), q)) for p, q in values]
    row = np.arange(n_images)
    pairs = Pairs(row.astype(np.int32), row.astype(np.int32), np.full(n_images, "cat"))
    return Case(pairs, samples, np.ones(n_images, np.int64), row)


@pytest.mark.parametrize(
    ("n_images", "outranked", "outranking", "shown"),
    [(10, 5, 5, True), (9, 5, 5, False), (40, 4, 20, False), (40, 20, 4, False), (40, 30, 30, True)],
    ids=["just enough", "nine images", "four positives", "four negatives", "many"],
)
def test_per_point_needs_images_with_something_wrong(
    n_images: int, outranked: int, outranking: int, shown: bool
) -> None:
    case = ordered_case(n_images, list(range(outranked)), list(range(n_images - outranking, n_images)))
    points = case.table()
    points = points[points.metric == "per_point"]
    assert points.low.notna().tolist() == points.high.notna().tolist() == [shown] * len(points)


def test_nothing_asked_has_no_figure() -> None:
    case = some_case(5)
    for row in case.rows("category:dog"):
        case.asked[row], case.samples[row] = 0, (np.zeros((2, 0)), np.zeros((2, 0)))
    table = case.table().set_index("scope")
    dog = table.loc["category:dog"]
    assert dog[["value", "low", "high"]].isna().all(axis=None)
    assert (dog[["n", "n_pairs", "n_points", "n_images"]] == 0).all(axis=None)
    assert table.loc["all"].low.notna().all()


def test_no_pairs_have_no_figure() -> None:
    nothing = np.zeros(0, np.int64)
    pairs = Pairs(nothing.astype(np.int32), nothing.astype(np.int32), np.zeros(0, "U3"))
    table = Case(pairs, [], nothing, nothing).table()
    assert table.scope.tolist() == ["all"] * 4
    assert table[["value", "low", "high"]].isna().all(axis=None)


@pytest.fixture
def job(small_recipe: str, tmp_path: Path) -> Job:
    benchmark = make_tiny_benchmark(tmp_path / "raw", n=24)
    benchmark.save(tmp_path / "tiny")
    return Job(load_method(small_recipe), benchmark, "test", find_protocol("default"))


def test_both_images_are_refused(job: Job) -> None:
    with pytest.raises(UsageError, match="draw the target images"):
        presence_scores(job, bootstrap=Bootstrap(drawn="both-images"))


def test_the_command_line(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["kap", "--method", job.method.origin, "--benchmark", str(tmp_path / "tiny"), "--limit", "120"]
    assert geobench(common) == 0
    assert "[" not in capsys.readouterr().out
    assert geobench([*common, "--intervals"]) == 0
    text = capsys.readouterr().out
    assert "in brackets: 95% confidence interval (BCa bootstrap of the target images, 10,000 resamples, seed 0)" in text
    assert geobench([*common, "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table.intervals.unique().tolist() == [
        "95% confidence interval (BCa bootstrap of the target images, 10,000 resamples, seed 0)"
    ]
    assert (table.n_images <= 24).all()
    shown = table[table.low.notna()]
    assert {"all", "category:cat"} <= set(shown.scope)
    assert (shown.low < shown.value).all()
    assert (shown.value < shown.high).all()
    for row in shown.itertuples():
        assert f"{100 * row.value:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]" in text

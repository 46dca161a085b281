"""Every figure of docs/errata.md is measured here, on the goldens' predictions, and must stand in the document."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geoaware_cases import Case
from geoaware_goldens import GEOAWARE, PRINTED, spair, values

from geobench.evaluation.pck import correct
from geobench.evaluation.predictions import Predictions
from geobench.evaluation.protocol import Frame, Protocol, find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.scores import score

DOCUMENT = (Path(__file__).parents[2] / "docs" / "errata.md").read_text(encoding="utf-8")
DEFAULT = find_protocol("default").model_copy(update={"alphas": PRINTED})
AS_CODED = GEOAWARE.model_copy(update={"alphas": PRINTED})
PADDED = Frame(kind="pad", side=840)
ALL, GEO = "all", "geometry_aware"

CHANGES = [
    ("spair_nn_img", {"comparison": "<"}, ALL, "per_point"),
    ("ap10k_cross_family_img", {"comparison": "<"}, ALL, "per_point"),
    ("ap10k_cross_family_img", {"comparison": "<", "arithmetic": "float32-alpha"}, ALL, "per_point"),
    ("ap10k_intra_img", {"occluded": "halved", "frame": PADDED}, ALL, "per_image"),
    ("ap10k_cross_family_img", {"occluded": "halved", "frame": PADDED}, ALL, "per_image"),
    ("spair_nn_img", {"geometry_rule": "renumbered-per-point"}, GEO, "per_point"),
    ("spair_win7_img", {"geometry_rule": "renumbered-per-point"}, GEO, "per_point"),
    ("ap10k_intra_img", {"geometry_rule": "renumbered-per-point"}, GEO, "per_point"),
    ("ap10k_cross_species_img", {"geometry_rule": "renumbered-per-point"}, GEO, "per_point"),
    ("ap10k_cross_family_img", {"geometry_rule": "renumbered-per-point"}, GEO, "per_point"),
    ("spair_nn_img", {"frame": PADDED}, ALL, "per_image"),
    ("spair_nn_img", {"frame": Frame(kind="squash", side=256)}, ALL, "per_image"),
    ("spair_nn_img", {"box": "source"}, ALL, "per_image"),
    ("ap10k_cross_family_img", {"box": "source"}, ALL, "per_image"),
    ("spair_nn_img", {"size": "image"}, ALL, "per_image"),
    ("spair_nn_img", {"size": "image"}, GEO, "per_image"),
]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    names = {name for name, *_ in CHANGES} | {"spair_nn_sample20"}
    return {name: Case(name) for name in sorted(names)}


def percent(figures: np.ndarray) -> str:
    return " / ".join(f"{100 * figure:.2f}" for figure in figures)


def figures(case: Case, protocol: Protocol, subset: str, metric: str) -> str:
    value, n = values(case.score(case.pairs, case.predictions, protocol), "all", subset, metric)
    return f"{percent(value)} (n = {n})"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def assert_stands(line: str) -> None:
    assert line in DOCUMENT, f"docs/errata.md lacks: {line}"


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_one_rule_at_a_time(cases: dict[str, Case], number: int) -> None:
    name, change, subset, metric = CHANGES[number]
    case = cases[name]
    rule = ", ".join(
        f"`{k} = {v.kind} {v.side}`" if isinstance(v, Frame) else f"`{k} = {v}`" for k, v in change.items()
    )
    what = f"{subset.replace('_', '-')}, {metric.replace('_', ' ')}"
    changed = figures(case, DEFAULT.model_copy(update=change), subset, metric)
    assert_stands(row(rule, f"`{name}`", what, figures(case, DEFAULT, subset, metric), changed))


@pytest.mark.parametrize(
    "name", ["spair_nn_img", "ap10k_intra_img", "ap10k_cross_species_img", "ap10k_cross_family_img"]
)
def test_all_rules_together(cases: dict[str, Case], name: str) -> None:
    for subset in (ALL, GEO):
        for metric in ("per_image", "per_point"):
            what = f"{subset.replace('_', '-')}, {metric.replace('_', ' ')}"
            both = [figures(cases[name], protocol, subset, metric) for protocol in (DEFAULT, AS_CODED)]
            assert_stands(row(f"`{name}`", what, *both))


def test_sampling(cases: dict[str, Case]) -> None:
    case = cases["spair_nn_sample20"]
    every = figures(cases["spair_nn_img"], DEFAULT, ALL, "per_image")
    drawn = figures(case, DEFAULT.model_copy(update={"sampling": case.protocol.sampling}), ALL, "per_image")
    assert_stands(row("`sampling = 20 per category`", "`spair_nn_img`", "all, per image", every, drawn))


@pytest.mark.parametrize(("name", "metric"), [("spair_nn_img", "per_point"), ("ap10k_intra_img", "per_image")])
def test_mean_of_categories(cases: dict[str, Case], name: str, metric: str) -> None:
    scores = cases[name].score(cases[name].pairs, cases[name].predictions, DEFAULT)
    parts = [values(scores, s, ALL, metric)[0] for s in scores.scope.unique() if s.startswith("category:")]
    pooled, mean = percent(values(scores, "all", ALL, metric)[0]), percent(np.mean(parts, axis=0))
    assert_stands(row(f"`{name}`", f"all, {metric.replace('_', ' ')}", pooled, mean))


def test_ties_of_whole_pixels() -> None:
    """A stated synthetic example: whole-pixel errors up to 60 px along each axis, whole-pixel sizes 50 to 500 px."""
    rng = np.random.default_rng(0)
    offset, size = rng.integers(-60, 61, (1_000_000, 2)), rng.integers(50, 501, 1_000_000).astype(float)
    distance = np.hypot(offset[:, 0], offset[:, 1])
    for alpha in (0.01, 0.05, 0.10, 0.15):
        counts = [
            int(correct(distance, size, (alpha,), comparison, arithmetic).sum())
            for comparison, arithmetic in (("<=", "float64"), ("<", "float64"), ("<", "float32-alpha"))
        ]
        assert_stands(row(f"{alpha:.2f}", *(f"{count:,}" for count in counts)))


def test_whole_pixel_queries() -> None:
    benchmark, cats = spair(), find_protocol("cats")
    asked = queries(benchmark, benchmark.split("test"), cats)
    true = benchmark.instances.keypoints[asked.query_row[asked.pair], asked.keypoint]
    moved = np.linalg.norm(asked.points - true, axis=1)
    assert_stands(f"{moved.mean():.1f} px on average and {moved.max():.1f} px at most")


@pytest.mark.parametrize("name", ["default", "geoaware-sc", "dift", "dhf", "hpf", "sd4match", "cats"])
def test_one_method_under_every_protocol(name: str) -> None:
    """The method: the same relative position in the box of the answer image."""
    benchmark, protocol = spair(), find_protocol(name).model_copy(update={"alphas": (0.10,)})
    pairs = benchmark.split("test")
    asked = queries(benchmark, pairs, protocol)
    ours, theirs = (benchmark.instances.bbox[rows[asked.pair]] for rows in (asked.query_row, asked.answer_row))
    points = (asked.points - ours[:, :2]) / ours[:, 2:] * theirs[:, 2:] + theirs[:, :2]
    scores = score(benchmark, pairs, Predictions.of(asked, points), protocol)
    image, point = (f"{100 * values(scores, 'all', ALL, metric)[0][0]:.2f}" for metric in ("per_image", "per_point"))
    assert_stands(row(f"`{name}`", image, point))

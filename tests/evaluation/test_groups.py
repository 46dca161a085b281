"""Pairs that share their target are matched together; that must not show in the predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import geobench
from geobench.benchmark import Benchmark
from geobench.evaluation import session
from geobench.evaluation.parts import PartStore
from geobench.methods.loader import load_method
from tests.conftest import make_tiny_benchmark


@pytest.fixture
def many(tmp_path: Path) -> Benchmark:
    """Ten images, twenty-odd pairs per category: several groups, some of them full."""
    return make_tiny_benchmark(tmp_path / "raw", n=10)


def predictions(benchmark: Benchmark, runs: Path, method: str = "dense-sift") -> bytes:
    return (geobench.predict(method, benchmark, runs=runs).folder / "predictions.parquet").read_bytes()


@pytest.mark.parametrize("stop_after", [1, 7, 20])
def test_a_cut_within_a_group_changes_no_byte(
    many: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    monkeypatch.setattr(session, "GROUP", 3)
    kept, add = [], PartStore.add

    def cut(self: PartStore, pair: int, *rest: object) -> None:
        if len(kept) == stop_after:
            raise KeyboardInterrupt
        kept.append(pair)
        add(self, pair, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(PartStore, "add", cut)
        with pytest.raises(KeyboardInterrupt):
            predictions(many, tmp_path / "cut")
    resumed: list[int] = []
    monkeypatch.setattr(PartStore, "add", lambda self, pair, *rest: (resumed.append(pair), add(self, pair, *rest))[1])
    assert predictions(many, tmp_path / "cut") == predictions(many, tmp_path / "whole")
    assert set(kept).isdisjoint(resumed[: len(many.split("test")) - stop_after])


def test_together_is_as_alone(many: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = geobench.predict("dense-sift-window-soft-argmax", many, runs=tmp_path / "together").predictions()
    monkeypatch.setattr(session, "GROUP", 1)
    alone = geobench.predict("dense-sift-window-soft-argmax", many, runs=tmp_path / "alone").predictions()
    np.testing.assert_array_equal(together.keypoint, alone.keypoint)
    np.testing.assert_allclose([together.x, together.y], [alone.x, alone.y], atol=1e-3)


def test_one_bad_pair_does_not_take_its_group_along(many: Benchmark, tmp_path: Path) -> None:
    loaded = load_method("dense-sift")
    match_many = loaded.method.match_many  # type: ignore[attr-defined]
    match, bad = loaded.method.match, []

    def fails_together(*arguments: object) -> object:
        raise RuntimeError("not together")

    def fails_once(source: object, target: object, points: object) -> object:
        if not bad:
            bad.append(True)
            raise ValueError("this one")
        return match(source, target, points)  # type: ignore[arg-type]

    assert callable(match_many)
    loaded.method.match_many = fails_together  # type: ignore[attr-defined]
    loaded.method.match = fails_once  # type: ignore[assignment, method-assign]
    record = geobench.predict(loaded, many, runs=tmp_path / "runs").record
    assert record.n_pairs_failed == 1
    assert record.first_failure == "ValueError: this one"


def test_groups_share_the_image_answered_in() -> None:
    answered_in = np.array([7, 3, 7, 7, 3, 0, 7])
    groups = session.grouped(np.array([2, 3, 5, 6, 8, 9, 11]), answered_in)
    assert [groups[i].tolist() for i in range(len(groups))] == [[2, 5, 6, 11], [3, 8], [9]]
    many = session.grouped(np.arange(40), np.zeros(40, int))
    assert many.lengths.tolist() == [16, 16, 8]
    assert len(session.grouped(np.zeros(0, int), np.zeros(0, int))) == 0

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import geobench
from geobench.benchmark import Benchmark
from geobench.errors import GeobenchError, InputError, UsageError
from geobench.evaluation.runs import load_run

METHODS = '''
import time
import numpy as np
import torch


class Slow:
    """Draws from torch's global generator, so that its answers depend on how it is seeded."""

    name = "slow"

    def describe(self, picture):
        return picture.pixels.mean() + torch.rand(())

    def match(self, source, target, points):
        time.sleep(0.02)
        return points + source - target + torch.rand(len(points), 2)


class Counting:
    name = "counting"

    def __init__(self):
        self.described = []
        self.prepared = []

    def prepare(self, pictures):
        self.prepared.append([picture.key for picture in pictures])

    def describe(self, picture):
        self.described.append(picture.key)
        return picture.key

    def match(self, source, target, points):
        return points


class FailsOnce(Counting):
    name = "fails-once"

    def match(self, source, target, points):
        if (source, target) == ("000", "002"):
            raise ValueError("no luck today")
        return points


class WrongShape(Counting):
    name = "wrong-shape"

    def match(self, source, target, points):
        return points[:, 0]


class NotFinite(Counting):
    name = "not-finite"

    def match(self, source, target, points):
        return points * float("nan")
'''


@pytest.fixture
def methods(tmp_path: Path) -> Path:
    path = tmp_path / "my_methods.py"
    path.write_text(METHODS)
    return path


def run(method: str, benchmark: Benchmark, tmp_path: Path, **options: object) -> geobench.Run:
    return geobench.predict(method, benchmark, runs=tmp_path / "runs", **options)  # type: ignore[arg-type]


def test_oracle_is_always_right_and_says_so(tiny: Benchmark, tmp_path: Path) -> None:
    done = run("oracle", tiny, tmp_path)
    scores = geobench.score(done)
    assert (scores.value.dropna() == 1).all()
    assert done.record.method.knows_truth
    assert done.record.status == "success"


def test_each_image_is_described_once(tiny: Benchmark, tmp_path: Path, methods: Path) -> None:
    from geobench.methods.loader import load_method

    loaded = load_method(f"{methods}:Counting")
    done = geobench.predict(loaded, tiny, runs=tmp_path / "runs")
    assert sorted(loaded.method.described) == sorted(tiny.instances.id)  # type: ignore[attr-defined]
    assert done.record.cost.n_described == len(tiny.instances)
    categories = [{str(tiny.instances.category[int(key)]) for key in keys} for keys in loaded.method.prepared]  # type: ignore[attr-defined]
    assert categories == [{"cat"}, {"dog"}]


def test_record_says_everything_needed_to_repeat(tiny: Benchmark, tmp_path: Path) -> None:
    record = load_run(run("random", tiny, tmp_path, seed=7).folder).record
    assert record.benchmark.fingerprint == tiny.fingerprint
    assert record.method.recipe["method"] == "geobench.methods.sanity:Random"
    assert record.seed == 7
    assert {"geobench", "numpy", "torch", "python"} <= set(record.versions)
    assert record.n_pairs_original == record.n_pairs == len(tiny.split("test"))
    assert record.protocol["name"] == "default"
    assert record.finished_at is not None


def test_failed_pair_is_recorded_and_counts_as_wrong(tiny: Benchmark, tmp_path: Path, methods: Path) -> None:
    good, bad = (run(f"{methods}:{name}", tiny, tmp_path) for name in ("Counting", "FailsOnce"))
    assert bad.record.status == "success_with_failures"
    assert bad.record.n_pairs_failed == 1
    assert bad.record.first_failure == "ValueError: no luck today"
    failures = pd.read_parquet(bad.folder / "failures.parquet")
    pair = int(failures.pair[0])
    assert (tiny.split("test").source[pair], tiny.split("test").target[pair]) == (0, 2)
    predictions, intact = bad.predictions(), good.predictions()
    assert np.isnan(predictions.x[predictions.pair == pair]).all()
    np.testing.assert_array_equal(predictions.pair, intact.pair)
    points = [
        geobench.score(r).query("scope == 'all' and metric == 'per_point' and subset == 'all'") for r in (good, bad)
    ]
    assert points[0].n.tolist() == points[1].n.tolist()
    assert (points[1].value <= points[0].value).all()


@pytest.mark.parametrize(("name", "reason"), [("WrongShape", "shape"), ("NotFinite", "NaN")])
def test_a_method_that_is_always_wrong_fails_the_run(
    tiny: Benchmark, tmp_path: Path, methods: Path, name: str, reason: str
) -> None:
    record = run(f"{methods}:{name}", tiny, tmp_path).record
    assert record.status == "failed"
    assert record.n_pairs_failed == record.n_pairs_effective
    assert reason in str(record.first_failure)


def test_a_finished_run_is_not_repeated_unless_fresh(tiny: Benchmark, tmp_path: Path) -> None:
    first = run("random", tiny, tmp_path)
    stamp = (first.folder / "predictions.parquet").stat().st_mtime_ns
    assert run("random", tiny, tmp_path).folder == first.folder
    assert (first.folder / "predictions.parquet").stat().st_mtime_ns == stamp
    run("random", tiny, tmp_path, fresh=True)
    assert (first.folder / "predictions.parquet").stat().st_mtime_ns > stamp


def test_what_changes_the_answers_changes_the_folder(tiny: Benchmark, tmp_path: Path) -> None:
    variants = [{}, {"seed": 1}, {"limit": 5}, {"protocol": "dift"}]
    assert len({run("random", tiny, tmp_path, **v).folder for v in variants}) == len(variants)


def test_limit_spreads_over_the_split_and_scores(tiny: Benchmark, tmp_path: Path) -> None:
    done = run("oracle", tiny, tmp_path, limit=5)
    assert done.record.n_pairs == 5
    assert len(set(tiny.split("test").category[np.unique(done.predictions().pair)])) == 2
    assert geobench.score(done).value.dropna().eq(1).all()
    with pytest.raises(UsageError, match="--limit must be at least 1"):
        run("oracle", tiny, tmp_path, limit=0)


def test_missing_image_stops_before_any_work(tiny: Benchmark, tmp_path: Path) -> None:
    (tiny.image_root / "images" / "003.png").unlink()
    with pytest.raises(InputError, match=r"003\.png: no such image \(1 of 8 images"):
        run("random", tiny, tmp_path)


def test_unreadable_image_stops_and_keeps_what_is_done(tiny: Benchmark, tmp_path: Path, methods: Path) -> None:
    path = tiny.image_root / "images" / "007.png"
    intact = path.read_bytes()
    path.write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"007\.png: not a readable image"):
        run(f"{methods}:Slow", tiny, tmp_path)
    path.write_bytes(intact)
    done = run(f"{methods}:Slow", tiny, tmp_path)
    assert done.record.status == "success"
    whole = run(f"{methods}:Slow", tiny, tmp_path / "other")
    assert (done.folder / "predictions.parquet").read_bytes() == (whole.folder / "predictions.parquet").read_bytes()


def test_image_of_another_size_is_named(tiny: Benchmark, tmp_path: Path, methods: Path) -> None:
    width = tiny.instances.width.copy()
    width[0] += 1
    wrong = replace(tiny, instances=replace(tiny.instances, width=width))
    with pytest.raises(InputError, match=r"000\.png: the image is .* its annotation says"):
        run(f"{methods}:Slow", wrong, tmp_path)


def _eval_process(tiny: Benchmark, methods: Path, runs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "geobench.cli", "eval", "--method", f"{methods}:Slow"]
    command += ["--benchmark", str(tiny.folder), "--runs", str(runs)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(geobench.__file__).parents[1]
    )


def _wait_for(condition: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_kill_9_and_resume_gives_the_same_bytes(tmp_path: Path, methods: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from geobench.storage import load_benchmark_folder
    from tests.conftest import make_tiny_benchmark

    large = load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw", n=24).save(tmp_path / "large"))
    monkeypatch.setenv("GEOBENCH_FLUSH_SECONDS", "0.2")
    process = _eval_process(large, methods, tmp_path / "runs")
    parts = tmp_path / "runs" / "tiny" / "test" / "slow"
    _wait_for(lambda: len(list(parts.glob("*/parts/*.parquet"))) >= 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    folder = next(parts.iterdir())
    assert not (folder / "predictions.parquet").exists()
    assert load_run(folder).record.status == "started"
    with pytest.raises(InputError, match="unfinished; repeat the same eval command"):
        load_run(folder).predictions()
    resumed = run(f"{methods}:Slow", large, tmp_path)
    assert resumed.folder == folder.resolve() or resumed.folder == folder
    whole = run(f"{methods}:Slow", large, tmp_path / "undisturbed")
    assert resumed.record.cost.n_described <= 2 * len(large.instances)
    assert (resumed.folder / "predictions.parquet").read_bytes() == (whole.folder / "predictions.parquet").read_bytes()
    assert not (resumed.folder / "parts").exists()


def test_two_processes_never_write_one_run(tiny: Benchmark, tmp_path: Path, methods: Path) -> None:
    process = _eval_process(tiny, methods, tmp_path / "runs")
    folder = tmp_path / "runs" / "tiny" / "test" / "slow"
    _wait_for(lambda: list(folder.glob("*/run.json")))
    with pytest.raises(GeobenchError, match="another process is writing this run"):
        run(f"{methods}:Slow", tiny, tmp_path)
    process.wait()


def test_scoring_needs_the_same_benchmark(tiny: Benchmark, tmp_path: Path) -> None:
    done = run("random", tiny, tmp_path)
    with pytest.raises(InputError, match="made on benchmark"):
        geobench.score(done, benchmark=replace(tiny, recipe={"seed": 99}))


def test_scoring_needs_no_images(tiny: Benchmark, tmp_path: Path) -> None:
    done = run("random", tiny, tmp_path)
    before = geobench.score(done)
    for path in (tiny.image_root / "images").iterdir():
        path.unlink()
    pd.testing.assert_frame_equal(before, geobench.score(done.folder))

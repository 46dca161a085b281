"""A training of two processes on the CPU is the training of one: started by torchrun, as several GPUs are.

``accelerate launch --cpu --num_processes 2`` is no test of this: without MPI it starts one process.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from geobench.benchmark import Benchmark
from geobench.training.checkpoint import LAST, WEIGHTS
from geobench.training.processes import accelerator_for, first_said, least, own_memory
from geobench.training.train import RECIPE, TrainingJob, train
from tests.training.small_row import FEATURES

ROOT = Path(__file__).parents[2]
TEXT = (
    FEATURES
    + """\
[training]
split = "test"
validation = "test"
validation_pairs = 6
channels = 128
batch = 3
dropout = 0.0
[loss]
perturbation = 0.0
"""
)
DRIVER = """
import os, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from geobench.api import load_benchmark
from geobench.training.order import epoch_steps
from geobench.training.train import TrainingJob, train
benchmark = load_benchmark(sys.argv[2])
pairs = benchmark.split("test")
hit = pairs.source[epoch_steps(pairs, 0, 0, 3, None)[0][1]]  # of the second process's pair of the first step
keypoints = benchmark.instances.keypoints.copy()
keypoints[hit] = np.nan
print("broken:", benchmark.instances.id[hit], flush=True)
broken = replace(benchmark, instances=replace(benchmark.instances, keypoints=keypoints))
try:
    train(TrainingJob(Path(sys.argv[1]), broken, Path(sys.argv[3])))
except Exception as error:
    print(f"process {os.environ['RANK']}: {type(error).__name__}: {error}", flush=True)
"""


def on_two(*command: str) -> str:
    """Run a command as two processes, and return what they print."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *command]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(launch, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def curve(folder: Path) -> list[dict[str, float]]:
    kept = {"step", "learning_rate", "pairs_per_s"}
    with (folder / "steps.csv").open(newline="") as stream:
        return [{k: float(v) for k, v in row.items() if v and k not in kept} for row in csv.DictReader(stream)]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "row.toml"
    path.write_text(TEXT)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    ["", "sparse = false\n", "as_published_code = true\n"],
    ids=["paper", "dense only", "published code, which trains its grid"],
)
def test_two_processes_train_as_one(loss: str, recipe: Path, tiny: Benchmark) -> None:
    """The last step has one pair, so that the second process has none."""
    recipe.write_text(TEXT + loss)
    one, two = recipe.parent / "one", recipe.parent / "two"
    arguments = ["train", str(recipe), "--benchmark", str(tiny.folder), "--pairs", "7", "--epochs", "4"]
    told = on_two("-m", "geobench", *arguments, "--out", str(two))
    assert told.count("trained:") == 1
    assert told.startswith("12 steps; best validation")
    train(TrainingJob(recipe, tiny, one, changes={"epochs": 4, "pairs": 7}))
    for name in (LAST, WEIGHTS):
        mine, theirs = load_file(one / name), load_file(two / name)
        assert mine.keys() == theirs.keys()
        assert max(float((mine[key] - theirs[key]).abs().max()) for key in mine) < 1e-4, name
    assert len(curve(one)) == 12
    for mine, theirs in zip(curve(one), curve(two), strict=True):
        assert mine.keys() == theirs.keys()
        assert theirs == pytest.approx(mine, abs=1e-4, rel=1e-4)
    assert curve(one)[-1]["loss"] < 0.9 * curve(one)[0]["loss"]
    assert (one / "validation.csv").read_text() == (two / "validation.csv").read_text()
    assert (one / RECIPE).read_text() == (two / RECIPE).read_text()


@pytest.mark.slow
def test_a_loss_that_is_not_finite_on_one_process_stops_all(recipe: Path, tiny: Benchmark) -> None:
    driver, out = recipe.parent / "driver.py", recipe.parent / "out"
    driver.write_text(DRIVER)
    told = on_two(str(driver), str(recipe), str(tiny.folder), str(out))
    broken = told.split("broken: ")[1].split("\n")[0]
    for process in (0, 1):
        (said,) = [line for line in told.splitlines() if line.startswith(f"process {process}:")]
        assert "NotFiniteError: step 1: the" in said
        assert broken in said
    left = load_file(out / LAST)
    assert all(value.isfinite().all() for value in left.values())


def test_a_second_training_of_a_process_has_its_own_precision_and_device() -> None:
    assert accelerator_for("cpu", "no").mixed_precision == "no"
    second = accelerator_for("cpu", "bf16")
    assert (second.mixed_precision, second.device) == ("bf16", torch.device("cpu"))
    # A device that every machine has stands for cuda:1, which accelerate does not take by itself either.
    assert accelerator_for("meta", "no").device == torch.device("meta")
    assert "ACCELERATE_TORCH_DEVICE" not in os.environ
    assert accelerator_for("cpu", "no").device == torch.device("cpu")


def test_one_process_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    accelerator = accelerator_for("cpu", "no")
    assert accelerator.device == torch.device("cpu")
    assert least(accelerator, 7) == 7
    assert first_said(accelerator, ["a to b", "c to d"]) == "a to b"
    assert first_said(accelerator, []) == ""
    monkeypatch.setattr("geobench.training.processes.allowed_bytes", lambda memory, *_: memory or 1000)
    assert own_memory(accelerator, None, "cpu") == 1000
    assert own_memory(accelerator, 600, "cpu") == 600

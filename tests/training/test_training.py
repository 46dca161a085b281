"""geobench train: it learns, it goes on where it was interrupted to the byte, and refuses what cannot be."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from geobench.benchmark import Benchmark
from geobench.cli import run
from geobench.errors import GeobenchError, InputError, UsageError
from geobench.evaluation.descriptions import Descriptions
from geobench.methods.loader import load_method
from geobench.training.checkpoint import LAST, STATE, WEIGHTS
from geobench.training.engine import Engine, NotFiniteError
from geobench.training.order import epoch_steps, own_share, rows_of_steps
from geobench.training.train import RECIPE, TrainingJob, train
from tests.training.small_row import FEATURES

TEXT = (
    FEATURES
    + """\
[training]
split = "test"
validation = "test"
validation_pairs = 6
channels = 128
epochs = 2
batch = 3
save_every = 3
"""
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "row.toml"
    path.write_text(TEXT)
    return path


def trained(recipe: Path, benchmark: Benchmark, out: str, **given: Any) -> Path:
    folder = recipe.parent / out
    train(TrainingJob(recipe, benchmark, folder, **given))
    return folder


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_learns_what_it_is_shown(recipe: Path, tiny: Benchmark) -> None:
    """On noise images there is nothing to find but what was shown: the loss falls, and the shown pairs are matched."""
    folder = trained(recipe, tiny, "out", changes={"epochs": 10, "dropout": 0.0})
    losses = [float(row["loss"]) for row in rows(folder, "steps.csv")]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])
    pck = [float(row["pck"]) for row in rows(folder, "validation.csv")]
    assert max(pck) > pck[0] + 0.1


def test_what_is_left_is_evaluated_as_it_is(recipe: Path, tiny: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained(recipe, tiny, "trained-row")
    assert {path.name for path in folder.iterdir()} == {RECIPE, WEIGHTS, LAST, STATE, "steps.csv", "validation.csv"}
    loaded = load_method(str(folder))
    assert loaded.name == "trained-row"
    assert loaded.recipe["trained_on"] == [f"tiny:test ({tiny.fingerprint[:12]})"]
    assert list(loaded.weights) == ["post-processor"]
    arguments = ["--benchmark", str(tiny.folder), "--split", "test", "--runs", str(recipe.parent / "runs")]
    assert run(["eval", "--method", str(folder), *arguments]) == 0
    assert "Row on tiny test" in capsys.readouterr().out


@pytest.mark.parametrize("at", [1, 5, 8], ids=["before the first state", "in the first epoch", "at its end"])
def test_interrupted_and_resumed_is_as_never_interrupted(
    at: int, recipe: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(recipe, tiny, "whole")
    plain = Engine.step

    def killed(self: Engine, number: int, *given: Any) -> Any:
        if number == at:
            raise OSError("killed")
        return plain(self, number, *given)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(Engine, "step", killed)
        trained(recipe, tiny, "cut")
    cut = trained(recipe, tiny, "cut")
    for name in (WEIGHTS, LAST, STATE):
        one, other = load_file(whole / name), load_file(cut / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    shown = [[(row["step"], row["loss"]) for row in rows(folder, "steps.csv")] for folder in (whole, cut)]
    assert shown[0] == shown[1]


def test_ctrl_c_keeps_the_last_step(recipe: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, plain = trained(recipe, tiny, "whole"), Engine.step
    begun: list[int] = []

    def stopped(self: Engine, number: int, *given: Any) -> Any:
        begun.append(number)
        if number == 4:
            raise KeyboardInterrupt
        return plain(self, number, *given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Engine, "step", stopped)
        trained(recipe, tiny, "cut")
    monkeypatch.setattr(
        Engine, "step", lambda self, number, *given: (begun.append(number), plain(self, number, *given))[1]
    )
    cut = trained(recipe, tiny, "cut")
    assert begun[5] == 4
    assert (whole / LAST).read_bytes() == (cut / LAST).read_bytes()


def test_a_finished_training_is_not_done_again(recipe: Path, tiny: Benchmark) -> None:
    folder = trained(recipe, tiny, "out")
    before = (folder / STATE).stat().st_mtime_ns
    trained(recipe, tiny, "out")
    assert (folder / STATE).stat().st_mtime_ns == before


def test_images_are_described_once_where_memory_allows(
    recipe: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Descriptions] = []
    plain = Descriptions.__init__

    def noted(self: Descriptions, *given: Any) -> None:
        made.append(self)
        plain(self, *given)

    monkeypatch.setattr(Descriptions, "__init__", noted)
    trained(recipe, tiny, "out")
    images = len(np.union1d(tiny.split("test").source, tiny.split("test").target))
    assert made[0].n_described == images
    made.clear()
    trained(recipe, tiny, "short", memory=8 * 8 * 8 * 128 * 4 * 2, changes={"batch": 1})
    assert images < made[0].n_described < 2 * len(tiny.split("test"))
    assert made[0].peak_held < images


def test_another_training_is_not_gone_on_with(recipe: Path, tiny: Benchmark) -> None:
    folder = trained(recipe, tiny, "out")
    other = replace(tiny, recipe={"seed": 99})
    with pytest.raises(InputError, match=r"state\.safetensors: was made with another benchmark .*--fresh to begin"):
        trained(recipe, other, "out")
    with pytest.raises(InputError, match="was made with another seed"):
        trained(recipe, tiny, "out", seed=1)
    (folder / STATE).write_bytes(b"{")
    with pytest.raises(InputError, match="not the state of a training"):
        trained(recipe, tiny, "out")
    trained(recipe, tiny, "out", fresh=True)


def test_nan_stops_and_leaves_the_last_good_weights(
    recipe: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = tiny.split("test")
    keypoints = tiny.instances.keypoints.copy()
    keypoints[pairs.source[0]] = np.nan
    broken = replace(tiny, instances=replace(tiny.instances, keypoints=keypoints))
    name = re.escape(str(tiny.instances.id[pairs.source[0]]))
    with pytest.raises(NotFiniteError, match=rf"step \d+: the (loss|gradient) of pair .*{name}.* is not finite"):
        trained(recipe, broken, "out", changes={"batch": 1})
    left = load_file(recipe.parent / "out" / LAST)
    assert all(value.isfinite().all() for value in left.values())


def test_a_full_disk_keeps_the_state_before(recipe: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import SafetensorError

    from geobench.training import checkpoint

    folder = trained(recipe, tiny, "out", changes={"epochs": 1})
    before = {name: (folder / name).read_bytes() for name in (STATE, WEIGHTS)}

    def full(_tensors: Any, path: Path, _about: Any) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(GeobenchError, match=r"the disk is full; nothing was left half written"):
        checkpoint.save_weights(torch.nn.Linear(2, 2), folder / WEIGHTS, {})
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert not list(folder.glob(".*tmp"))


def test_weights_to_begin_with_are_recorded(recipe: Path, tiny: Benchmark) -> None:
    first = trained(recipe, tiny, "first")
    second = trained(recipe, replace(tiny, name="other"), "second", start=first, changes={"epochs": 1})
    begun = load_file(first / WEIGHTS)
    assert any(not torch.equal(value, begun[key]) for key, value in load_file(second / LAST).items())
    assert load_method(str(second)).recipe["trained_on"][0] == f"tiny:test ({tiny.fingerprint[:12]})"
    assert load_method(str(second)).recipe["trained_on"][1].startswith("other:test")
    with pytest.raises(InputError, match=r"weights of 128 channels, \[training\] says 256; set channels = 128"):
        trained(recipe, tiny, "third", start=first, changes={"channels": 256})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('split = "test"', 'split = "train"', "has no split 'train'"),
        ("epochs = 2", "epoch = 2", r"row\.toml: unknown key 'training\.epoch'; did you mean epochs"),
        ("[training]", "[loss]\nsparce = true\n[training]", r"row\.toml: \[loss\].*sparce.*sparse"),
        ("[training]", '[reduction]\nkind = "co-pca"\ndimensions = [8]\n[training]', r"without \[reduction\]"),
    ],
    ids=["split", "training", "loss", "reduction"],
)
def test_a_recipe_that_cannot_be_trained_says_why(
    old: str, new: str, words: str, recipe: Path, tiny: Benchmark
) -> None:
    recipe.write_text(TEXT.replace(old, new))
    with pytest.raises((InputError, UsageError), match=words):
        trained(recipe, tiny, "out")
    assert not (recipe.parent / "out").exists()


def test_what_the_data_lacks_is_said(recipe: Path, tiny: Benchmark) -> None:
    flat = {name: replace(one, mirror=tuple(range(len(one)))) for name, one in tiny.skeletons.items()}
    with pytest.raises(InputError, match="has no mirror table; add mirror to its card"):
        trained(recipe, replace(tiny, skeletons=flat), "out")
    hidden = replace(tiny.instances, visibility=np.zeros_like(tiny.instances.visibility))
    with pytest.raises(InputError, match="split test has no pair with a common keypoint"):
        trained(recipe, replace(tiny, instances=hidden), "out")
    with pytest.raises(UsageError, match="split test has no category 'dogg'; did you mean dog"):
        trained(recipe, tiny, "out", changes={"categories": ("cat", "dogg")})
    with pytest.raises(UsageError, match=r"--memory: 6 descriptions of .* are needed at the same time"):
        trained(recipe, tiny, "out", memory=1000)


@pytest.mark.parametrize("capacity", [None, 3, 5])
def test_an_epoch_has_every_pair_once(tiny: Benchmark, capacity: int | None) -> None:
    pairs = tiny.split("test")
    first, second = (epoch_steps(pairs, epoch, 7, 4, capacity) for epoch in (0, 1))
    assert sorted(np.concatenate(first)) == list(range(len(pairs)))
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))
    again = epoch_steps(pairs, 0, 7, 4, capacity)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    shares = [own_share(first, process, 3) for process in range(3)]
    for number, step in enumerate(first):
        assert sorted(np.concatenate([share[number] for share in shares])) == sorted(step)
    needed = rows_of_steps(pairs, first)
    assert set(needed[0]) == set(pairs.source[first[0]]) | set(pairs.target[first[0]])


def test_the_command_line(recipe: Path, tiny: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    out = recipe.parent / "out"
    arguments = [str(recipe), "--benchmark", str(tiny.folder), "--out", str(out)]
    assert run(["train", *arguments, "--epochs", "1", "--pairs", "6"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"2 steps; best validation PCK@0.1 \d+\.\d at step 2", told)
    assert f"geobench eval --method {out}" in told
    assert run(["train", *arguments, "--epochs", "1", "--pairs", "7"]) == 1
    assert "was made with another settings" in capsys.readouterr().err
    assert run(["train", "nothing", *arguments[1:]]) == 2

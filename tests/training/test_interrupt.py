"""Ctrl-C at the worst moment of a step."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from geobench.benchmark import Benchmark
from geobench.training.checkpoint import LAST
from geobench.training.engine import Engine
from geobench.training.interrupt import held_back
from geobench.training.train import TrainingJob, train
from tests.training.small_row import FEATURES

TEXT = (
    FEATURES
    + """\
[training]
split = "test"
validation_pairs = 0
channels = 128
batch = 3
"""
)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_between_the_weights_and_the_count_of_steps(
    tmp_path: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, plain = tmp_path / "row.toml", Engine.step
    recipe.write_text(TEXT)
    train(TrainingJob(recipe, tiny, tmp_path / "whole"))

    def pressed(self: Engine, number: int, *given: Any) -> Any:
        terms = plain(self, number, *given)
        if number == 3:
            press()
        return terms

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Engine, "step", pressed)
        train(TrainingJob(recipe, tiny, tmp_path / "cut"))
    train(TrainingJob(recipe, tiny, tmp_path / "cut"))
    assert (tmp_path / "whole" / LAST).read_bytes() == (tmp_path / "cut" / LAST).read_bytes()


def test_what_is_inside_is_finished_first() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), held_back():
        press()
        done.append("inside")
    assert done == ["inside"]
    with pytest.raises(KeyboardInterrupt):
        press()


def test_a_collective_that_fails_after_ctrl_c_is_an_interruption() -> None:
    with pytest.raises(KeyboardInterrupt), held_back():
        press()
        raise RuntimeError("connection closed by peer")
    with pytest.raises(RuntimeError, match="a real one"), held_back():
        raise RuntimeError("a real one")

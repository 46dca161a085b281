"""Families: the members answer as the same recipes do on their own, and share one description of each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geobench.benchmark import Benchmark
from geobench.cli import run as geobench
from geobench.errors import UsageError
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.runner import predict_jobs
from geobench.methods.family import family_members, family_names, find_family
from geobench.methods.loader import load_method
from tests.conftest import SMALL_FEATURES

ALONE = {
    "small-nearest": '[matcher]\nkind = "nearest"\n',
    "small-window-5": '[matcher]\nkind = "window-soft-argmax"\nwindow = 5\n',
    "small-nearest-aligned": '[matcher]\nkind = "nearest"\n[alignment]\nposes = ["identity", "mirror"]\n',
    "small-window-9-aligned": '[matcher]\nkind = "window-soft-argmax"\nwindow = 9\n[alignment]\n',
}


def test_members_answer_as_alone_and_each_image_is_described_once(
    tiny: Benchmark, small_recipe: str, tmp_path: Path
) -> None:
    members = family_members(small_recipe, find_family("inference"))
    jobs = [Job(member, tiny, "test", find_protocol("default")) for member in members]
    runs = {run.record.method.name: run for run in predict_jobs(jobs, tmp_path / "runs")}
    assert len(runs) == 16
    assert sum(run.record.cost.n_described for run in runs.values()) == len(tiny.instances)
    for name, tables in ALONE.items():
        (tmp_path / f"{name}.toml").write_text(SMALL_FEATURES + tables)
        job = Job(load_method(str(tmp_path / f"{name}.toml")), tiny, "test", find_protocol("default"))
        alone, member = predict_jobs([job], tmp_path / "alone")[0].predictions(), runs[name].predictions()
        np.testing.assert_array_equal(alone.x, member.x)
        np.testing.assert_array_equal(alone.y, member.y)
    assert runs["small-nearest-aligned"].record.method.uses_mirror_index


def test_without_alignment(small_recipe: str) -> None:
    members = family_members(small_recipe, find_family("inference"), aligned=False)
    assert [member.name for member in members][:3] == ["small-nearest", "small-soft", "small-window-5"]
    assert len(members) == 8
    assert members[2].recipe["matcher"] == {
        "kind": "window-soft-argmax",
        "window": 5,
        "temperature": 0.02,
        "masked": "excluded",
        "padding": "ignored",
    }


def test_one_command_prints_one_table(
    tiny: Benchmark, small_recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--benchmark", str(tmp_path / "tiny"), "--runs", str(tmp_path / "runs"), "--no-alignment"]
    assert geobench(["ablation", "--recipe", small_recipe, *arguments]) == 0
    printed = capsys.readouterr().out
    assert sum("Small: " in line for line in printed.splitlines()) == 8
    assert all(f"@{alpha}" in printed for alpha in ("0.01", "0.05", "0.1"))
    assert "geo" in printed


def test_what_has_no_features_has_no_family(small_recipe: str) -> None:
    assert family_names() == ["inference", "table-5", "transfer"]
    with pytest.raises(UsageError, match="a family needs a recipe"):
        family_members("oracle", find_family("inference"))
    with pytest.raises(UsageError, match=r"unknown family 'inferense'.*inference"):
        find_family("inferense")

"""The ablation of Table 5: rows are trained once, kept, and printed in the order of the table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from geobench.benchmark import Benchmark
from geobench.cli import run
from geobench.errors import UsageError
from geobench.methods.family import find_family
from geobench.training.ablation import trained_members
from geobench.training.checkpoint import STATE
from tests.training.test_training import TEXT

FAMILY = """
title = "Small"
[[rows]]
name = "sparse"
title = "sparse"
loss = { dense = false, double_flip = 0, single_flip = 0, self_flip = 0 }
[[rows]]
name = "full"
title = "+ all"
training = { epochs = 1 }
[[variants]]
name = "window-5"
title = "window 5"
matcher = { kind = "window-soft-argmax", window = 5 }
[alignment]
poses = ["identity", "mirror"]
"""


@pytest.fixture
def arguments(tiny: Benchmark, tmp_path: Path) -> list[str]:
    (tmp_path / "row.toml").write_text(TEXT)
    (tmp_path / "small.toml").write_text(FAMILY)
    named = {"recipe": "row.toml", "family": "small.toml", "trained": "trained", "runs": "runs", "benchmark": "tiny"}
    return [word for name, value in named.items() for word in (f"--{name}", str(tmp_path / value))]


def test_rows_come_in_the_order_of_the_table(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ablation", *arguments, "--format", "csv"]) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    wanted = ["features as they are", "features as they are, pose-aligned†", "sparse", "+ all", "+ all: window 5"]
    assert list(dict.fromkeys(row["method"] for row in rows)) == [*wanted, "+ all: window 5, pose-aligned†"]
    assert len(rows) == 6 * 2 * 3
    assert "geobench: training sparse" in printed.err
    states = {path: path.stat().st_mtime_ns for path in (tmp_path / "trained").glob(f"*/{STATE}")}
    assert len(states) == 2
    assert run(["ablation", *arguments, "--no-alignment"]) == 0
    assert {path: path.stat().st_mtime_ns for path in states} == states
    assert "pose-aligned" not in capsys.readouterr().out


def test_the_catalogues_family_is_the_papers_table() -> None:
    family = find_family("table-5")
    assert [row.title for row in family.rows] == [
        "baseline (sparse objective)",
        "+ dense objective",
        "+ pose-variant augmentation",
        "+ perturbation and dropout",
    ]
    assert [variant.name for variant in family.variants] == ["soft", "window-5", "window-9", "window-15"]


def test_a_recipe_that_is_not_trained_has_no_such_table(tiny: Benchmark, tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text(TEXT.partition("[training]")[0])
    with pytest.raises(
        UsageError, match=r"plain\.toml: this family trains networks, and the recipe has no \[training\]"
    ):
        trained_members(path, find_family("table-5"), tiny, tmp_path / "out")

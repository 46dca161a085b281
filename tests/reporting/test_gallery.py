"""The gallery: which keypoints are drawn, in which colour, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geobench.benchmark import Benchmark
from geobench.cli import run
from geobench.errors import InputError, UsageError
from geobench.reporting.gallery import GEOMETRY_AWARE, OTHER, gallery_sheet, keypoint_table, save_gallery


def _share(sheet: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(sheet) == colour).all(axis=2).sum())


def test_yellow_where_geometry_aware_and_blue_elsewhere(tiny: Benchmark) -> None:
    pairs = tiny.split("test")
    tags, mutual = pairs.geometry_aware(tiny), pairs.mutual(tiny)
    for row in range(len(pairs)):
        sheet = gallery_sheet(tiny, pairs.take(np.array([row])), 1)
        assert bool(_share(sheet, GEOMETRY_AWARE)) == bool(tags[row].any())
        assert bool(_share(sheet, OTHER)) == bool((mutual[row] & ~tags[row]).any())


def test_the_same_seed_draws_the_same_picture(tiny: Benchmark, tmp_path: Path) -> None:
    first, second = (save_gallery(tiny, tmp_path / name, pairs=2, seed=3) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_table_names_groups_and_partners(tiny: Benchmark) -> None:
    table = keypoint_table(tiny)
    for skeleton in tiny.skeletons.values():
        for k, name in enumerate(skeleton.names):
            assert f"| {k} | {name} |" in table
        for group in skeleton.groups:
            assert f"| {group} |" in table


def test_pairs_without_images_are_not_drawn(tiny: Benchmark, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(InputError, match="no pair has both its images"):
        save_gallery(replace(tiny, image_root=tmp_path), tmp_path / "out")
    with pytest.raises(UsageError, match="at least 1"):
        save_gallery(tiny, tmp_path / "out", pairs=0)
    assert not (tmp_path / "out").exists()


def test_the_verb_writes_a_sheet_per_test_split(tiny: Benchmark, tmp_path: Path) -> None:
    assert run(["gallery", str(tiny.folder), "--out", str(tmp_path / "gallery"), "--pairs", "1"]) == 0
    assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == ["gallery-test.png", "keypoints.md"]

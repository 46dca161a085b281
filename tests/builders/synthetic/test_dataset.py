"""The files: AP-10K's layout, the same bytes every time, and truth that agrees with the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geobench.builders.synthetic import contact_sheet, render_dataset
from geobench.builders.synthetic.dataset import _draw, _plans
from geobench.builders.synthetic.render import KEYPOINTS
from geobench.builders.synthetic.species import SPECIES
from geobench.errors import UsageError

SIZE, IMAGES = 96, 48
pytestmark = pytest.mark.xdist_group("synthetic")  # one process renders for all


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def read(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    files = [json.loads((folder / f"annotations/ap10k-{n}-split1.json").read_text()) for n in ("train", "val", "test")]
    return [i for f in files for i in f["images"]], [a for f in files for a in f["annotations"]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_dataset(tmp_path_factory.mktemp("synthetic") / "raw", images=IMAGES, size=SIZE)


def test_same_seed_same_bytes_and_another_seed_differs(tmp_path: Path) -> None:
    first, second, other = (
        contents(render_dataset(tmp_path / name, seed=seed, images=8, size=96))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == second
    assert first.keys() == other.keys()
    pictures = [name for name in first if name.endswith((".jpg", ".png"))]
    assert all(first[name] != other[name] for name in pictures)


def test_an_image_does_not_depend_on_those_before_it(dataset: Path) -> None:
    """Drawing one image alone gives the picture and mask it has in the dataset."""
    plan = _plans(IMAGES)[IMAGES // 2]
    _, rendering = _draw(plan, 0, SIZE)
    _, annotations = read(dataset)
    (own,) = (a for a in annotations if a["image_id"] == plan.image)
    stored = np.asarray(Image.open(dataset / own["mask"]).convert("L")) > 0
    np.testing.assert_array_equal(rendering.masks[0], stored)
    decoded = np.asarray(Image.open(dataset / f"data/{plan.image:012d}.jpg")).astype(int)
    assert np.abs(decoded - rendering.picture).mean() < 8


def test_layout_is_ap10k(dataset: Path) -> None:
    images, annotations = read(dataset)
    assert len(images) == IMAGES == len({i["id"] for i in images})
    assert {p.name for p in (dataset / "data").iterdir()} == {i["file_name"] for i in images}
    assert all(i["file_name"] == f"{i['id']:012d}.jpg" for i in images)
    category = json.loads((dataset / "annotations/ap10k-val-split1.json").read_text())["categories"]
    assert [c["name"] for c in category] == [kind.name for kind in SPECIES]
    assert all(c["keypoints"] == list(KEYPOINTS) and len(c["skeleton"]) == 17 for c in category)
    for a in annotations:
        assert len(a["keypoints"]) == 51
        v = np.array(a["keypoints"]).reshape(17, 3)
        assert set(v[:, 2]) <= {0, 2}
        assert a["num_keypoints"] == (v[:, 2] > 0).sum()
        assert (v[v[:, 2] == 0] == 0).all()
        assert 0 <= a["azimuth"] < 360


def test_crowded_images_are_listed_and_have_two_animals(dataset: Path) -> None:
    _, annotations = read(dataset)
    numbers = [a["image_id"] for a in annotations]
    twice = sorted({n for n in numbers if numbers.count(n) > 1})
    listed = (dataset / "ap-10k_is_crowd.txt").read_text().split()
    assert listed == [f"{n:012d}" for n in twice]
    assert listed


def test_boxes_masks_and_keypoints_agree(dataset: Path) -> None:
    images, annotations = read(dataset)
    assert {p.name for p in (dataset / "masks").iterdir()} == {Path(a["mask"]).name for a in annotations}
    for a in annotations:
        mask = np.asarray(Image.open(dataset / a["mask"]).convert("L")) > 0
        rows, columns = np.nonzero(mask)
        x, y, w, h = a["bbox"]
        assert (x, y, x + w, y + h) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert a["area"] == mask.sum()
        points = np.array(a["keypoints"]).reshape(17, 3)
        points = points[points[:, 2] > 0, :2]
        assert ((points >= 0) & (points < SIZE)).all()
        centres = np.stack([columns, rows], axis=1) + 0.5
        gap = np.abs(points[:, None] - centres[None]).max(axis=2).min(axis=1)
        assert gap.max() <= 1.5 + 0.01
    assert images[0]["width"] == images[0]["height"] == SIZE


def test_far_sides_are_hidden_sometimes_and_seen_sometimes(dataset: Path) -> None:
    _, annotations = read(dataset)
    visible = np.array([a["keypoints"] for a in annotations if a["num_keypoints"] >= 3]).reshape(-1, 17, 3)[..., 2] > 0
    assert visible.any(axis=0).all(), "every keypoint is visible somewhere"
    for left, right, low, high in ((7, 10, 0.4, 0.98), (13, 16, 0.4, 0.98), (5, 8, 0.03, 0.6), (11, 14, 0.03, 0.6)):
        both = (visible[:, left] & visible[:, right]).mean()
        assert low < both < high, (KEYPOINTS[left], both)
    assert 0.4 < visible.mean() < 0.9


def test_full_counts_fill_every_split() -> None:
    """AP-10K's procedure: test = 30, val = 20 before them, train = the rest."""
    plans = _plans(None)
    assert len(plans) == sum(kind.images for kind in SPECIES) + 6
    families = {kind.family for kind in SPECIES}
    with_validation = [kind.family for kind in SPECIES if kind.images > 30]
    assert len(families) >= 3
    assert len(set(with_validation)) >= 2
    assert any(with_validation.count(family) > 1 for family in families)
    assert sum(kind.images > 51 for kind in SPECIES) >= 2
    assert any(kind.images <= 30 for kind in SPECIES)
    assert sum(max(p.keypoints) < 3 for p in plans) == 2


def test_progress_replacement_and_contact_sheet(tmp_path: Path, dataset: Path) -> None:
    calls: list[tuple[int, int]] = []
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").touch()
    render_dataset(tmp_path / "out", images=2, size=64, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert not (tmp_path / "out" / "stale").exists()
    sheet = contact_sheet(dataset, columns=3, rows=2, side=64, gap=2)
    assert sheet.size == (3 * 66 - 2, 2 * 66 - 2)
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 500


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"images": 0}, {"size": 10}])
def test_wrong_arguments_are_refused_and_nothing_is_written(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="need seed"):
        render_dataset(tmp_path / "raw", **wrong)
    assert not list(tmp_path.iterdir())

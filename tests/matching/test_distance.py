"""Instance matching distances: the authors' numbers, and what holds for any features."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.matching.distance import instance_cells, masked_nearest, mutual_nearest, nearest_distances, sampled_mask

GOLDENS = Path(__file__).parents[1] / "goldens" / "geoaware"
CASES = json.loads(gzip.decompress((GOLDENS / "pose_distance.json.gz").read_bytes()))
TOLERANCE = 1e-5  # absolute; relative for distances beyond 1


def golden_case(number: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the maps [c, 60, 60] and the masks of the source and of the target."""
    side = CASES[number]["mask_size"]
    with np.load(GOLDENS / "pose_distance.npz") as stored:
        maps = [stored[f"{number}/desc{i}"].astype(np.float32).T.reshape(-1, 60, 60) for i in (1, 2)]
        bits = [np.unpackbits(stored[f"{number}/mask{i}"])[: side * side] for i in (1, 2)]
    masks = [torch.from_numpy(b.reshape(side, side).astype(bool)) for b in bits]
    return [torch.from_numpy(m) for m in maps], masks


def between(maps, masks, zeros="far"):
    return masked_nearest(*(instance_cells(m, mask) for m, mask in zip(maps, masks, strict=True)), zeros)


def same(ours: float, theirs: float | None) -> None:
    assert ours == pytest.approx(float("nan") if theirs is None else theirs, abs=TOLERANCE, rel=0, nan_ok=True) or (
        theirs is not None and theirs > 1 and ours == pytest.approx(theirs, rel=TOLERANCE, abs=0)
    )


@pytest.mark.parametrize("number", CASES)
def test_the_authors_distances(number: str) -> None:
    case, (maps, masks) = CASES[number], golden_case(number)
    whole = [torch.ones_like(mask) for mask in masks]
    for zeros in ("far", "exclude"):
        same(between(maps, masks, zeros), case["dist_12"])
        same(between(maps[::-1], masks[::-1], zeros), case["dist_21"])
        same(between(maps, whole, zeros), case["dist_full_masks"])
    same(mutual_nearest(*maps), case["mnn_12"])
    same(mutual_nearest(*maps[::-1]), case["mnn_21"])
    if "n_src_mask_pixels_64" in case:
        assert int(sampled_mask(masks[0], 64).sum()) == case["n_src_mask_pixels_64"]


def test_the_authors_zeros() -> None:
    """Empty masks, and a block of exact zeros in one channel of the object."""
    case, (maps, masks) = CASES["0"], golden_case("0")
    none = torch.zeros_like(masks[0])
    same(between(maps, [none, masks[1]]), case["dist_empty_src_mask"])
    same(between(maps, [masks[0], none]), case["dist_empty_trg_mask"])
    holed = maps[0].clone()
    holed[0, 24:36, 20:32] = 0
    same(between([holed, maps[1]], masks), case["dist_zero_block"])
    assert between([holed, maps[1]], masks, "exclude") < 1


def test_the_default_has_no_distance_to_an_empty_instance() -> None:
    maps, masks = golden_case("0")
    none = torch.zeros_like(masks[0])
    assert np.isnan(between(maps, [masks[0], none], "exclude"))
    assert np.isnan(between(maps, [none, masks[1]], "exclude"))


@given(st.integers(0, 2**31 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.booleans())
def test_nearest_distances_are_those_of_a_full_table(seed, n, m, c, far_away):
    generator = torch.Generator().manual_seed(seed)
    queries, candidates = (torch.randn((k, c), generator=generator) + 50 * far_away for k in (n, m))
    table = (queries.double()[:, None] - candidates.double()[None]).norm(dim=2)
    torch.testing.assert_close(
        nearest_distances(queries, candidates).double(), table.amin(dim=1), atol=1e-4 if far_away else 1e-5, rtol=1e-5
    )


def test_many_queries_are_taken_in_chunks(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    queries, candidates = torch.randn((70, 8), generator=generator), torch.randn((30, 8), generator=generator)
    at_once = nearest_distances(queries, candidates)
    monkeypatch.setattr("geobench.matching.distance.CHUNK", 100)
    torch.testing.assert_close(nearest_distances(queries, candidates), at_once, atol=0, rtol=1e-6)


@given(st.integers(0, 2**31 - 1), st.integers(1, 12), st.integers(2, 12), st.integers(2, 12))
def test_an_image_is_at_no_distance_from_itself(seed, c, rows, columns):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn((c, rows, columns), generator=generator)
    mask = torch.rand((30, 20), generator=generator) < 0.5
    other = torch.randn((c, rows, columns), generator=generator)
    cells = instance_cells(features, mask | (torch.arange(20) == 3), 16)
    assert masked_nearest(cells, cells) == pytest.approx(0, abs=1e-7)
    assert mutual_nearest(features, features) == pytest.approx(0, abs=1e-7)
    assert masked_nearest(cells, instance_cells(other, mask | True, 16)) >= 0
    assert mutual_nearest(features, other) >= 0


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 64))
def test_a_mask_is_sampled_at_the_floor(rows, columns, resolution):
    numbers = torch.arange(rows * columns).reshape(rows, columns) % 3 == 0
    sampled = sampled_mask(numbers, resolution)
    for i in {0, resolution // 2, resolution - 1}:
        for j in {0, resolution - 1}:
            assert sampled[i, j] == numbers[int(i * rows / resolution), int(j * columns / resolution)]

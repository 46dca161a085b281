"""Parity with DIFT's own evaluation: the figures that its main() prints for stored predictions (goldens/matching)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geoaware_goldens import benchmark as build
from geoaware_goldens import same_counts, values

from geobench.benchmark import Benchmark, Pairs
from geobench.evaluation.pck import errors
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.scores import correct_keypoints, score, threshold_sizes
from geobench.instances import Instances
from geobench.skeleton import Skeleton

STORED = json.loads((Path(__file__).parents[1] / "goldens" / "matching" / "dift_eval.json").read_text("utf-8"))
DIFT = find_protocol("dift")


def spair_like() -> Benchmark:
    """Return the golden's pairs: each lists its own keypoints, so each end of a pair is an instance of its own."""
    pairs: list[dict[str, Any]] = STORED["pairs"]
    ends = [(pair, end) for pair in pairs for end in ("src", "trg")]
    width = max(len(pair["src_kps"]) for pair in pairs)
    points, flags = np.zeros((len(ends), width, 2)), np.zeros((len(ends), width), np.uint8)
    for row, (pair, end) in enumerate(ends):
        points[row, : len(pair[f"{end}_kps"])], flags[row, : len(pair[f"{end}_kps"])] = pair[f"{end}_kps"], 2
    corners = np.array([pair[f"{end}_bndbox"] for pair, end in ends])
    table = Instances.from_columns(
        id=[str(row) for row in range(len(ends))],
        image=[pair[f"{end}_imname"] for pair, end in ends],
        size=np.array([pair[f"{end}_imsize"][:2] for pair, end in ends]),
        bbox=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        category=[pair["category"] for pair, _ in ends],
        keypoints=points,
        visibility=flags,
    )
    rows = np.arange(0, len(ends), 2, dtype=np.int32)
    skeleton = Skeleton(tuple(f"keypoint {number}" for number in range(width)))
    split = Pairs(rows, rows + 1, np.array([pair["category"] for pair in pairs]))
    return build("dift", {"*": skeleton}, table, {"test": split})


def printed() -> dict[tuple[str, str], float]:
    """Return (category or "all", average) -> the percentage that the authors' script printed."""
    found = {}
    for line in STORED["stdout"]:
        match = re.fullmatch(r"(\w+) per (image|point) PCK@0\.1: ([\d.]+)", line)
        assert match, line
        found[match[1].lower(), f"per_{match[2]}"] = float(match[3])
    return found


def test_every_keypoint_and_every_printed_figure() -> None:
    benchmark = spair_like()
    pairs = benchmark.split("test")
    asked = queries(benchmark, pairs, DIFT)
    stored = np.concatenate([np.array(pair["pred_xy"], np.float32) for pair in STORED["pairs"]])
    marks = correct_keypoints(benchmark, DIFT, asked, stored)[:, 0]
    assert marks.tolist() == [mark for pair in STORED["pairs"] for mark in pair["correct_0.1"]]
    sizes = threshold_sizes(benchmark, DIFT)[pairs.target]
    assert sizes.tolist() == [pair["threshold_full_bbox_max"] for pair in STORED["pairs"]]
    scores = score(benchmark, pairs, Predictions.of(asked, stored), DIFT)
    assert len(printed()) == 6
    for (scope, metric), theirs in printed().items():
        value, n = values(scores, scope if scope == "all" else f"category:{scope}", "all", metric)
        assert 100 * value[0] == pytest.approx(theirs, abs=0.005)
        if metric == "per_point":
            same_counts((value, n), [float(np.rint(theirs * n / 100)) / n], n)


def test_a_ratio_decides_ties_otherwise_than_a_product() -> None:
    """The reason for ``arithmetic = "ratio"``: 0.1 * 3 is within 0.1 * 3, but as a ratio, a hair above 0.1."""
    sizes = np.arange(1, 3000, dtype=np.float64)
    distance = errors(np.stack([sizes, 0 * sizes], 1), np.zeros((len(sizes), 2)), np.full((len(sizes), 2), 0.1))
    by_ratio, by_product = distance / sizes <= 0.1, distance <= 0.1 * sizes
    assert by_product.all()
    assert not by_ratio.all()

"""What each protocol asks: direction, whole pixels, occluded keypoints, order."""

from __future__ import annotations

from typing import Any

import numpy as np
from random_benchmarks import frame_of, random_benchmark

from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries

DEFAULT = find_protocol("default")


class TestQueries:
    def test_backwards_asks_the_target(self) -> None:
        benchmark, cats = random_benchmark(3), find_protocol("cats")
        pairs = benchmark.split("test")
        asked = queries(benchmark, pairs, cats)
        np.testing.assert_array_equal(asked.query_row, pairs.target)
        np.testing.assert_array_equal(asked.answer_row, pairs.source)
        np.testing.assert_array_equal(
            asked.truth, benchmark.instances.keypoints[pairs.source[asked.pair], asked.keypoint]
        )

    def test_cats_asks_at_whole_pixels_inside_its_frame(self) -> None:
        benchmark, cats = random_benchmark(3), find_protocol("cats")
        outside: Any = benchmark.instances.keypoints
        outside[0, :, 0] = benchmark.instances.width[0] + 3  # beyond the border
        asked = queries(benchmark, benchmark.split("test"), cats)
        rows = asked.query_row[asked.pair]
        size = np.stack([benchmark.instances.width, benchmark.instances.height], axis=1)[rows]
        in_frame = asked.points.astype(float) * 256 / size
        np.testing.assert_allclose(in_frame, np.rint(in_frame), atol=1e-4)
        assert in_frame.min() >= -1e-4
        assert in_frame.max() <= 255 + 1e-4
        true = benchmark.instances.keypoints[rows, asked.keypoint] * 256 / size
        np.testing.assert_allclose(in_frame, np.clip(np.floor(true + 1e-6), 0, 255), atol=1e-3)

    def test_occluded_points_are_halved_in_the_frame(self) -> None:
        benchmark, halved = random_benchmark(3), find_protocol("geoaware-sc")
        pairs = benchmark.split("test")
        plain, asked = queries(benchmark, pairs, DEFAULT), queries(benchmark, pairs, halved)
        for ours, given_, rows in (
            (asked.points, plain.points, asked.query_row),
            (asked.truth, plain.truth, asked.answer_row),
        ):
            table = benchmark.instances
            occluded = table.visibility[rows[asked.pair], asked.keypoint] == 1
            assert occluded.any()
            np.testing.assert_array_equal(ours[~occluded], given_[~occluded])
            for row in np.flatnonzero(occluded):
                owner = rows[asked.pair[row]]
                sx, sy, ox, oy = frame_of(halved, int(table.width[owner]), int(table.height[owner]))
                wanted = (given_[row] * (sx, sy) + (ox, oy)) / 2
                np.testing.assert_allclose(ours[row] * (sx, sy) + (ox, oy), wanted, atol=1e-3)

    def test_rows_are_sorted_and_mutually_visible(self) -> None:
        benchmark = random_benchmark(5)
        pairs = benchmark.split("test")
        asked = queries(benchmark, pairs, DEFAULT)
        np.testing.assert_array_equal(
            np.argwhere(pairs.mutual(benchmark)), np.stack([asked.pair, asked.keypoint], axis=1)
        )

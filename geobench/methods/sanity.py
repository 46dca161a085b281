"""Sanity baselines: they look at no pixel, bound every table from both ends, and expose a wrong frame at once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from geobench.picture import Picture

Box = tuple[float, float, float, float]


class Oracle:
    """Answers with the truth: 100 % at every threshold, or the evaluation is wrong."""

    name = "oracle"
    title = "Oracle"
    setting = "sanity check, knows the truth"
    knows_truth = True

    def describe(self, picture: Picture) -> None:
        """Return nothing; the oracle needs no image."""

    def match(  # every method's match takes these, used or not
        self,
        source: None,
        target: None,
        points: Float[Tensor, "n 2"],
        truth: Float[Tensor, "n 2"],
    ) -> Float[Tensor, "n 2"]:
        """Return ``truth``, (x, y) in pixels of the target image."""
        return truth


class SamePosition:
    """Answers with the same relative position in the image."""

    name = "same-position"
    title = "Same position in the image"
    setting = "sanity check"

    def describe(self, picture: Picture) -> Box:
        """Return the frame of the whole image, (x, y, width, height) in pixels."""
        return (0.0, 0.0, float(picture.size[0]), float(picture.size[1]))

    def match(self, source: Box, target: Box, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return the points carried from one frame to the other, (x, y) in pixels of the target image."""
        return carry(source, target, points)


class BoxPosition(SamePosition):
    """Answers with the same relative position in the box of the instance."""

    name = "box-position"
    title = "Same position in the box"
    setting = "sanity check, knows the boxes"

    def describe(self, picture: Picture) -> Box:
        """Return the box of the instance, (x, y, width, height) in pixels."""
        return picture.box


class Random:
    """Answers with a point drawn uniformly from the target's box.

    The answer depends on ``seed``, the keys of the two pictures and the query point alone: never on what was asked
    before, on the other points, or on their order.
    """

    name = "random"
    title = "Random point in the box"
    setting = "sanity check, knows the boxes"

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def describe(self, picture: Picture) -> tuple[str, Box]:
        """Return the picture's key and the box of the instance, (x, y, width, height) in pixels."""
        return picture.key, picture.box

    def match(self, source: tuple[str, Box], target: tuple[str, Box], points: Float[Tensor, "n 2"]) -> np.ndarray:
        """Return one random point per row of ``points``, (x, y) in pixels of the target image, [n, 2]."""
        words = "\x00".join([source[0], target[0], str(self.seed)])
        pair = np.frombuffer(hashlib.sha256(words.encode()).digest()[:8], "<u8")
        bits = np.ascontiguousarray(points.numpy(), "<f4").view("<u4").astype(np.uint64)
        state = _mix(pair ^ (bits[:, 0] << np.uint64(32) | bits[:, 1]))
        unit = np.stack([_mix(state), _mix(~state)], axis=1) >> np.uint64(11)
        box = np.asarray(target[1], np.float64)
        return (box[:2] + unit * 2.0**-53 * box[2:]).astype(np.float32)


def _mix(state: np.ndarray) -> np.ndarray:
    """Return 64-bit words scrambled by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), each on its own."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = state ^ (state >> np.uint64(31))
    return mixed


def carry(source: Box, target: Box, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Return points at the same relative position in another frame; a frame is (x, y, width, height) in pixels.

    A frame without width or height counts as one pixel wide or high there.
    """
    (x0, y0, w0, h0), (x1, y1, w1, h1) = source, target
    scale = points.new_tensor([w1 / (w0 or 1.0), h1 / (h0 or 1.0)])
    return (points - points.new_tensor([x0, y0])) * scale + points.new_tensor([x1, y1])

"""Counts dense flow as the authors of TSS do: the share of foreground pixels that land right, and the overlap of masks.

Source: the evaluation kit of Taniai, Sinha and Sato (CVPR 2016), t-taniai/TSS_CVPR2016_EvaluationKit at e7b9e3d,
EvalToolVC/EvalTool/main.cpp (``compute_score``, ``computeMaskFromFlow``) and CvUtils.h. Displacements are (u, v) in
pixels, one for each pixel of the image that they start in.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from geobench.evaluation.pck import correct
from geobench.evaluation.protocol import Protocol
from geobench.flow_file import known_pixels

CONSISTENT = 20.0
"""Pixels by which there and back may miss the start for a pixel to count as foreground (main.cpp: 20)."""


def pixel_centres(width: int, height: int) -> Float32[np.ndarray, "n 2"]:
    """Return (x, y) of the centres of all pixels, row by row; pixel centres are at .5."""
    rows, columns = np.divmod(np.arange(width * height), width)
    return np.stack([columns, rows], axis=1).astype(np.float32) + np.float32(0.5)


def flow_hits(
    flow: Float32[np.ndarray, "h w 2"], truth: Float32[np.ndarray, "h w 2"], size: float, protocol: Protocol
) -> tuple[Int64[np.ndarray, " a"], int]:
    """Return how many pixels of known truth end within each alpha times ``size`` of it, and how many these pixels are.

    Args:
        flow: predicted; NaN counts as wrong.
        truth: as the dataset has it; it is known on the foreground alone.
        size: what alpha multiplies, in pixels.
        protocol: alphas, comparison and arithmetic.
    """
    known = known_pixels(truth)
    missed = (flow[known] - truth[known]).astype(np.float64)
    distance = np.sqrt((missed**2).sum(axis=1))
    marks = correct(distance, np.full(len(distance), size), protocol.alphas, protocol.comparison, protocol.arithmetic)
    return marks.sum(axis=0, dtype=np.int64), len(distance)


def foreground(there: Float32[np.ndarray, "h w 2"], back: Float32[np.ndarray, "g v 2"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels that come back to within :data:`CONSISTENT` pixels: the mask of a method that makes none.

    ``back`` is read by bilinear interpolation where ``there`` leads; outside of the other image nothing comes back.

    Args:
        there: flow from this image to the other one.
        back: flow from the other image, of its own size, to this one.
    """
    height, width = there.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = columns + there[..., 0].astype(np.float64), rows + there[..., 1].astype(np.float64)
    returned, inside = bilinear(back, x, y)
    missed = np.sqrt(((there + returned) ** 2).sum(axis=2))
    return inside & (missed < CONSISTENT)


def bilinear(
    values: Float32[np.ndarray, "h w c"], x: Float64[np.ndarray, "*shape"], y: Float64[np.ndarray, "*shape"]
) -> tuple[Float64[np.ndarray, "*shape c"], Bool[np.ndarray, "*shape"]]:
    """Return ``values`` at places between pixels, and which places are inside; values outside mean nothing.

    Args:
        values: one row of numbers per pixel.
        x: column, whole at the pixels' centres.
        y: row, whole at the pixels' centres.
    """
    height, width = values.shape[:2]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)  # also false for NaN
    x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[..., None], (y - top)[..., None]
    upper = values[top, left] * (1 - across) + values[top, right] * across
    lower = values[bottom, left] * (1 - across) + values[bottom, right] * across
    return upper * (1 - down) + lower * down, inside


def overlap(found: Bool[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> tuple[int, int]:
    """Return the sizes in pixels of the intersection and of the union of two masks."""
    return int((found & truth).sum()), int((found | truth).sum())

"""Two periodic noise tiles, made once and looked up by everything that needs texture."""

from __future__ import annotations

from functools import cache

import numpy as np

from geobench.builders.synthetic.raycast import Array

SIDE = 256
"""Samples along one side of a tile; one unit of a lookup coordinate is one period."""


@cache
def cloud_tile(roughness: float = 1.4) -> Array:
    """Return a tile [256, 256] of fractal noise with values in 0..1 and mean 0.5.

    Amplitude falls with frequency to the power of −``roughness``: 1.4 looks like clouds, 3 like hills.
    """
    rng = np.random.Generator(np.random.PCG64(1))
    frequency = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(frequency[:, None], frequency[None, :])
    amplitude = np.where(radius >= 3, np.maximum(radius, 1.0) ** -roughness, 0.0)
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIDE, SIDE))) * amplitude).real
    return np.asarray(np.clip(0.5 + 0.22 * field / field.std(), 0.0, 1.0))


@cache
def cell_tiles(cells: int = 12) -> tuple[Array, Array]:
    """Return the distances [256, 256] to the nearest and second nearest of ``cells``² jittered points.

    Distances are in cell sides (cellular noise, Worley 1996).
    """
    rng = np.random.Generator(np.random.PCG64(2))
    corner = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), axis=-1).reshape(-1, 2)
    points = (corner + 0.5 + 0.7 * (rng.random((cells * cells, 2)) - 0.5)) * (SIDE / cells)
    grid = np.arange(SIDE) + 0.5
    away = np.abs(grid[:, None] - points[:, :1].T), np.abs(grid[:, None] - points[:, 1:].T)
    wrapped = [np.minimum(d, SIDE - d) ** 2 for d in away]
    two = np.empty((SIDE, SIDE, 2))
    for row in range(SIDE):  # One row at a time: all at once would take 75 MB.
        squared = wrapped[0] + wrapped[1][row]
        two[row] = np.sqrt(np.partition(squared, 1, axis=-1)[:, :2]) * (cells / SIDE)
    return np.ascontiguousarray(two[..., 0]), np.ascontiguousarray(two[..., 1])


def lookup(tile: Array, u: Array, v: Array) -> Array:
    """Return ``tile`` at (``u``, ``v``), in periods, interpolated bilinearly; same shape as ``u``."""
    x, y = u * SIDE - 0.5, v * SIDE - 0.5
    column, row = np.floor(x), np.floor(y)
    right, low = x - column, y - row
    c0, r0 = column.astype(np.int64), row.astype(np.int64)
    # SIDE is a power of two, so masking wraps negative numbers too.
    c1, r1 = (c0 + 1) & (SIDE - 1), ((r0 + 1) & (SIDE - 1)) * SIDE
    c0, r0 = c0 & (SIDE - 1), (r0 & (SIDE - 1)) * SIDE
    flat = tile.ravel()
    top = flat[r0 + c0] * (1 - right) + flat[r0 + c1] * right
    bottom = flat[r1 + c0] * (1 - right) + flat[r1 + c1] * right
    return np.asarray(top + low * (bottom - top))


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Return 0 below ``low``, 1 above ``high`` and a smooth ramp between; ``low > high`` turns it round."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))

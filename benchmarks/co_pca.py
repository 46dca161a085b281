"""How long co-PCA takes per pair: 1280 channels on 15 x 15 and 30 x 30 cells, 640 on 60 x 60, 256 axes of each.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/co_pca.py

One thread, which holds for torch and for SciPy's LAPACK: threads that wait for a neighbour's count as CPU seconds, too.

Four ways, joined on 60 x 60 cells in the end: the exact axes with what is known of each image kept, as in an
evaluation, where an image takes part in many pairs; the same for images met for the first time; the exact axes by a
singular value decomposition of all vectors of the pair, the straightforward way; and ``torch.pca_lowrank``, which the
authors call. The first three must give the same inner products.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

import torch

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.matching.co_pca import Sample, co_pca, joined_in_steps

LEVELS = ((640, 60), (1280, 30), (1280, 15))
FRAME = Letterbox.pad((960, 960), 960)


def example(seed: int) -> list[FeatureMap]:
    """Return three levels whose principal axes fall off as a power law, as those of natural images do."""
    generator = torch.Generator().manual_seed(seed)
    maps = []
    for channels, side in LEVELS:
        falling = torch.arange(1, channels + 1.0)[:, None, None] ** -0.5
        maps.append(FeatureMap(torch.randn(channels, side, side, generator=generator) * falling + 1, FRAME))
    return maps


def samples(maps: Sequence[FeatureMap]) -> list[Sample]:
    """Return levels of which nothing is known yet."""
    return [Sample(level) for level in maps]


def straightforward(first: Sequence[FeatureMap], second: Sequence[FeatureMap]) -> tuple[FeatureMap, FeatureMap]:
    """Return the pair reduced by a singular value decomposition of all its vectors."""
    sides: tuple[list[FeatureMap], list[FeatureMap]] = ([], [])
    for a, b in zip(first, second, strict=True):
        vectors = torch.cat([a.columns, b.columns], dim=1).T
        centred = vectors - vectors.mean(dim=0, keepdim=True)
        scores = (centred @ torch.linalg.svd(centred, full_matrices=False)[2][:256].T).T
        for side, part in zip(sides, scores.tensor_split(2, dim=1), strict=True):
            side.append(FeatureMap(part.reshape(-1, *a.features.shape[1:]), FRAME))
    return joined_in_steps(sides[0]), joined_in_steps(sides[1])


def best_of(times: int, call: Callable[[], object]) -> float:
    """Return the least CPU seconds of some calls."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    """Time the four and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    first, second = example(0), example(1)
    known = samples(first), samples(second)
    ways = {
        "exact, images known": lambda: co_pca(*known, [256] * 3),
        "exact, images new": lambda: co_pca(samples(first), samples(second), [256] * 3),
        "exact, by SVD of all vectors": lambda: straightforward(first, second),
        "torch.pca_lowrank": lambda: co_pca(*known, [256] * 3, "lowrank"),
    }
    products = [a.columns[:, ::37].T @ b.columns for a, b in (ways[name]() for name in list(ways)[:3])]
    assert all(torch.allclose(products[0], other, atol=1e-3 * float(products[0].abs().max())) for other in products[1:])
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}; the exact ways agree")
    seconds = {name: best_of(3, way) for name, way in ways.items()}
    for name, spent in seconds.items():
        print(f"{name:30}{spent * 1e3:8.0f} CPU ms per pair, {spent / seconds['exact, images known']:5.2f}")


if __name__ == "__main__":
    main()

"""How long KAP's intervals take: samples of SPair-71k's size, 10,000 draws of target images.

    .venv/bin/python benchmarks/presence.py [--images 100]

12,234 pairs of 18 categories, about 88,000 keypoints asked for, three alphas: random samples, seeded; without a method.
The reference, in the same run, builds the samples of some draws one by one and takes the average precision of each
category, as the figure itself is defined; it is checked to give the same, and counted for 10,000 draws.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from geobench.benchmark import Pairs
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.presence import Samples, average_precision
from geobench.evaluation.presence_intervals import resample_pools
from geobench.evaluation.presence_pools import Pool
from geobench.evaluation.presence_scores import presence_table

PAIRS, CATEGORIES, ALPHAS = 12_234, 18, (0.01, 0.05, 0.1)
ONE_BY_ONE = 5  # draws of the reference


def sampled(rng: np.random.Generator, asked: int, visible: int) -> Samples:
    """Return the samples of one pair: the greater alpha, the greater the positives."""
    positive = rng.beta(6, 2, (3, visible)) * np.array([0.8, 0.95, 1])[:, None]
    return positive, rng.beta(6, 2, (3, asked))


def one_by_one(
    samples: list[Samples], category: np.ndarray, asked: np.ndarray, image: np.ndarray, bootstrap: Bootstrap
) -> np.ndarray:
    """Return KAP per point [alphas, draws] of the first draws, every sample of a draw there as often as it counts."""
    images, place = np.unique(image[asked > 0], return_inverse=True)
    generator, found = bootstrap.generator("all"), []
    for drawn in generator.integers(0, len(images), (bootstrap.resamples, len(images)))[:ONE_BY_ONE]:
        times = np.zeros(len(image), np.int64)
        times[asked > 0] = np.bincount(drawn, minlength=len(images))[place]
        values, weights = [], []
        for code in range(CATEGORIES):
            rows = np.repeat(np.flatnonzero(category == code), times[category == code]).tolist()
            sides = [np.concatenate([samples[row][side] for row in rows], axis=1) for side in (0, 1)]
            values.append([average_precision(*both) for both in zip(*sides, strict=True)])
            weights.append(asked[rows].sum())
        found.append(np.average(values, axis=0, weights=weights))
    return np.array(found).T


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100, help="Target images of each category.")
    n = parser.parse_args().images
    rng = np.random.default_rng(0)
    category = np.sort(rng.integers(0, CATEGORIES, PAIRS))
    image = category * n + rng.integers(0, n, PAIRS)
    asked = rng.binomial(30, 7.2 / 30, PAIRS).astype(np.int64)
    samples = [sampled(rng, *both) for both in zip(asked.tolist(), rng.binomial(asked, 0.7).tolist(), strict=True)]
    rows = image.astype(np.int32)
    pairs = Pairs(rows, rows, np.array([f"category {code:02d}" for code in category]))
    print(f"{PAIRS:,} pairs, {asked.sum():,} keypoints asked for, {len(np.unique(image)):,} images")
    bootstrap = Bootstrap()
    for what, settings in (("KAP", None), (f"KAP, {bootstrap.resamples:,} resamples", bootstrap)):
        used = time.process_time()
        presence_table(pairs, samples, asked, image, ALPHAS, settings)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{what}: {time.process_time() - used:.1f} s CPU; peak memory so far {peak:.0f} MiB", flush=True)
    pools = [
        Pool.of(
            [samples[row] for row in np.flatnonzero(category == code)],
            *(a[category == code] for a in (asked, image)),
            3,
        )
        for code in range(CATEGORIES)
    ]
    used = time.process_time()
    ours = resample_pools(pools, bootstrap, "all").replicates[0]
    quick, used = time.process_time() - used, time.process_time()
    slow = one_by_one(samples, category, asked, image, bootstrap)
    each = (time.process_time() - used) / ONE_BY_ONE
    np.testing.assert_allclose(ours[:, :ONE_BY_ONE], slow, atol=1e-9)
    whole = each * bootstrap.resamples
    print(f"one by one: {each:.2f} s CPU a draw of all pairs, the same figures; {whole:,.0f} s for all draws")
    print(f"ratio: {whole / quick:.0f} times less CPU than one by one ({quick:.1f} s, the jackknife included)")


if __name__ == "__main__":
    main()

"""How often a 95% interval holds the truth: simulated samples of pairs that share target and source images.

    .venv/bin/python benchmarks/interval_coverage.py [--samples 400] [--resamples 400]

60 target images with 7 or 8 pairs each, whose sources are drawn among 60 others; 7 keypoints a pair. An image is easy
or hard for all its pairs, as target (standard deviation 1 on the logit scale) and, times `share`, as source. The truth
is the mean over other images of the same kind. Compared: pairs drawn as if they shared nothing, target images drawn,
and target and source images drawn. Prints the table of docs/statistics.md.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import expit

from geobench.evaluation.bootstrap import resample
from geobench.evaluation.intervals import interval
from geobench.evaluation.ratios import Ratios, by_image
from geobench.evaluation.scopes import Scopes

TARGETS = SOURCES = 60
POINTS = 7
SHARES = {"not at all": 0.0, "half as much as target images": 0.5, "as much as target images": 1.0}
WAYS = ("pairs", "target images", "both images")


def sample(rng: np.random.Generator, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the correct share of each pair, and its (target, source) images."""
    ease, source_ease = rng.normal(0, 1, TARGETS), rng.normal(0, share, SOURCES)
    target = np.repeat(np.arange(TARGETS), rng.integers(7, 9, TARGETS))
    source = rng.integers(0, SOURCES, len(target))
    correct = rng.binomial(POINTS, expit(ease[target] + source_ease[source]))
    return correct / POINTS, np.column_stack([target, source])


def units(way: str, shares: np.ndarray, images: np.ndarray) -> Ratios:
    """Return what is drawn."""
    pairs = Ratios(shares[:, None, None], np.ones((len(shares), 1)))
    if way == "pairs":
        return pairs
    whole = Scopes(["all"], np.zeros(len(shares), np.int64))
    return by_image(pairs, whole, images[:, : 1 if way == "target images" else 2])[0]


def coverage(share: float, samples: int, resamples: int) -> dict[str, float]:
    """Return how often the truth, 0.5 by symmetry, lies in the interval, for each of :data:`WAYS`."""
    rng, held = np.random.default_rng(0), dict.fromkeys(WAYS, 0)
    for _ in range(samples):
        shares, images = sample(rng, share)
        for way in WAYS:
            low, high = interval(resample(units(way, shares, images), resamples, rng), "bca", 0.95)
            held[way] += bool(low[0, 0] <= 0.5 <= high[0, 0])
    return {way: count / samples for way, count in held.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=400)
    asked = parser.parse_args()
    print(f"95% intervals that hold the truth, {asked.samples} samples, {asked.resamples} resamples, BCa")
    print("| source images matter | " + " | ".join(f"{way} drawn" for way in WAYS) + " |")
    for name, share in SHARES.items():
        found = coverage(share, asked.samples, asked.resamples)
        print(f"| {name} | " + " | ".join(f"{100 * found[way]:.0f}%" for way in WAYS) + " |", flush=True)


if __name__ == "__main__":
    main()

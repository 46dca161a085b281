"""Invented species to train on: proportions and coats drawn at random, none close to one of the embedded benchmark.

The embedded benchmark draws its scenes from seeds (0, image number); the generators here start from another entropy,
so that no individual, pose, camera or place is shared either.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from geobench.builders.synthetic.body import Shape
from geobench.builders.synthetic.coat import Coat, Colour
from geobench.builders.synthetic.habitat import HABITATS
from geobench.builders.synthetic.species import SPECIES, Species

ENTROPY = 20261125
"""First word of every seed of the training set; the embedded benchmark's is 0."""

MARGIN = 0.12
"""Least mean difference of an invented species' proportions to any embedded one, relative to their ranges."""

RANGES: dict[str, tuple[float, float]] = {
    "leg": (0.65, 1.5), "upper_leg": (0.085, 0.15), "lower_leg": (0.035, 0.075), "foot": (0.045, 0.085),
    "depth": (0.22, 0.37), "width": (0.16, 0.28), "tuck": (0.6, 1.08), "stance": (0.11, 0.18), "neck": (0.2, 1.2),
    "neck_pitch": (0.2, 1.1), "neck_base": (0.14, 0.24), "neck_top": (0.085, 0.165), "head": (0.33, 0.62),
    "head_pitch": (-0.8, 0.0), "head_width": (0.1, 0.17), "muzzle": (0.045, 0.105), "ear": (0.07, 0.24),
    "ear_width": (0.038, 0.09), "ear_tilt": (0.2, 2.3), "eye": (0.024, 0.038), "horn": (0.1, 0.55),
    "horn_curve": (0.0, 0.8), "mane": (0.05, 0.09), "tail": (0.2, 1.0), "tail_pitch": (-1.4, 0.5),
    "tail_base": (0.03, 0.075), "tail_tip": (0.018, 0.11), "tuft": (0.04, 0.065),
}  # fmt: skip
"""Bounds of every proportion, body units and radians as in ``Shape``."""

_ABSENT = {"horn": 0.35, "mane": 0.35, "tuft": 0.4}
"""Chance that a species has the part at all."""

_PATTERNS = (("plain", 0.2, 0.4), ("stripes", 0.12, 0.22), ("spots", 0.7, 1.3), ("patches", 0.4, 0.9),
             ("mottle", 0.4, 0.8), ("net", 0.45, 0.8))  # fmt: skip


def invented_species(number: int, entropy: int = ENTROPY) -> Species:
    """Return invented species ``number`` (0 or more): the same for the same number and entropy.

    Drawn again until it is at least ``MARGIN`` away from all species of the embedded benchmark.
    """
    rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(0, number)))
    while True:
        shape = _shape(rng)
        if min(difference(shape, kind.shape) for kind in SPECIES) >= MARGIN:
            break
    habitats = tuple(rng.permutation(sorted(HABITATS)).tolist()[:3])
    # Cattle and horses graze: the family decides on poses and on nothing else.
    family = "Bovidae" if rng.random() < 0.5 else "Invented"
    return Species(f"invented-{number}", family, 0, shape, _coat(rng), habitats)


def difference(one: Shape, other: Shape) -> float:
    """Return the mean difference of two animals' proportions, each relative to its range in ``RANGES``."""
    a, b = asdict(one), asdict(other)
    return float(np.mean([min(abs(a[name] - b[name]) / (high - low), 1.0) for name, (low, high) in RANGES.items()]))


def _shape(rng: np.random.Generator) -> Shape:
    drawn = {name: float(rng.uniform(low, high)) for name, (low, high) in RANGES.items()}
    for name, chance in _ABSENT.items():
        if rng.random() >= chance:
            drawn[name] = 0.0
    drawn["muzzle"] = min(drawn["muzzle"], 0.22 * drawn["head"])  # a longer one has no room for its solids
    return Shape(**drawn, hoof=bool(rng.random() < 0.5))


def _coat(rng: np.random.Generator) -> Coat:
    pattern, low, high = _PATTERNS[rng.integers(len(_PATTERNS))]
    base = _colour(rng)
    some = {name: _colour(rng) for name in ("muzzle", "ear", "foot", "mane", "tail", "tuft", "band", "blaze")
            if rng.random() < 0.4}  # fmt: skip
    lighter = tuple(float(0.4 * value + 0.6 * rng.uniform(0.7, 1.0)) for value in base)
    return Coat(
        base, (lighter[0], lighter[1], lighter[2]) if rng.random() < 0.7 else base, pattern=pattern, ink=_colour(rng),
        scale=float(rng.uniform(low, high)), share=float(rng.uniform(0.15, 0.5)),
        socks=float(rng.uniform(0.15, 0.5)) if rng.random() < 0.4 else 0.0, sock=_colour(rng), horn=_colour(rng),
        nose=_colour(rng) if rng.random() < 0.5 else (0.1, 0.09, 0.09), eye=_colour(rng, 0.5), **some,
    )  # fmt: skip


def _colour(rng: np.random.Generator, most: float = 0.95) -> Colour:
    """Return an earthy colour: a brightness, warmed or cooled a little; now and then any colour."""
    if rng.random() < 0.15:
        red, green, blue = rng.uniform(0.05, most, 3)
    else:
        red, green, blue = rng.uniform(0.06, most) * np.array([1.0, rng.uniform(0.55, 1.0), rng.uniform(0.3, 1.0)])
    return float(red), float(green), float(blue)

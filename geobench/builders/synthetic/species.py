"""Families and species: proportions, coats and numbers of images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from geobench.builders.synthetic.body import Shape
from geobench.builders.synthetic.coat import Coat


@dataclass(frozen=True)
class Species:
    """One species; ``images`` is its number of usable images at full size."""

    name: str
    family: str
    images: int
    shape: Shape
    coat: Coat
    habitats: tuple[str, ...] = field(default=("meadow",))


# fmt: off
_CAT = Shape(
    leg=0.78, upper_leg=0.105, lower_leg=0.052, foot=0.062, depth=0.235, width=0.185, tuck=0.85, stance=0.125,
    neck=0.22, neck_pitch=0.65, neck_base=0.165, neck_top=0.13, head=0.37, head_pitch=-0.12, head_width=0.165,
    muzzle=0.066, ear=0.155, ear_width=0.082, ear_tilt=0.42, eye=0.036, tail=0.85, tail_pitch=-0.35, tail_base=0.048,
    tail_tip=0.036,
)
_BIG_CAT = replace(
    _CAT, leg=0.84, depth=0.265, width=0.2, neck=0.3, neck_base=0.19, head=0.42, head_width=0.165, muzzle=0.082,
    ear=0.085, ear_width=0.062, ear_tilt=0.65, eye=0.026, upper_leg=0.125, lower_leg=0.066, foot=0.082,
)
_DOG = Shape(
    leg=0.92, muzzle=0.075, head=0.46, head_width=0.145,
)
_HORSE = Shape(
    leg=1.18, upper_leg=0.125, lower_leg=0.048, foot=0.062, hoof=True, depth=0.31, width=0.215, tuck=0.9, stance=0.14,
    neck=0.66, neck_pitch=0.85, neck_base=0.215, neck_top=0.115, head=0.6, head_pitch=-0.72, head_width=0.125,
    muzzle=0.083, ear=0.15, ear_width=0.042, ear_tilt=0.22, eye=0.026, mane=0.075, tail=0.85, tail_pitch=-1.15,
    tail_base=0.055, tail_tip=0.075,
)
_COW = Shape(
    leg=0.93, upper_leg=0.125, lower_leg=0.055, foot=0.068, hoof=True, depth=0.345, width=0.265, tuck=1.05,
    stance=0.175, neck=0.42, neck_pitch=0.4, neck_base=0.225, neck_top=0.145, head=0.54, head_pitch=-0.48,
    head_width=0.145, muzzle=0.1, ear=0.19, ear_width=0.055, ear_tilt=1.45, eye=0.027, horn=0.17, horn_curve=0.75,
    tail=0.85, tail_pitch=-1.35, tail_base=0.034, tail_tip=0.02, tuft=0.05,
)
_ANTELOPE = Shape(
    leg=1.08, upper_leg=0.098, lower_leg=0.036, foot=0.045, hoof=True, depth=0.255, width=0.17, tuck=0.8,
    stance=0.115, neck=0.5, neck_pitch=0.95, neck_base=0.15, neck_top=0.088, head=0.42, head_pitch=-0.42,
    head_width=0.108, muzzle=0.06, ear=0.19, ear_width=0.055, ear_tilt=0.85, eye=0.03, horn=0.52, horn_curve=0.16,
    tail=0.28, tail_pitch=-1.05, tail_base=0.035, tail_tip=0.03,
)
_GIRAFFE = Shape(
    leg=1.65, upper_leg=0.13, lower_leg=0.055, foot=0.072, hoof=True, depth=0.32, width=0.215, tuck=0.8, stance=0.15,
    neck=1.4, neck_pitch=1.02, neck_base=0.2, neck_top=0.105, head=0.52, head_pitch=-0.35, head_width=0.12,
    muzzle=0.072, ear=0.17, ear_width=0.05, ear_tilt=1.05, eye=0.03, horn=0.14, horn_curve=0.0, mane=0.06, tail=0.75,
    tail_pitch=-1.25, tail_base=0.04, tail_tip=0.018, tuft=0.06,
)

SPECIES: tuple[Species, ...] = (
    Species(
        "cat", "Felidae", 62, _CAT,
        Coat(
            (0.62, 0.6, 0.58), (0.9, 0.88, 0.85), pattern="stripes", ink=(0.3, 0.29, 0.3), scale=0.13, share=0.38,
            nose=(0.8, 0.52, 0.5), eye=(0.45, 0.62, 0.2), socks=0.16, muzzle=(0.88, 0.86, 0.83),
        ),
        ("meadow", "autumn"),
    ),
    Species(
        "tiger", "Felidae", 34, _BIG_CAT,
        Coat(
            (0.86, 0.49, 0.15), (0.97, 0.93, 0.86), pattern="stripes", ink=(0.09, 0.07, 0.06), scale=0.19, share=0.36,
            nose=(0.72, 0.42, 0.4), muzzle=(0.96, 0.92, 0.86), tuft=(0.1, 0.08, 0.07),
        ),
        ("forest", "meadow", "snow"),
    ),
    Species(
        "cheetah", "Felidae", 32,
        replace(
            _BIG_CAT, leg=1.0, depth=0.25, tuck=0.62, width=0.165, lower_leg=0.05, upper_leg=0.105, foot=0.062,
            head=0.34, head_width=0.13, muzzle=0.06, neck_base=0.155, neck_top=0.11, tail=0.95,
        ),
        Coat(
            (0.87, 0.7, 0.4), (0.97, 0.93, 0.84), pattern="spots", ink=(0.12, 0.09, 0.07), scale=1.05, share=0.3,
            muzzle=(0.93, 0.85, 0.7), tuft=(0.15, 0.12, 0.1),
        ),
        ("savanna", "desert"),
    ),
    Species(
        "dog", "Canidae", 36,
        replace(
            _DOG, ear=0.2, ear_width=0.07, ear_tilt=2.2, tail_pitch=0.45, tail=0.5,
        ),
        Coat(
            (0.6, 0.38, 0.2), (0.9, 0.84, 0.74), pattern="patches", ink=(0.95, 0.93, 0.88), scale=0.55, share=0.42,
            muzzle=(0.9, 0.86, 0.78), ear=(0.42, 0.25, 0.13), socks=0.22, tuft=(0.95, 0.93, 0.88),
        ),
        ("meadow", "autumn"),
    ),
    Species(
        "fox", "Canidae", 32,
        replace(
            _DOG, leg=0.76, depth=0.235, width=0.17, stance=0.115, upper_leg=0.095, lower_leg=0.042, foot=0.052,
            neck=0.3, neck_base=0.165, head=0.44, head_width=0.14, muzzle=0.048, ear=0.2, ear_width=0.082,
            ear_tilt=0.32, tail=0.85, tail_base=0.07, tail_tip=0.11, tail_pitch=-0.5,
        ),
        Coat(
            (0.82, 0.38, 0.12), (0.96, 0.93, 0.89), socks=0.36, sock=(0.12, 0.1, 0.1), muzzle=(0.95, 0.9, 0.84),
            ear=(0.16, 0.11, 0.1), tuft=(0.97, 0.95, 0.92),
        ),
        ("forest", "autumn", "snow"),
    ),
    Species(
        "wolf", "Canidae", 34,
        replace(
            _DOG, leg=0.96, neck_base=0.225, neck_top=0.16, head=0.5, head_width=0.155, muzzle=0.07, ear=0.15,
            ear_tilt=0.3, tail=0.62, tail_base=0.065, tail_tip=0.06,
        ),
        Coat(
            (0.47, 0.46, 0.46), (0.86, 0.84, 0.8), pattern="mottle", ink=(0.23, 0.22, 0.23), scale=0.6, share=0.5,
            muzzle=(0.84, 0.81, 0.77), tuft=(0.16, 0.15, 0.16),
        ),
        ("snow", "forest"),
    ),
    Species(
        "cow", "Bovidae", 34, _COW,
        Coat(
            (0.93, 0.91, 0.87), (0.95, 0.9, 0.86), pattern="patches", ink=(0.13, 0.11, 0.11), scale=0.75, share=0.48,
            muzzle=(0.9, 0.72, 0.66), nose=(0.7, 0.5, 0.47), ear=(0.15, 0.13, 0.13), foot=(0.25, 0.22, 0.2),
            horn=(0.86, 0.8, 0.66), tuft=(0.15, 0.13, 0.12),
        ),
        ("meadow",),
    ),
    Species(
        "antelope", "Bovidae", 27, _ANTELOPE,
        Coat(
            (0.72, 0.47, 0.24), (0.97, 0.94, 0.88), band=(0.28, 0.16, 0.1), muzzle=(0.45, 0.28, 0.17),
            foot=(0.13, 0.11, 0.1), horn=(0.22, 0.19, 0.17), tuft=(0.2, 0.14, 0.1), ear=(0.78, 0.58, 0.38),
        ),
        ("savanna", "desert"),
    ),
    Species(
        "horse", "Equidae", 62, _HORSE,
        Coat(
            (0.45, 0.24, 0.12), (0.42, 0.22, 0.11), socks=0.42, sock=(0.12, 0.09, 0.08), muzzle=(0.2, 0.13, 0.1),
            mane=(0.1, 0.08, 0.07), tuft=(0.11, 0.08, 0.07), tail=(0.12, 0.09, 0.08), foot=(0.22, 0.19, 0.17),
            blaze=(0.95, 0.93, 0.9),
        ),
        ("meadow", "autumn"),
    ),
    Species(
        "zebra", "Equidae", 32,
        replace(
            _HORSE, leg=1.02, neck=0.55, head=0.54, mane=0.085, ear=0.17, ear_width=0.052, tail_tip=0.04, tuft=0.05,
            tail_base=0.035, width=0.235,
        ),
        Coat(
            (0.94, 0.93, 0.9), (0.95, 0.94, 0.92), pattern="stripes", ink=(0.08, 0.07, 0.08), scale=0.16, share=0.5,
            muzzle=(0.14, 0.12, 0.12), mane=(0.2, 0.18, 0.18), tuft=(0.1, 0.09, 0.09), foot=(0.15, 0.13, 0.12),
        ),
        ("savanna",),
    ),
    Species(
        "giraffe", "Giraffidae", 27, _GIRAFFE,
        Coat(
            (0.6, 0.33, 0.13), (0.88, 0.78, 0.58), pattern="net", ink=(0.93, 0.85, 0.66), scale=0.62, share=0.13,
            muzzle=(0.8, 0.66, 0.45), mane=(0.45, 0.25, 0.12), horn=(0.3, 0.2, 0.14), tuft=(0.12, 0.09, 0.08),
            foot=(0.32, 0.26, 0.2), socks=0.5, sock=(0.9, 0.82, 0.64),
        ),
        ("savanna",),
    ),
)
# fmt: on
"""All species; families are AP-10K's supercategories."""

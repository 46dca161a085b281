"""Pose-variant augmentation: which images of a pair, mirrored or not, are matched with which.

Zhang et al., section 3.3: datasets show few pairs of images of mirrored pose, the hard ones. Mirror images make them:
both images mirrored (double flip), one of them (single flip), and an image with its own mirror image (self flip), each
with keypoints renamed to their mirror partners (utils/utils_losses.py:170-206).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from geobench.training.views import View, ViewPair

TERMS = ("pair", "single-flip", "double-flip", "self-flip")
"""The names of all terms."""


@dataclass(frozen=True, eq=False)
class Term:
    """One matching of two images within the loss of a pair.

    Attributes:
        name: one of :data:`TERMS`.
        source: where the queries are.
        target: where they are looked for.
        weight: share of the term before the weights are normalised.
    """

    name: str
    source: View
    target: View
    weight: float

    @cached_property
    def common(self) -> Int64[Tensor, " n"]:
        """The numbers of the keypoints that are visible in both images."""
        return (self.source.visible & self.target.visible).nonzero()[:, 0]

    @cached_property
    def queries(self) -> Float[Tensor, "n c"]:
        """Their descriptors in the source."""
        return self.source.keypoints[self.common]


def terms_of(pair: ViewPair, double_flip: float, single_flip: float, self_flip: float) -> list[Term]:
    """Return the terms of a pair, those without a common keypoint or of weight 0 left out.

    Args:
        pair: with the mirror images that the weights ask for.
        double_flip: weight of the mirrored source with the mirrored target.
        single_flip: of the mirrored source with the target.
        self_flip: of the mirrored source with the source.

    Raises:
        ValueError: a mirror image is asked for and not there.
    """
    asked = [
        (pair.source, pair.target, 1.0),
        (pair.source_mirrored, pair.target, single_flip),
        (pair.source_mirrored, pair.target_mirrored, double_flip),
        (pair.source_mirrored, pair.source, self_flip),
    ]
    found = []
    for name, (source, target, weight) in zip(TERMS, asked, strict=True):
        if weight == 0:
            continue
        if source is None or target is None:
            raise ValueError(f"{name}: the pair has no mirror images; give them, or the weight 0")
        term = Term(name, source, target, weight)
        if len(term.common):
            found.append(term)
    return found


def similarities(terms: Sequence[Term]) -> list[Float[Tensor, "_ hw"]]:
    """Return for each term the similarity of its queries to every cell of its target.

    Terms that share their target read its map together, once.
    """
    sharing: dict[int, list[int]] = {}
    for number, term in enumerate(terms):
        sharing.setdefault(id(term.target), []).append(number)
    found: dict[int, Tensor] = {}
    for numbers in sharing.values():
        queries = [terms[number].queries for number in numbers]
        rows = terms[numbers[0]].target.similarity(torch.cat(queries))
        found |= zip(numbers, torch.split(rows, [len(one) for one in queries]), strict=True)
    return [found[number] for number in range(len(terms))]

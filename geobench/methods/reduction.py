"""Reduction of features for each pair of images, between description and matcher: co-PCA.

An image is described by what its extractors give, neither joined nor normalised; a pair's features are reduced
together, and then fused and matched as without a reduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from geobench.errors import InputError
from geobench.typed_toml import StrictModel

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from geobench.features.feature_map import FeatureMap
    from geobench.features.letterbox import Letterbox
    from geobench.features.levels import Levels
    from geobench.matching.co_pca import Sample
    from geobench.methods.recipe import ComposedMethod
    from geobench.picture import Picture


class Reduction(StrictModel):
    """The table ``[reduction]`` of a recipe.

    Groups of features of as many levels as ``dimensions`` has numbers are reduced; the others stay as they are.

    Attributes:
        kind: ``co-pca`` (:mod:`geobench.matching.co_pca`).
        dimensions: how many principal axes each level keeps, in the order in which the extractor gives the levels, the
            finest grid first: s3, s4, s5. (``PCA_DIMS`` of sd-dino is in the opposite order.)
        solver: ``exact``; or ``lowrank``, the randomised approximation that the authors ran.
        seed: what ``lowrank`` is seeded with before each pair. The authors' code seeds once, so that its second pair
            depends on its first.
    """

    kind: Literal["co-pca"] = "co-pca"
    dimensions: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    solver: Literal["exact", "lowrank"] = "exact"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42


@dataclass(frozen=True, eq=False)
class Groups:
    """The description of one image: what each extractor gave.

    Attributes:
        found: one per group of the recipe.
    """

    found: tuple[FeatureMap | Levels, ...]

    @cached_property
    def samples(self) -> tuple[tuple[Sample, ...], ...]:
        """The levels of each group, with what every pair of the image asks of them again."""
        from geobench.matching.co_pca import Sample

        return tuple(tuple(Sample(level) for level in _levels(found)) for found in self.found)

    @property
    def frame(self) -> FeatureMap:
        """The level in whose grid and frame the fused features are read."""
        from geobench.features.feature_map import frame_of

        return frame_of([frame_of(_levels(found)) for found in self.found])

    @property
    def grid(self) -> tuple[int, int]:
        """The number of (columns, rows) of the fused features."""
        return self.frame.grid

    @property
    def letterbox(self) -> Letterbox:
        """How the image entered the frame that this grid covers."""
        return self.frame.letterbox


class ReducedMethod:
    """A method of features and matcher, with the features of each pair reduced together.

    Args:
        method: what describes, fuses and matches.
        settings: the reduction.
    """

    def __init__(self, method: ComposedMethod, settings: Reduction) -> None:
        self.name = method.name
        self.method = method
        self.settings = settings

    def describe(self, picture: Picture) -> Groups:
        """Return what each extractor gives for one image.

        Raises:
            InputError: no group has as many levels as are to be reduced.
        """
        import torch

        return self.describe_many([picture], [torch.initial_seed() % 2**32])[0]

    @property
    def batch(self) -> int:
        """How many images are described together."""
        return self.method.batch

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Groups]:
        """Return what each extractor gives for each picture, drawn with its own seed.

        Raises:
            InputError: no group has as many levels as are to be reduced.
        """
        described = [Groups(of_one) for of_one in self.method.groups(pictures, seeds)]
        counts = [len(_levels(found)) for found in described[0].found]
        wanted = len(self.settings.dimensions)
        if wanted not in counts:
            raise InputError(
                f"{self.name}: [reduction] dimensions has {wanted} numbers, one per level, but the groups of features "
                f"have {', '.join(map(str, counts))} levels; give as many numbers as the group to be reduced has levels"
            )
        return described

    def match(self, source: Groups, target: Groups, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return where ``points`` lie in the target image; (x, y) in pixels of the original images."""
        return self.method.match(*self.reduced(source, target), points)

    def similarity(self, source: Groups, target: Groups, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n h w"]:
        """Return how similar each cell of the target's grid is to each of ``points`` (pixels of the source image)."""
        return self.method.similarity(*self.reduced(source, target), points)

    def reduced(self, source: Groups, target: Groups) -> tuple[FeatureMap, FeatureMap]:
        """Return the fused features of a pair.

        Raises:
            InputError: two groups show different parts of an image.
        """
        from geobench.matching.co_pca import co_pca

        settings = self.settings
        first, second = list(source.found), list(target.found)
        for group, (mine, yours) in enumerate(zip(source.samples, target.samples, strict=True)):
            if len(mine) == len(settings.dimensions):
                found = co_pca(mine, yours, settings.dimensions, settings.solver, settings.seed)
                first[group], second[group] = found
        return self.method.fused(first), self.method.fused(second)


def _levels(found: FeatureMap | Levels) -> Sequence[FeatureMap]:
    from geobench.features.levels import Levels

    return found.maps if isinstance(found, Levels) else (found,)

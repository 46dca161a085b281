"""What a method is: it describes one image, and matches two descriptions.

A method is any object with these three names; there is nothing to inherit and nothing to register.
Points are (x, y) in pixels of the original images, float32, one row per point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int64

from geobench.errors import GeobenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from geobench.picture import Picture


@runtime_checkable
class Method(Protocol):
    """A way of carrying points from one image to another.

    A method may also have:
        ``knows_truth: bool`` — True for sanity baselines: ``match`` then gets the true target points as a fourth
        argument, and the run is kept out of rankings;
        ``uses_mirror_index: bool`` — True for methods that may know which query points are mirror partners (the mark
        † of the field's tables): ``match`` then gets ``partner`` too, see :meth:`LoadedMethod.predict`;
        ``prepare(pictures: Sequence[Picture]) -> None`` — called once per category with every image of the split;
        ``batch: int`` and ``describe_many(pictures, seeds)`` — how many images are described together, and that, each
        with the random numbers of its own seed;
        ``matches_many: bool`` and ``match_many(sources, target, points)`` — several sources with one target at once;
        ``title``, ``setting`` — strings for tables.
    """

    name: str

    def describe(self, picture: Picture) -> Any:
        """Return the description of one image, anything ``match`` understands; called once per image."""
        ...

    def match(self, source: Any, target: Any, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return where ``points`` of the source image lie in the target image; called once per pair.

        Args:
            source: description of the source image.
            target: description of the target image.
            points: (x, y) in pixels of the original source image, float32.

        Returns:
            (x, y) in pixels of the original target image, row i for point i.
        """
        ...


@dataclass(frozen=True)
class LoadedMethod:
    """A method with what a run must record about it.

    Attributes:
        method: the object itself.
        name: name of the run folder, made of ``a-z 0-9 . _ -``.
        title: name in tables.
        setting: kind of supervision in tables, e.g. ``unsupervised``.
        origin: what loads it again: catalogue name, path, ``module:Class`` or entry point.
        recipe: the recipe with every default filled in, ready for JSON; empty for a class.
        source_sha256: SHA-256 of the recipe file or of the file that defines the class; None if there is no file.
        weights: SHA-256 of each weight file, by name.
    """

    method: Method
    name: str
    title: str
    setting: str
    origin: str
    recipe: dict[str, Any] = field(default_factory=dict)
    source_sha256: str | None = None
    weights: dict[str, str] = field(default_factory=dict)

    def describe(self, picture: Picture) -> Any:
        """Return the method's description of one image, made without gradients."""
        from torch import no_grad

        with no_grad():
            return self.method.describe(picture)

    @property
    def batch(self) -> int:
        """How many images the method describes together; 1 where it has no ``describe_many``."""
        return int(getattr(self.method, "batch", 1)) if hasattr(self.method, "describe_many") else 1

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Any]:
        """Return the method's description of each picture, the global generators seeded as for :meth:`describe`.

        Args:
            pictures: as many as ``batch``, so that results do not depend on which pictures stand together.
            seeds: one per picture.
        """
        from torch import no_grad

        from geobench.seeding import seed_everything

        if len(pictures) == 1:
            seed_everything(seeds[0])
            return [self.describe(pictures[0])]
        method: Any = self.method
        with no_grad():
            return list(method.describe_many(pictures, seeds))

    @property
    def random_weights(self) -> bool:
        """Whether a network has random weights: for trying the plumbing, kept off leaderboards."""
        return any(loaded.startswith("random") for loaded in self.weights.values())

    @property
    def knows_truth(self) -> bool:
        """Whether ``match`` is given the true target points (sanity baselines only)."""
        return bool(getattr(self.method, "knows_truth", False))

    @property
    def uses_mirror_index(self) -> bool:
        """Whether ``match`` is told which query points are mirror partners."""
        return bool(getattr(self.method, "uses_mirror_index", False))

    def prepare(self, pictures: Sequence[Picture]) -> None:
        """Show the method every image of one category, if it asks for that."""
        hook = getattr(self.method, "prepare", None)
        if hook is not None:
            hook(pictures)

    def predict(
        self,
        source: Any,
        target: Any,
        points: Float[np.ndarray, "n 2"],
        *,
        truth: Float[np.ndarray, "n 2"] | None = None,
        partner: Int64[np.ndarray, " n"] | None = None,
    ) -> Float32[np.ndarray, "n 2"]:
        """Return the method's answer for ``points``, checked to be n finite rows of (x, y).

        Args:
            source: description of the source image.
            target: description of the target image.
            points: (x, y) in pixels of the original source image; the method gets a copy.
            truth: (x, y) in pixels of the original target image; needed only when ``knows_truth``.
            partner: for each point the row of its mirror partner among ``points``: its own row where the keypoint is
                its own partner, -1 where the partner is not asked; needed only when ``uses_mirror_index``.

        Raises:
            GeobenchError: the answer is not (n, 2) or not finite.
        """
        from torch import from_numpy, no_grad

        given = [from_numpy(np.array(points, np.float32))]
        if self.knows_truth:
            given.append(from_numpy(np.array(truth, np.float32)))
        if self.uses_mirror_index:
            given.append(from_numpy(np.array(partner, np.int64)))
        with no_grad():
            answer = self.method.match(source, target, *given)
        return self._checked(as_array(answer), len(points))

    @property
    def matches_many(self) -> bool:
        """Whether the method can match several sources with one target at once (``matches_many``, ``match_many``)."""
        return bool(getattr(self.method, "matches_many", False))

    def predict_many(
        self, sources: Sequence[Any], target: Any, points: Sequence[Float[np.ndarray, "n 2"]]
    ) -> list[Float32[np.ndarray, "n 2"]]:
        """Return what :meth:`predict` returns for each source and its points, by one call of ``match_many``.

        Raises:
            GeobenchError: an answer is not (n, 2) or not finite.
        """
        from torch import from_numpy, no_grad

        method: Any = self.method
        with no_grad():
            answers = method.match_many(sources, target, [from_numpy(np.array(some, np.float32)) for some in points])
        return [self._checked(as_array(answer), len(some)) for answer, some in zip(answers, points, strict=True)]

    def _checked(self, answer: np.ndarray, n: int) -> Float32[np.ndarray, "n 2"]:
        if answer.shape != (n, 2) or answer.dtype.kind not in "fiu":
            raise GeobenchError(
                f"{self.name}: match returned {answer.dtype} of shape {answer.shape} for {n} points; "
                f"return ({n}, 2) numbers, (x, y) per point"
            )
        bad = int((~np.isfinite(answer)).any(axis=1).sum())
        if bad:
            raise GeobenchError(f"{self.name}: match returned NaN or infinity for {bad} of {n} points")
        return answer.astype(np.float32)


def as_array(answer: Any) -> np.ndarray:
    """Return what ``match`` returned (tensor on any device, array or nested list) as a NumPy array."""
    for step in ("detach", "cpu"):
        answer = getattr(answer, step)() if hasattr(answer, step) else answer
    try:
        return np.asarray(answer)
    except (ValueError, TypeError):  # ragged lists, and tensors of a type NumPy lacks
        return np.asarray(answer, dtype=object) if isinstance(answer, list | tuple) else np.asarray(answer.float())

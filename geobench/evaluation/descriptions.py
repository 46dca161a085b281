"""Descriptions of images: made in batches, shared by every pair and split, kept until they are to be forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from geobench.benchmark import Benchmark
from geobench.errors import GeobenchError, InputError
from geobench.methods.base import LoadedMethod
from geobench.methods.stored import StoredMethod, stored_part
from geobench.seeding import seed_for


class Descriptions:
    """Describes images and holds their descriptions; :class:`geobench.evaluation.walk.Walk` says which and when.

    Args:
        method: who describes.
        benchmark: where the images are.
        seed: a description's random numbers are seeded with it and the image's key.

    Attributes:
        store: the part of the method that keeps features on disk, if it has one.
        n_described: how many descriptions were made.
        n_read: how many were read from the store instead.
        seconds: how long both took.
        peak_held: the most descriptions held at a time.
    """

    def __init__(self, method: LoadedMethod, benchmark: Benchmark, seed: int) -> None:
        self.method, self.benchmark, self.seed = method, benchmark, seed
        self.store: StoredMethod | None = stored_part(method)
        self.n_described = self.n_read = self.peak_held = 0
        self.seconds = 0.0
        self._known: dict[int, Any] = {}

    @property
    def held(self) -> dict[int, Any]:
        """The descriptions that are there, by the row of the instance."""
        return dict(self._known)

    def of(self, row: int) -> Any:
        """Return the description of instance ``row``, made now if it is not there."""
        if row not in self._known:
            self._make([row])
        return self._known[row]

    def forget(self, rows: Iterable[int]) -> None:
        """Let go of descriptions."""
        for row in rows:
            self._known.pop(row, None)

    def describe(self, rows: Sequence[int]) -> None:
        """Describe instances, so many together as the method says.

        One that cannot be described is passed over: whoever asks for it by :meth:`of` learns why.

        Raises:
            InputError: an image is missing or unreadable, or the feature store cannot be used.
        """
        for start in range(0, len(rows), self.method.batch):
            together = rows[start : start + self.method.batch]
            if not self._tried(together) and len(together) > 1:
                for row in together:
                    self._tried([row])

    def _tried(self, rows: Sequence[int]) -> bool:
        """Describe images together, and return whether that went well."""
        try:
            self._make(rows)
        except (InputError, MemoryError):
            raise
        except Exception:
            return False
        return True

    def _make(self, rows: Sequence[int]) -> None:
        """Describe images together; the last one is repeated until the batch is full."""
        pictures = [self.benchmark.picture(row) for row in rows]
        filled = [*pictures, *[pictures[-1]] * (self.method.batch - len(pictures))]
        already_read = self.store.n_read if self.store else 0
        started = time.perf_counter()
        made = self.method.describe_many(filled, [seed_for(self.seed, picture.key) for picture in filled])
        self.seconds += time.perf_counter() - started
        if len(made) != len(filled):
            raise GeobenchError(
                f"{self.method.name}: describe_many returned {len(made)} descriptions of {len(filled)} pictures"
            )
        self._keep(rows, made)
        read = self.store.n_read - already_read if self.store else 0
        self.n_read += read
        self.n_described += len(rows) - read

    def _keep(self, rows: Sequence[int], made: Sequence[Any]) -> None:
        if len(made) > 1:
            from geobench.features.footprint import owning

            made = [owning(one) for one in made[: len(rows)]]
        self._known.update(zip(rows, made, strict=True))
        self.peak_held = max(self.peak_held, len(self._known))

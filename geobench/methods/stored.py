"""A method whose features are kept on disk: read where they are in a store, described and stored where they are not.

What is stored is what is matched, of each pose: what the extractors of a recipe give, after its post-processor where it
has one; matching and alignment work on it as ever.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geobench import features
from geobench.errors import InputError, UsageError
from geobench.files import sha256_of
from geobench.fingerprint import digest
from geobench.methods.alignment import AlignedMethod
from geobench.methods.base import LoadedMethod
from geobench.methods.family import PlainMember
from geobench.methods.recipe import ComposedMethod
from geobench.methods.reduction import Groups, ReducedMethod
from geobench.version import __version__

if TYPE_CHECKING:
    from geobench.features.store import FeatureStore
    from geobench.picture import Picture

VERSION = 1
"""Raised when entries of the store change their meaning."""


class StoredMethod:
    """A method of features whose descriptions come from a store; everything else is the method's own.

    Args:
        method: what describes.
        store: where features are kept.
        depends: what the features depend on beside the picture and its seed, ready for JSON.
        device: where features go.

    Attributes:
        n_read: how many descriptions came from the store.
    """

    def __init__(
        self, method: ComposedMethod | ReducedMethod, store: FeatureStore, depends: dict[str, Any], device: str
    ) -> None:
        self.method, self.store, self.depends, self.device = method, store, depends, device
        self.n_read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    def describe(self, picture: Picture) -> Any:
        """Return the description of one image, its random numbers seeded as torch is."""
        import torch

        return self.describe_many([picture], [torch.initial_seed() % 2**32])[0]

    def describe_many(self, pictures: Sequence[Picture], seeds: Sequence[int]) -> list[Any]:
        """Return the description of each picture; those that are not stored are described together and stored.

        Raises:
            StoreError: the store cannot be read or written.
        """
        keys = [self.key(picture, seed) for picture, seed in zip(pictures, seeds, strict=True)]
        found: dict[str, Any] = {key: self.store.read(key, self.device) for key in dict.fromkeys(keys)}
        missing = [keys.index(key) for key, features in found.items() if features is None]
        self.n_read += len(found) - len(missing)
        if missing:
            filled = missing + [missing[-1]] * (len(pictures) - len(missing))
            made = self.method.describe_many([pictures[i] for i in filled], [seeds[i] for i in filled])
            for i, described in zip(missing, made, strict=False):
                found[keys[i]] = self.store.write(keys[i], _features(described), self._about(pictures[i]))
        return [self._description(found[key]) for key in keys]

    def has(self, picture: Picture, seed: int) -> bool:
        """Return whether a picture's features are stored."""
        return self.store.path(self.key(picture, seed)).is_file()

    def key(self, picture: Picture, seed: int) -> str:
        """Return the SHA-256 of all that a picture's features depend on, 64 hexadecimal digits."""
        shown = {
            "image": _hash(picture.path),
            "mask": _hash(picture.mask_path) if picture.mask_path else None,
            "pose": picture.pose.name,
            "size": picture.size,
            "box": picture.box,
            "category": picture.category,
        }
        return digest([VERSION, self.store.dtype, shown, seed, self.depends])

    def _about(self, picture: Picture) -> dict[str, str]:
        return {"image": picture.path.name, "picture": picture.key, "recipe": self.method.name, "geobench": __version__}

    def _description(self, features: Any) -> Any:
        return Groups(features) if isinstance(self.method, ReducedMethod) else features


def with_store(loaded: LoadedMethod, store: FeatureStore, device: str = "cpu") -> LoadedMethod:
    """Return a method with its features kept in a store.

    In half precision features are rounded, so title and recipe say so, and the id of its runs differs.

    Args:
        loaded: a method of a recipe of [[features]].
        store: the store.
        device: the device that the method was loaded for.

    Raises:
        UsageError: it is another method.
    """
    if not loaded.recipe.get("features"):
        raise UsageError(f"--store is for recipes of [[features]]; {loaded.name} is none, leave --store out")
    method = _stored(loaded.method, store, _dependencies(loaded, device), device)
    if store.dtype == "float32":
        return replace(loaded, method=method)
    recipe = loaded.recipe | {"store": {"dtype": store.dtype}}
    return replace(loaded, method=method, recipe=recipe, title=f"{loaded.title}, features in {store.dtype}")


def stored_part(loaded: LoadedMethod) -> StoredMethod | None:
    """Return the part of a method that reads and writes a store, None where it has no store."""
    part: Any = loaded.method
    while not isinstance(part, StoredMethod):
        if isinstance(part, PlainMember):
            part = part.aligned
        elif isinstance(part, AlignedMethod):
            part = part.method
        else:
            return None
    return part


def poses_of(loaded: LoadedMethod) -> int:
    """Return in how many poses a method may describe an image."""
    method: Any = loaded.method
    if isinstance(method, PlainMember):
        method = method.aligned
    return len(method.poses) if isinstance(method, AlignedMethod) else 1


def _stored(method: Any, store: FeatureStore, depends: dict[str, Any], device: str) -> Any:
    if isinstance(method, PlainMember | AlignedMethod):
        changed: Any = copy.copy(method)
        inner = "aligned" if isinstance(method, PlainMember) else "method"
        setattr(changed, inner, _stored(getattr(method, inner), store, depends, device))
        return changed
    return StoredMethod(method, store, depends, device)


def _dependencies(loaded: LoadedMethod, device: str) -> dict[str, Any]:
    part: Any = loaded.method
    while not isinstance(part, ComposedMethod):
        part = part.method
    sources = [inspect.getsourcefile(type(extractor)) for extractor in part.extractors]
    depends = {
        "geobench": __version__,
        "features": loaded.recipe["features"],
        "sources": [sha256_of(Path(source)) if source else None for source in sources],
        "shared": _shared_sources(),
        "weights": loaded.weights,
        "device": device.partition(":")[0],
    }
    if part.post_process is None:
        return depends
    return depends | {"post_processor": part.post_process.source()}  # its weights are hashed with the others


@lru_cache(maxsize=1)
def _shared_sources() -> str:
    """Return a digest of all code in ``geobench/features``: what an extractor's own file calls is not in that file."""
    folder = Path(features.__file__).parent
    return digest({path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*.py"))})


def _features(described: Any) -> Any:
    return described.found if isinstance(described, Groups) else described


@lru_cache(maxsize=1 << 16)
def _hash_of_state(path: Path, _size: int, _changed: int) -> str:
    return sha256_of(path)


def _hash(path: Path) -> str:
    """Return the SHA-256 of a file, read once while it is not changed."""
    try:
        state = path.stat()
        return _hash_of_state(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); fetch it again") from error

"""How large a feature store will be, said before it is filled."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from geobench.evaluation.memory import size_text
from geobench.features.store import StoreError
from geobench.methods.stored import StoredMethod
from geobench.picture import Picture
from geobench.progress import tell


def announce_store(stored: StoredMethod, pictures: Sequence[Picture], seeds: Sequence[int], poses: int = 1) -> None:
    """Say how large the entries of some pictures are together, and refuse to begin what the disk cannot hold.

    Args:
        stored: a method that has stored at least one picture.
        pictures: all that will be described.
        seeds: of their random numbers.
        poses: in how many poses each may be described.

    Raises:
        StoreError: the disk cannot hold what is not there yet.
    """
    store = stored.store
    there = sum(stored.has(picture, seed) for picture, seed in zip(pictures, seeds, strict=True))
    total, free = len(pictures) * poses * store.entry_bytes, free_on_disk(store.folder)
    needed = (len(pictures) - there) * poses * store.entry_bytes
    each = f"{len(pictures):,} images × " + (f"up to {poses} poses × " if poses > 1 else "")
    tell(
        f"{each}{size_text(store.entry_bytes)} = {size_text(total)} in {store.folder}, {there:,} images of them there; "
        f"{size_text(free)} free"
    )
    if needed > free:
        raise StoreError(
            f"{store.folder}: {size_text(needed)} are needed and {size_text(free)} are free; free space, name another "
            "folder, or leave --store out"
        )


def free_on_disk(folder: Path) -> int:
    """Return how many bytes are free on the disk of a folder, which need not be there yet."""
    folder = folder.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free

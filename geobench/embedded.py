"""The embedded benchmarks by name: rendered once on this machine, built by the AP-10K builder, kept in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from geobench.benchmark import Benchmark
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import find_card
from geobench.errors import GeobenchError
from geobench.progress import progress_callback
from geobench.storage import load_benchmark_folder

EMBEDDED = "quadrupeds"
TRAINING = "quadrupeds-training"
RENDERED: dict[str, tuple[int, int | None]] = {EMBEDDED: (0, None), TRAINING: (1, 880)}
"""Seed and number of images of each embedded benchmark; None for all that its species ask for."""
CACHE_VARIABLE = "GEOBENCH_CACHE"


def cache_folder() -> Path:
    """Return the folder for things geobench makes once: ``$GEOBENCH_CACHE`` or the user's cache folder."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    import platformdirs

    return Path(platformdirs.user_cache_dir("geobench"))


def embedded_benchmark(folder: Path | None = None, *, images: int | None = None, name: str = EMBEDDED) -> Benchmark:
    """Return an embedded benchmark, rendering and building it first when ``folder`` lacks it.

    Args:
        folder: holds ``raw/`` and ``benchmark/``; by default a folder of the cache named by the card's version.
        images: about how many images to render; the whole benchmark by default.
        name: which of :data:`RENDERED`.
    """
    from filelock import FileLock

    card = find_card(name)
    size = "" if images is None else f"-{images}"
    folder = folder or cache_folder() / f"{card.name}-v{card.version}{size}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # two processes may ask for it at the same time
        if not (folder / "benchmark" / "benchmark.json").is_file():
            _make(folder, images, name)
    return load_benchmark_folder(folder / "benchmark")


def _make(folder: Path, images: int | None, name: str) -> None:
    from geobench.builders.synthetic import render_dataset

    card, (seed, whole) = find_card(name), RENDERED[name]
    with progress_callback(f"rendering {name}", "image") as show:
        render_dataset(folder / "raw", seed=seed, images=images or whole, progress=show)
    benchmark = build_benchmark(card, folder / "raw", BuildOptions(require_images=True))
    expected = card.expected.get("instances")
    if images is None and expected not in (None, len(benchmark.instances)):
        raise GeobenchError(f"{folder}: rendered {len(benchmark.instances)} usable images, the card expects {expected}")
    benchmark.save(folder / "benchmark")

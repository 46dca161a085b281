"""Fixtures shared by all tests: a tiny benchmark with real image files, and a cache folder of the test session."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import numpy as np
import pytest
from PIL import Image

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.embedded import CACHE_VARIABLE
from geobench.instances import Instances


def pytest_configure(config: pytest.Config) -> None:
    """Make an unexpected warning of geobench an error.

    Not in pyproject.toml: pytest would import geobench for it before jaxtyping can instrument the package.
    """
    config.addinivalue_line("filterwarnings", "error::geobench.errors.GeobenchWarning")
    # How long an example takes says how busy the machine is; derandomised, so that a red run can be repeated.
    hypothesis.settings.register_profile("geobench", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("geobench")


SHARED = Path(__file__).parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not beside this clone")

TINY_CARD = {
    "name": "tiny",
    "title": "Tiny",
    "version": 1,
    "builder": "tests",
    "threshold": "bbox",
    "licence": "Apache-2.0",
    "citation": "none",
    "keypoints": {
        "names": ["nose", "left_paw", "right_paw", "tail"],
        "mirror": [["left_paw", "right_paw"]],
        "groups": {"paw": ["left_paw", "right_paw"]},
    },
}

SMALL_FEATURES = """
title = "Small"
[[features]]
extractor = "dense-sift"
side = 64
grid = 8
samples = 8
bins = [4]
"""
"""The head of a recipe whose features are real and cheap: 128 channels on 8 x 8 cells. A matcher's table follows."""
SMALL_RECIPE = SMALL_FEATURES + '[matcher]\nkind = "nearest"\n'


def make_tiny_benchmark(folder: Path, *, n: int = 8, seed: int = 0) -> Benchmark:
    """Return a benchmark of ``n`` noise images in two categories, all ordered pairs within a category."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = np.stack([rng.integers(40, 60, n), rng.integers(30, 50, n)], axis=1)
    names = [f"images/{row:03d}.png" for row in range(n)]
    (folder / "images").mkdir(exist_ok=True)
    for name, (width, height) in zip(names, sizes, strict=True):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / name)
    visibility = rng.choice([0, 2, 2, 2], (n, 4)).astype(np.uint8)
    visibility[:, 0] = 2
    categories = ["cat" if row % 2 else "dog" for row in range(n)]
    instances = Instances.from_columns(
        id=[f"{row:03d}" for row in range(n)],
        image=names,
        size=sizes,
        bbox=np.column_stack([np.full((n, 2), 5.0), sizes - 10.0]),
        category=categories,
        keypoints=rng.uniform(5, 25, (n, 4, 2)),
        visibility=visibility,
        azimuth=rng.uniform(0, 360, n),
    )
    ordered = [(i, j) for i in range(n) for j in range(n) if i != j and categories[i] == categories[j]]
    source, target = np.array(ordered, dtype=np.int32).T
    pairs = Pairs(source.copy(), target.copy(), np.array([categories[i] for i in source]))
    card = Card.model_validate(TINY_CARD)
    return Benchmark(
        name="tiny",
        card=card,
        skeletons=card.skeletons(),
        instances=instances,
        splits={"test": pairs},
        threshold="bbox",
        image_root=folder,
        recipe={"seed": seed},
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Benchmark:
    """A tiny benchmark, saved and loaded."""
    from geobench.storage import load_benchmark_folder

    return load_benchmark_folder(make_tiny_benchmark(tmp_path / "raw").save(tmp_path / "tiny"))


@pytest.fixture
def small_recipe(tmp_path: Path) -> str:
    """Path of a file that holds SMALL_RECIPE, ``small.toml``."""
    (tmp_path / "small.toml").write_text(SMALL_RECIPE)
    return str(tmp_path / "small.toml")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep what tests cache out of the user's cache folder."""
    import os

    folder = tmp_path_factory.mktemp("cache")
    os.environ[CACHE_VARIABLE] = str(folder)
    return folder

"""Pose templates and targets: from a folder of named images, or from a benchmark that knows azimuth.

Left and right are the animal's own: a target is ``left`` where the camera looks at its left side (azimuth 90), so
that it heads to the left of the image; ``right`` likewise. ``back`` is azimuth 180, ``front`` azimuth 0 (see
:mod:`geobench.builders.synthetic.scene`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError, nearest_names
from geobench.evaluation.pose_vote import VIEWS
from geobench.image_file import size_of
from geobench.picture import Picture

AZIMUTHS = np.array([180.0, 0.0, 90.0, 270.0])
"""Azimuth in degrees of each of :data:`VIEWS`."""
Side = Literal["left-side", "right-side"]
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


@dataclass(frozen=True)
class TemplateSet:
    """One picture per view, in the order of :data:`VIEWS`; ``rows`` are those of the benchmark, or empty."""

    name: str
    pictures: tuple[Picture, ...]
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Targets:
    """Instances whose view is to be told: ``rows`` of the benchmark, and ``truth`` as numbers of :data:`VIEWS`."""

    rows: Int64[np.ndarray, " t"]
    truth: Int64[np.ndarray, " t"]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: Int64[np.ndarray, " n"]) -> Targets:
        """Return the targets at ``positions``, in that order."""
        return Targets(self.rows[positions], self.truth[positions])


def folder_templates(folder: Path, left_shows: Side = "left-side") -> list[TemplateSet]:
    """Return the template sets in a folder of images named ``<set>_<view>.*``, in the order of the sets' names.

    Args:
        folder: holds all four views of each set; files that are no images are passed over.
        left_shows: which side of the animal the images called ``left`` show. GeoAware-SC's own show the right one.

    Raises:
        InputError: the folder has no images, a name has no known view, or a set lacks a view or has one twice.
    """
    found: dict[str, dict[str, Path]] = {}
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in (path for path in files if path.suffix.lower() in _SUFFIXES):
        name, _, view = path.stem.rpartition("_")
        if not name or view not in VIEWS:
            raise InputError(f"{path}: a template is named <set>_<view>, its view{nearest_names(view, VIEWS)}")
        if view in found.setdefault(name, {}):
            raise InputError(f"{path}: the set {name!r} has its view {view!r} twice; keep one file")
        found[name][view] = path
    if not found:
        raise InputError(f"{folder}: no templates; it holds images named <set>_<view>, views {', '.join(VIEWS)}")
    for name, views in found.items():
        missing = [view for view in VIEWS if view not in views]
        if missing:
            raise InputError(f"{folder}: the set {name!r} has no image {name}_{missing[0]}; add it")
    exchanged = {"left": "right", "right": "left"} if left_shows == "right-side" else {}
    paths = {name: [views[exchanged.get(view, view)] for view in VIEWS] for name, views in found.items()}
    return [TemplateSet(name, tuple(_whole_image(path) for path in some)) for name, some in sorted(paths.items())]


def _whole_image(path: Path) -> Picture:
    """Return the picture of an image file without annotation: its box is the whole image."""
    width, height = size_of(path)
    return Picture(f"template:{path.stem}", path, (width, height), "", (0.0, 0.0, float(width), float(height)))


def chosen_templates(benchmark: Benchmark, sets: int, tolerance: float) -> list[TemplateSet]:
    """Return ``sets`` template sets chosen from a benchmark, each of one category.

    A category's first set is, per view, its instance nearest to the view's azimuth; its second set is the next
    nearest ones, and so on. Sets whose four instances all lie within the tolerance are taken: first sets before second
    ones, then by the largest of the four deviations, then by name; so the sets are of distinct categories while there
    are enough. Equal deviations: the smaller instance id.

    Raises:
        InputError: the benchmark knows no azimuth, or has too few such sets.
    """
    _check_azimuth(benchmark)
    ids, categories = benchmark.instances.id, benchmark.instances.category
    away = _deviation(benchmark)
    candidates: list[tuple[int, float, str, tuple[int, ...]]] = []
    for category in np.unique(categories).tolist():
        members = np.flatnonzero(categories == category)
        order = np.stack([members[np.lexsort((ids[members], away[members, v]))] for v in range(len(VIEWS))], axis=1)
        worst = np.take_along_axis(away, order, axis=0).max(axis=1)
        usable = range(int((worst <= tolerance).sum()))
        candidates += [(turn, float(worst[turn]), category, tuple(order[turn].tolist())) for turn in usable]
    if len(candidates) < sets:
        raise InputError(
            f"{benchmark.name}: only {len(candidates)} sets of the four views lie within {tolerance:g} degrees; "
            f"ask for fewer --sets than {sets}, widen --tolerance, or name a folder with --templates"
        )
    return [
        TemplateSet(category if not turn else f"{category} {turn + 1}", tuple(map(benchmark.picture, rows)), rows)
        for turn, _, category, rows in sorted(candidates)[:sets]
    ]


def find_targets(
    benchmark: Benchmark, tolerance: float, templates: Sequence[TemplateSet], unseen_categories: bool = False
) -> Targets:
    """Return the instances whose azimuth lies within ``tolerance`` degrees of one of the views, in order of row.

    Args:
        benchmark: one that knows azimuth.
        tolerance: above 0, and at most 45, where every azimuth belongs to a view.
        templates: no instance in an image of theirs is a target.
        unseen_categories: nor is any instance of their categories.

    Raises:
        UsageError: the tolerance is out of range.
        InputError: the benchmark knows no azimuth, or no instance is left.
    """
    if not 0 < tolerance <= 45:
        raise UsageError(f"--tolerance must be above 0 and at most 45 degrees, not {tolerance:g}")
    _check_azimuth(benchmark)
    table, away = benchmark.instances, _deviation(benchmark)
    taken = np.array([row for one in templates for row in one.rows], np.int64)
    kept = (away.min(axis=1) <= tolerance) & ~np.isin(table.image, table.image[taken])
    if unseen_categories:
        kept &= ~np.isin(table.category, table.category[taken])
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise InputError(f"{benchmark.name}: no instance within {tolerance:g} degrees of a view is left as a target")
    return Targets(rows, away[rows].argmin(axis=1))


def _check_azimuth(benchmark: Benchmark) -> None:
    if np.isnan(benchmark.instances.azimuth).all():
        raise InputError(f"{benchmark.name}: no instance has an azimuth; use a benchmark that knows it: quadrupeds")


def _deviation(benchmark: Benchmark) -> Float64[np.ndarray, "n 4"]:
    """Return by how many degrees each instance's azimuth differs from each view's; infinite where it is unknown."""
    turned = benchmark.instances.azimuth.astype(np.float64)[:, None] - AZIMUTHS
    away: np.ndarray = np.nan_to_num(np.abs((turned + 180) % 360 - 180), nan=np.inf)
    return away

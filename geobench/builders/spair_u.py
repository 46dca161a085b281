"""SPair-U (Mariotti et al., *Jamais Vu*, arXiv 2506.08220) -> Benchmark: SPair-71k's test pairs, unseen keypoints.

Two layouts are published, and both are read. The authors' archive has the folders of SPair-71k in a folder of its own,
``SPair-U`` (a drop-in replacement; so MARCO's docs/data.md). Their loader (utils/utils_dataset.py of VICO-UoE/JamaisVu)
reads ``ExtraPairAnnotation`` and ``ExtraImageAnnotation`` inside SPair-71k.
"""

from __future__ import annotations

from pathlib import Path

from geobench.benchmark import Benchmark
from geobench.builders.options import BuildOptions
from geobench.builders.spair71k import FOLDER, build_spair
from geobench.builders.spair_images import SpairLayout
from geobench.card import Card
from geobench.errors import InputError

OPTIONS = frozenset({"require_images"})
OWN_FOLDERS = ("SPair-U", "datasets/SPair-U")
DROP_IN = SpairLayout(listed=False)
EXTRA = SpairLayout("ExtraImageAnnotation", "ExtraPairAnnotation", listed=False)


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of SPair-U's annotations in ``source``.

    Every annotated pair is taken. ``Layout`` of SPair-71k, which the authors link into the folder, lists more pairs.

    Args:
        source: ``SPair-U``, or the folder that holds it (or ``datasets/SPair-U``, as unpacked), or one that holds
            SPair-71k with the folders ``Extra…``. Images are looked for beside the annotations, then in SPair-71k.
        card: with one keypoint table per category.
        options: those in ``OPTIONS``.

    Raises:
        InputError: neither layout is there, or a file is missing or malformed.
    """
    root, layout = _found(source)
    return build_spair(root, card, options, "every annotated pair", layout, _pictures(source, root))


def _found(source: Path) -> tuple[Path, SpairLayout]:
    """Return the folder of the annotations, and which layout it has."""
    for root in (source, source / FOLDER):
        if (root / EXTRA.pairs).is_dir():
            return root, EXTRA
    for root in (*(source / name for name in OWN_FOLDERS), source):
        # SPair-71k's own folder has annotations of these names too, of the keypoints that everybody trains on.
        if (root / DROP_IN.pairs).is_dir() and root.resolve().name != FOLDER:
            return root, DROP_IN
    raise InputError(
        f"{source}: holds neither SPair-U/{DROP_IN.pairs} nor {FOLDER}/{EXTRA.pairs}; unpack SPair-U.zip there"
    )


def _pictures(source: Path, root: Path) -> Path:
    candidates = (root, source, source / FOLDER, root.parent / FOLDER, root.parent.parent / FOLDER)
    return next((folder for folder in candidates if (folder / "JPEGImages").is_dir()), root)

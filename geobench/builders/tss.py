"""TSS (Taniai, Sinha, Sato, CVPR 2016) -> Benchmark: 400 image pairs with the true flow of every foreground pixel.

Each pair is asked in both directions. Truth is the flow files, which ``geobench.evaluation.flow_run`` reads; a few of
their pixels are keypoints, so that a gallery can be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from geobench.benchmark import Benchmark, Pairs
from geobench.builders.absent_images import tell_absent
from geobench.builders.assembly import assemble
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.builders.tss_files import View, find_pairs, read_flip, read_view
from geobench.card import Card
from geobench.errors import InputError
from geobench.fingerprint import digest
from geobench.flow_file import flow_size
from geobench.instances import Instances
from geobench.typed_toml import StrictModel, validate

OPTIONS = frozenset({"require_images"})
FOLDERS = ("TSS_CVPR2016", "Dataset")
"""The folder of the archive, and that of the sample in the authors' evaluation kit."""

_VISIBLE = 2


class SplitRecipe(StrictModel):
    """The table ``[splits]`` of the TSS card.

    Attributes:
        parts: the folders of pairs; pairs are counted under their names.
    """

    parts: Annotated[tuple[str, ...], Field(min_length=1)]


def build(source: Path, card: Card, options: BuildOptions) -> Benchmark:
    """Return the benchmark made of the TSS folders in ``source``.

    Sizes are those of the flow files, so images may be absent.

    Args:
        source: holds ``FG3DCar``, ``JODS`` and ``PASCAL``, or one of ``FOLDERS`` with them.
        card: with as many keypoints for either image of a pair.
        options: those in ``OPTIONS``.

    Raises:
        InputError: a file is missing or malformed.
    """
    recipe = validate(card.splits, SplitRecipe, f"card {card.name}: [splits]")
    if card.keypoints is None or len(card.keypoints.names) % 2:
        raise InputError(f"card {card.name}: needs one [keypoints] table of an even number of names; add it")
    root = next((source / name for name in FOLDERS if (source / name).is_dir()), source)
    notices = Notices(source)
    names = find_pairs(root, recipe.parts)
    if not names:
        raise InputError(f"{root}: holds no folder of pairs in {', '.join(recipe.parts)}; name the unpacked archive")
    _tell_absent(root, names, recipe.parts, options, notices)
    views: list[View] = []
    for done, (part, pair) in enumerate(names, 1):
        views += _views(root, part, pair, len(card.keypoints.names) // 2)
        options.progress(done, len(names))
    content = digest([view.digest for view in views])
    decided = {"procedure": "both directions of every pair", "truth": "flow", "flows_and_masks_sha256": content}
    origin = {"warnings": notices.sentences, "counts": {"pairs": 2 * len(names)}}
    return assemble(card, _instances(views), {"test": _pairs(root, names)}, root, recipe=decided, provenance=origin)


def _views(root: Path, part: str, pair: str, samples: int) -> list[View]:
    sizes = [flow_size(root / part / pair / f"flow{number}.flo") for number in (1, 2)]
    return [read_view(root, part, pair, number, sizes[2 - number], samples) for number in (1, 2)]


def _pairs(root: Path, names: Sequence[tuple[str, str]]) -> Pairs:
    """Return both directions of every pair, one after the other: rows 2 n and 2 n + 1 are its images."""
    first = 2 * np.arange(len(names), dtype=np.int32)
    source = np.stack([first, first + 1], axis=1).reshape(-1)
    target = np.stack([first + 1, first], axis=1).reshape(-1)
    flips = [read_flip(root / part / pair / "flip_gt.txt") for part, pair in names]
    labels = np.repeat([part for part, _ in names], 2)
    return Pairs(source, target, labels.astype(np.str_), {"flip": np.repeat(np.array(flips, np.int8), 2)})


def _instances(views: Sequence[View]) -> Instances:
    parts = [view.name.split("/")[0] for view in views]
    return Instances.from_columns(
        id=[view.name for view in views],
        image=[view.image for view in views],
        size=np.array([view.size for view in views], np.int32),
        bbox=np.array([view.box for view in views], np.float32),
        category=parts,
        keypoints=np.stack(list(chain.from_iterable(_points(*views[n : n + 2]) for n in range(0, len(views), 2)))),
        visibility=np.full((len(views), 2 * len(views[0].starts)), _VISIBLE),
        mask=[view.mask for view in views],
        record=[view.flow for view in views],
    )


def _points(first: View, second: View) -> list[np.ndarray]:
    """Return the keypoints of both images of a pair: pixels of the first one, then pixels of the second one."""
    return [np.concatenate([first.starts, second.ends]), np.concatenate([first.ends, second.starts])]


def _tell_absent(
    root: Path, names: Sequence[tuple[str, str]], parts: Sequence[str], options: BuildOptions, notices: Notices
) -> None:
    missing = sorted(set(parts) - {part for part, _ in names})
    if missing:
        notices.say(f"{root}: holds {len(parts) - len(missing)} of {len(parts)} parts; without {', '.join(missing)}")
    images = [root / part / pair / f"image{number}.png" for part, pair in names for number in (1, 2)]
    absent = [path for path in images if not path.is_file()]
    if absent:
        tell_absent(absent[0], f"{len(absent)} of {len(images)} images are absent", options, notices)

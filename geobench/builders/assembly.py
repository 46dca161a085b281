"""The last step of a builder: a benchmark whose name, threshold rule and, as a rule, skeletons are its card's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geobench.benchmark import Benchmark, Pairs
from geobench.card import Card
from geobench.instances import Instances
from geobench.skeleton import Skeleton


def assemble(
    card: Card,
    instances: Instances,
    splits: Mapping[str, Pairs],
    image_root: Path,
    *,
    recipe: Mapping[str, Any],
    provenance: Mapping[str, Any],
    skeletons: Mapping[str, Skeleton] | None = None,
) -> Benchmark:
    """Return the benchmark of a card, made of what its builder read.

    Args:
        card: gives name, threshold rule and skeletons.
        instances: N rows.
        splits: pairs of these rows, by the name of their split.
        image_root: folder that image and mask paths of the instances are relative to.
        recipe: what decides the pairs besides the data; part of the fingerprint.
        provenance: where it came from, and what was said about it; not part of the fingerprint.
        skeletons: by category, where they are not all of the card's, or not as they stand there.
    """
    return Benchmark(
        name=card.name,
        card=card,
        skeletons=card.skeletons() if skeletons is None else skeletons,
        instances=instances,
        splits=splits,
        threshold=card.threshold,
        image_root=image_root.resolve(),
        recipe=recipe,
        provenance=provenance,
    )

"""What is in a benchmark: counts, geometry-aware shares, images per category, fingerprint, licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tabulate import tabulate

from geobench.benchmark import Benchmark, Pairs


def inspect_benchmark(benchmark: Benchmark) -> dict[str, Any]:
    """Return the facts of a benchmark as JSON-ready values; shares are between 0 and 1."""
    table = benchmark.instances
    categories, counts = np.unique(table.category, return_counts=True)
    absent = sum(not (benchmark.image_root / str(name)).is_file() for name in np.unique(table.image))
    facts = {
        "name": benchmark.name,
        "title": benchmark.card.title,
        "fingerprint": benchmark.fingerprint,
        "licence": benchmark.card.licence,
        "threshold": benchmark.threshold,
        "instances": len(table),
        "images": len(np.unique(table.image)),
        "images_absent": absent,
        "image_root": str(benchmark.image_root),
        "keypoints": int(table.visible.sum()),
        "categories": len(categories),
        "families": len(np.unique(table.family)),
        "pairs": sum(len(pairs) for pairs in benchmark.splits.values()),
        "splits": {name: _split_facts(benchmark, pairs) for name, pairs in benchmark.splits.items()},
        "instances_per_category": dict(zip(categories.tolist(), counts.tolist(), strict=True)),
        "recipe": dict(benchmark.recipe),
    }
    # Cards expect counts of the raw data where the builder counted them, otherwise of what was built.
    found = facts | dict(benchmark.provenance.get("counts", {}))
    expected = {key: {"expected": value, "found": found.get(key)} for key, value in benchmark.card.expected.items()}
    return facts | {"expected": expected}


def _split_facts(benchmark: Benchmark, pairs: Pairs) -> dict[str, Any]:
    mutual, tags = pairs.mutual(benchmark), pairs.geometry_aware(benchmark)
    n_pairs, n_keypoints = len(pairs), int(mutual.sum())
    return {
        "pairs": n_pairs,
        "images": len(np.unique(np.concatenate([pairs.source, pairs.target]))),
        "labels": len(np.unique(pairs.category)),
        "keypoint_pairs": n_keypoints,
        "geometry_aware_keypoint_share": int(tags.sum()) / n_keypoints if n_keypoints else None,
        "geometry_aware_pair_share": int(tags.any(axis=1).sum()) / n_pairs if n_pairs else None,
    }


def inspection_text(facts: dict[str, Any]) -> str:
    """Return the facts of :func:`inspect_benchmark` as text for the terminal."""
    head = [
        f"{facts['title']} ({facts['name']})",
        f"fingerprint  {facts['fingerprint']}",
        f"licence      {facts['licence']}",
        f"threshold    alpha x longer side of the target's {facts['threshold']}",
        f"instances    {facts['instances']:,} in {facts['images']:,} images, {facts['keypoints']:,} visible keypoints",
        f"images       {facts['image_root']}"
        + (f" ({facts['images_absent']:,} absent)" if facts["images_absent"] else ""),
        f"recipe       {_flat(facts['recipe']) or '-'}",
        f"card expects {', '.join(_expectation(key, **counts) for key, counts in facts['expected'].items()) or '-'}",
    ]
    columns = ["split", "pairs", "images", "labels", "keypoint pairs", "geo keypoints", "geo pairs"]
    rows = [_split_row(name, split) for name, split in facts["splits"].items()]
    splits = tabulate(rows, columns, tablefmt="simple", colalign=["left"] + ["right"] * 6, disable_numparse=True)
    categories = ", ".join(f"{name} {n}" for name, n in facts["instances_per_category"].items())
    return "\n".join([*head, "", splits, "", f"instances per category: {categories}"])


def _split_row(name: str, facts: Mapping[str, Any]) -> list[str]:
    counts = [f"{facts[key]:,}" for key in ("pairs", "images", "labels", "keypoint_pairs")]
    shares = [facts["geometry_aware_keypoint_share"], facts["geometry_aware_pair_share"]]
    return [name, *counts, *map(_percent, shares)]


def _expectation(key: str, expected: int, found: int | None) -> str:
    differs = "" if found in (None, expected) else f" (found {found:,})"
    return f"{key} {expected:,}{differs}"


def _flat(recipe: Mapping[str, Any], prefix: str = "") -> str:
    """Return the recipe's values on one line, the tables' names before theirs."""
    parts = [
        _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else f"{prefix}{key}={value}"
        for key, value in recipe.items()
        if value != []
    ]
    return ", ".join(parts)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"

"""What is in a benchmark: counts, geometry-aware shares, images per category, fingerprint, licence."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tabulate import tabulate

from geobench.benchmark import Benchmark, Pairs

_WIDTH = 120  # columns of the text
_INDENT = 13  # where the values of its head begin
_LISTED = 60  # AP-10K has 54 species; of the 200 of CUB-200-2011 the first few say enough
_FIRST = 12
_NO_BREAK = "\N{NO-BREAK SPACE}"


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
    """Return the facts of :func:`inspect_benchmark` as text for the terminal, at most 120 columns where words allow."""
    head = [
        f"{facts['title']} ({facts['name']})",
        f"fingerprint  {facts['fingerprint']}",
        f"licence      {facts['licence']}",
        f"threshold    alpha x longer side of the target's {facts['threshold']}",
        f"instances    {facts['instances']:,} in {facts['images']:,} images, {facts['keypoints']:,} visible keypoints",
        f"images       {facts['image_root']}"
        + (f" ({facts['images_absent']:,} absent)" if facts["images_absent"] else ""),
        _wrapped("recipe", _flat(facts["recipe"])),
        _wrapped("card expects", [_expectation(key, **counts) for key, counts in facts["expected"].items()]),
    ]
    columns = ["split", "pairs", "images", "labels", "keypoint pairs", "geo keypoints", "geo pairs"]
    rows = [_split_row(name, split) for name, split in facts["splits"].items()]
    splits = tabulate(rows, columns, tablefmt="simple", colalign=["left"] + ["right"] * 6, disable_numparse=True)
    return "\n".join([*head, "", splits, "", "instances per category", _categories(facts["instances_per_category"])])


def _categories(counts: Mapping[str, int]) -> str:
    """Return the counts on as many lines as they need; of very many categories the first few."""
    items = [f"{name} {count:,}" for name, count in counts.items()]
    if len(items) > _LISTED:
        items = [*items[:_FIRST], f"and {len(items) - _FIRST} more categories (--json lists them)"]
    return _wrapped("", items, indent=2)


def _wrapped(label: str, items: Sequence[str], indent: int = _INDENT) -> str:
    """Return the items after their label, with commas, broken between items only."""
    text = ", ".join(item.replace(" ", _NO_BREAK) for item in items) or "-"
    filled = textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{label:<{indent}}",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(_NO_BREAK, " ")


def _split_row(name: str, facts: Mapping[str, Any]) -> list[str]:
    counts = [f"{facts[key]:,}" for key in ("pairs", "images", "labels", "keypoint_pairs")]
    shares = [facts["geometry_aware_keypoint_share"], facts["geometry_aware_pair_share"]]
    return [name, *counts, *map(_percent, shares)]


def _expectation(key: str, expected: int, found: int | None) -> str:
    differs = "" if found in (None, expected) else f" (found {found:,})"
    return f"{key} {expected:,}{differs}"


def _flat(recipe: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the recipe's values as ``key=value``, those of tables with the table's name before theirs."""
    parts: list[str] = []
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            parts += _flat(value, f"{prefix}{key}.")
        elif value != []:
            parts.append(f"{prefix}{key}={value}")
    return parts


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"

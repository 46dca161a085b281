"""The fingerprint of a benchmark: SHA-256 over its canonical content.

Rows enter in the order of their ids and pairs by those ranks, so neither the order of files on disk, nor the
folder, nor dates change it. Any keypoint, box, pair, subgroup, threshold rule or seed does.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from geobench.instances import Instances

if TYPE_CHECKING:
    from geobench.benchmark import Benchmark, Pairs

FINGERPRINT_VERSION = 1


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def fingerprint(benchmark: Benchmark) -> str:
    """Return the fingerprint of ``benchmark`` as 64 hexadecimal digits."""
    order = np.argsort(benchmark.instances.id, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    state = hashlib.sha256(canonical_json(_header(benchmark)))
    _update_instances(state, benchmark.instances, order)
    for name in sorted(benchmark.splits):
        _update_pairs(state, name, benchmark.splits[name], rank)
    return state.hexdigest()


def _header(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "fingerprint_version": FINGERPRINT_VERSION,
        "name": benchmark.name,
        "card_version": benchmark.card.version,
        "threshold": benchmark.threshold,
        "skeletons": {category: skeleton.to_dict() for category, skeleton in benchmark.skeletons.items()},
        "recipe": dict(benchmark.recipe),
    }


def _update_instances(state: Any, table: Instances, order: np.ndarray) -> None:
    for column in (table.id, table.image, table.category, table.family, table.mask, table.record):
        state.update(canonical_json(column[order].tolist()))
    # Adding 0.0 turns -0.0 into 0.0, which are equal numbers with different bytes.
    for numbers in (table.width, table.height, table.bbox, table.keypoints, table.azimuth):
        state.update(np.ascontiguousarray(numbers[order].astype("<f4") + np.float32(0)).tobytes())
    state.update(np.ascontiguousarray(table.visibility[order]).tobytes())


def _update_pairs(state: Any, name: str, pairs: Pairs, rank: np.ndarray) -> None:
    labels, codes = np.unique(pairs.category, return_inverse=True)
    state.update(canonical_json([name, len(pairs), labels.tolist()]))
    for numbers in (rank[pairs.source], rank[pairs.target], codes):
        state.update(numbers.astype("<i4").tobytes())
    for attribute, values in sorted(pairs.attributes.items()):
        state.update(canonical_json(attribute) + values.astype("<i4").tobytes())

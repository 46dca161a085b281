"""Raw AP-10K folders for the tests: the goldens unpacked, and the malformed inputs."""

from __future__ import annotations

import csv
import gzip
import json
import warnings
from pathlib import Path
from typing import Any

from geobench.benchmark import Benchmark
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning

GOLDENS = Path(__file__).parents[1] / "goldens" / "ap10k"
EDGE: dict[str, Any] = json.loads(gzip.decompress((GOLDENS / "edge.json.gz").read_bytes()))
TRAIN, VAL, TEST = (f"ap10k-{name}-split1.json" for name in ("train", "val", "test"))


def unpack(inputs: Path, folder: Path) -> Path:
    """Write the golden annotation files of ``inputs`` into ``folder``/annotations, the crowd list beside them."""
    annotations = folder / "annotations"
    annotations.mkdir(parents=True)
    for path in sorted(inputs.iterdir()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        name = path.name.removesuffix(".gz")
        (annotations / name if name.endswith(".json") else folder / name).write_bytes(content)
    return folder


def write_edge(folder: Path, files: dict[str, str | None]) -> Path:
    """Write the valid base with some of its files replaced (or left out, where None) into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**EDGE["base"], **files}.items():
        if content is not None:
            (folder / name).write_bytes(content.encode("latin-1"))
    return folder


def changed_base(file: str, part: str, row: int, **fields: Any) -> dict[str, str | None]:
    """Return a changed file of the valid base: ``fields`` of one record replaced, or removed where Ellipsis."""
    content = json.loads(EDGE["base"][file])
    record = {**content[part][row], **fields}
    content[part][row] = {key: value for key, value in record.items() if value is not ...}
    return {file: json.dumps(content)}


def build(source: Path, **options: Any) -> tuple[Benchmark, list[str]]:
    """Return the benchmark made of ``source``, and what was warned about besides absent images."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        benchmark = build_benchmark(find_card("ap10k"), source, BuildOptions(**options))
    said = [str(one.message) for one in caught if issubclass(one.category, GeobenchWarning)]
    return benchmark, [text for text in said if "annotated images are absent" not in text]


def pair_names(benchmark: Benchmark, split: str) -> list[str]:
    """Return the pairs of a split as the authors' code names them."""
    pairs, ids = benchmark.split(split), benchmark.instances.id
    ends = zip(ids[pairs.source], ids[pairs.target], pairs.category, strict=True)
    return [f"{source}-{target}:{label}.json" for source, target, label in ends]


def golden_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))

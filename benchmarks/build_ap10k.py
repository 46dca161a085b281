"""How long the full AP-10K build takes: read, validate, sample ~300,000 pairs, tag them, save.

    .venv/bin/python benchmarks/build_ap10k.py [SOURCE] [--repeat 3]

SOURCE is a raw AP-10K folder; without one, a synthetic set of AP-10K's size is written to a temporary folder (10,015
images, 13,060 annotations, 54 species in 23 families, seeded). Each build runs in a process of its own.

The reference is the authors' notebook (prepare_ap10k.ipynb of GeoAware-SC, cells 0 and 2 to 5), which took 111 CPU
seconds on a synthetic set of the same size (one process, one run, shared two-core machine; the only full-size
measurement there is). It writes a file per pair, this writes columns: the purpose is the same, the output is not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

NOTEBOOK_CPU_SECONDS = 111.0
IMAGES, ANNOTATIONS, SPECIES, FAMILIES, CROWDED = 10_015, 13_060, 54, 23, 1_847


def write_synthetic(folder: Path) -> Path:
    """Write three annotation files and a crowd list of AP-10K's size into ``folder``; the same bytes each time."""
    from geobench.catalog import find_card

    keypoints = find_card("ap10k").keypoints
    assert keypoints is not None
    rng = np.random.default_rng(10_015)
    family = np.concatenate([np.arange(FAMILIES), rng.integers(0, FAMILIES, SPECIES - FAMILIES)])
    categories = [
        {
            "id": i + 1,
            "name": f"species {i:02d}",
            "supercategory": f"Family{family[i]:02d}",
            "keypoints": keypoints.names,
        }
        for i in range(SPECIES)
    ]
    ids = rng.permutation(60_000)[:IMAGES]
    category = rng.choice(SPECIES, IMAGES, p=rng.dirichlet(np.full(SPECIES, 4.0))) + 1
    size = rng.integers(300, 1300, (IMAGES, 2))
    owner = np.concatenate([np.arange(IMAGES), rng.integers(0, IMAGES, ANNOTATIONS - IMAGES)])
    flags = rng.choice([0, 1, 2], (ANNOTATIONS, 17), p=[0.25, 0.02, 0.73])
    points = (rng.uniform(0.1, 0.9, (ANNOTATIONS, 17, 2)) * size[owner, None]).astype(int) * (flags[..., None] > 0)
    triples = np.concatenate([points, flags[..., None]], axis=2).reshape(ANNOTATIONS, -1)
    split = rng.choice(["train", "val", "test"], IMAGES, p=[0.7, 0.1, 0.2])
    (folder / "annotations").mkdir(parents=True)
    for name in ("train", "val", "test"):
        images = [
            {"id": int(ids[i]), "file_name": f"{ids[i]:012d}.jpg", "width": int(size[i, 0]), "height": int(size[i, 1])}
            for i in np.flatnonzero(split == name)
        ]
        annotations = [
            {
                "id": int(row) + 1,
                "image_id": int(ids[owner[row]]),
                "category_id": int(category[owner[row]]),
                "bbox": [10, 10, int(size[owner[row], 0]) - 20, int(size[owner[row], 1]) - 20],
                "num_keypoints": int((flags[row] > 0).sum()),
                "keypoints": triples[row].tolist(),
            }
            for row in np.flatnonzero(split[owner] == name)
        ]
        document = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "annotations" / f"ap10k-{name}-split1.json").write_text(json.dumps(document))
    crowded = np.sort(rng.choice(ids, CROWDED, replace=False))
    (folder / "ap-10k_is_crowd.txt").write_text("".join(f"{number:012d}\n" for number in crowded))
    return folder


def build_once(source: Path, out: Path) -> None:
    """Build and save in this process, and print what it took as JSON."""
    start = time.perf_counter()
    from geobench.builders.options import build_benchmark
    from geobench.catalog import find_card

    warnings.simplefilter("ignore")  # the images are absent
    benchmark = build_benchmark(find_card("ap10k"), source)
    benchmark.save(out)
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "pairs": sum(len(pairs) for pairs in benchmark.splits.values()),
        "fingerprint": benchmark.fingerprint,
        "wall": time.perf_counter() - start,
        "cpu": used.ru_utime + used.ru_stime,
        "rss": used.ru_maxrss / 1024,
    }
    print(json.dumps(measured))


def measure(source: Path, out: Path, repeat: int) -> None:
    """Build ``repeat`` times, each in a fresh process, and print the figures and the ratio to the reference."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, __file__, str(source), "--once", str(out)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this very file
        runs.append(json.loads(done.stdout))
    assert len({run["fingerprint"] for run in runs}) == 1
    wall, cpu = ([run[what] for run in runs] for what in ("wall", "cpu"))
    print(f"pairs:      {runs[0]['pairs']:,}, fingerprint {runs[0]['fingerprint'][:12]}, the same in every run")
    print(f"wall:       {min(wall):.1f} s ({', '.join(f'{seconds:.1f}' for seconds in wall)})")
    print(f"CPU:        {min(cpu):.1f} s ({', '.join(f'{seconds:.1f}' for seconds in cpu)}), start of Python included")
    print(f"memory:     {max(run['rss'] for run in runs):.0f} MiB at its peak")
    print(f"load:       {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    ratio = NOTEBOOK_CPU_SECONDS / min(cpu)
    print(f"ratio:      {ratio:.0f} times less CPU than the {NOTEBOOK_CPU_SECONDS:.0f} s of the authors' notebook")


def main() -> None:
    """Measure the build of the folder given, or of a synthetic set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once is not None:
        build_once(arguments.source, arguments.once)
        return
    with tempfile.TemporaryDirectory() as temporary:
        source = arguments.source or write_synthetic(Path(temporary) / "raw")
        measure(source, Path(temporary) / "out", arguments.repeat)


if __name__ == "__main__":
    main()

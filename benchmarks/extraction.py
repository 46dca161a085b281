"""What describing an image costs: operations counted, and measured against the straightforward way in the same run.

    .venv/bin/python benchmarks/extraction.py [--device cuda] [--images 16] [--full] [--count-only]

1. Operations per image at true size (torch's meta device): straightforward (one crop or noise at a time through
   everything: whole UNet, decoder, text encoder), the authors' code, geobench; and the least time on known cards.
2. Measured, with random weights of true size: the extractor against the straightforward way, in float32, and whether
   features agree; then the extractor in bfloat16. On a GPU at true resolution, in batches, in wall time; on a CPU,
   unless --full, reduced: DINOv2-B at 518, SD 1.5 on one crop, DIFT at 512 with two noises, one image each, in CPU
   time. Beside each the bound: its operations at the rate that large matrix products reach here, measured now.

Peaks of cards: NVIDIA's whitepaper "H100 Tensor Core GPU Architecture", H100 SXM5, without sparsity; the H200 has the
same processor. torch runs float32 convolutions in TF32 there by default, and products in float32.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _extraction_cases import Case, cases
from _extraction_counts import Count, Row, dift, dinov2, stable_diffusion, text_encoder
from PIL import Image
from tabulate import tabulate

from geobench.features.levels import Levels
from geobench.picture import Picture

PEAK = {"float32 products": 66.9e12, "TF32 convolutions": 494.7e12, "bfloat16": 989.4e12}
"""Operations per second of an H100 SXM5 or H200."""


def print_counts(rows: list[Row]) -> None:
    """Print operations per image, and the least time on known cards."""
    lines, least = [], []
    for row in rows:
        counts = (row.plain, row.authors, row.ours)
        ratios = [f"{one.operations / row.ours.operations:.2f}" for one in counts[:2]]
        weights = f"{row.plain.weights / 1e9:.2f}, {row.ours.weights / 1e9:.2f}"
        lines.append([row.name, *(f"{one.operations / 1e12:.2f}" for one in counts), *ratios, weights])
        least.append([row.name, *(f"{1 / card_seconds(row.ours, dtype):.1f}" for dtype in ("float32", "bfloat16"))])
    head = ["10^12 operations per image", "straightforward", "authors", "geobench", "ratio", "to authors"]
    print(tabulate(lines, [*head, "GB of weights, before and after"], disable_numparse=True))
    prompts = [text_encoder(version).operations / 1e12 for version in ("1.5", "2.1")]
    print(f"A prompt takes {prompts[0]:.3f} (SD 1.5) or {prompts[1]:.3f} (2.1), once per category.\n")
    head = ["most images per second on an H100 SXM5 or H200", "float32, convolutions in TF32", "bfloat16"]
    print(tabulate(least, head, disable_numparse=True) + "\n")


def card_seconds(count: Count, dtype: str) -> float:
    """Return the least seconds on a known card."""
    if dtype == "bfloat16":
        return count.operations / PEAK["bfloat16"]
    return count.products / PEAK["float32 products"] + count.convolutions / PEAK["TF32 convolutions"]


def spent(call: Callable[[], Any], device: str) -> tuple[float, Any]:
    """Return wall seconds on a GPU or CPU seconds on a CPU, and what the call returned."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    if device != "cpu":
        torch.cuda.synchronize()
    start = clock()
    made = call()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start, made


def reached(device: str, dtype: str) -> float:
    """Return the operations per second (of the clock of :func:`spent`) of a large matrix product here."""
    side = 1024 if device == "cpu" else 8192
    a, b = (torch.randn(side, side, device=device).to(getattr(torch, dtype)) for _ in range(2))
    a @ b
    return 2 * side**3 / min(spent(lambda: a @ b, device)[0] for _ in range(5))


def pictures(folder: Path, count: int) -> list[Picture]:
    """Return images of noise, 640 x 480."""
    made = []
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
        made.append(Picture(str(number), folder / f"{number}.png", (640, 480), "cat", (0.0, 0.0, 640.0, 480.0)))
    return made


def in_batches(extractor: Any, images: list[Picture]) -> list[torch.Tensor]:
    """Describe all images, always so many at a time as the extractor asks for; return the first one's maps."""
    found = []
    for start in range(0, len(images), extractor.batch):
        some = images[start : start + extractor.batch]
        some += [some[-1]] * (extractor.batch - len(some))
        found.append(extractor.many(some, [0] * len(some))[0])
    first = found[0]
    return [level.features for level in (first.maps if isinstance(first, Levels) else [first])]


def difference(a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
    """Return the largest relative difference of maps."""
    return max(float((x - y).norm() / y.norm()) for x, y in zip(a, b, strict=True))


def measure(case: Case, images: list[Picture], device: str) -> None:
    """Print how long a case takes in each way."""
    unit, warm = ("CPU s", []) if device == "cpu" else ("s", images[:1])
    plain, few = case.plain(device), images[: max(1, len(images) // 4)]
    for one in warm:
        plain(one)
    slow, described = spent(lambda: [plain(one) for one in few], device)
    slow, exact = slow / len(few), described[0]
    del plain
    gc.collect()  # its hooks refer to it: 5 GB
    print(f"{case.row.name}\n  straightforward, float32: {slow:.3f} {unit} per image", flush=True)
    for dtype in ("float32", "bfloat16"):
        rate, fast = reached(device, dtype), reached(device, "float32")
        if rate < fast / 4:
            print(f"  geobench, {dtype}: left out, products are {fast / rate:.0f} times slower here than in float32")
            continue
        extractor = case.ours(device, dtype)
        in_batches(extractor, warm) if warm else None
        seconds, found = spent(lambda extractor=extractor: in_batches(extractor, images), device)
        seconds /= len(images)
        bound, fewer = case.row.ours.operations / rate, case.row.plain.operations / case.row.ours.operations
        print(
            f"  geobench, {dtype}, batch {extractor.batch}: {seconds:.3f} {unit} per image, {1 / seconds:.2f} images "
            f"per {unit}\n    {slow / seconds:.2f} times faster ({fewer:.2f} times fewer operations); features differ "
            f"by {difference(found, exact):.1e}\n    {seconds / bound:.1f} times the bound at {rate / 1e12:.3f} 10^12 "
            f"operations per {unit}",
            flush=True,
        )
        del extractor
        gc.collect()


def main() -> None:
    """Count, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, help="how many are measured; 16 on a GPU, 1 on a CPU")
    parser.add_argument("--full", action="store_true", help="true resolution on a CPU too")
    parser.add_argument("--count-only", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    print_counts([dinov2(), stable_diffusion(), dift()])
    if arguments.count_only:
        return
    on_cpu = arguments.device == "cpu"
    name = f"CPU, {torch.get_num_threads()} threads" if on_cpu else torch.cuda.get_device_name(arguments.device)
    print(f"{name}, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as temporary:
        images = pictures(Path(temporary), arguments.images or (1 if on_cpu else 16))
        for case in cases(reduced=on_cpu and not arguments.full):
            measure(case, images, arguments.device)


if __name__ == "__main__":
    main()

"""How long one masked instance matching distance takes: 60 x 60 maps of 768 channels, compared at 64 x 64.

    .venv/bin/python benchmarks/pose_distance.py [--channels 768] [--share 0.17] [--threads 2]

The reference, in the same run, is a plain transcription of the procedure as documented (GeoAware-SC, section 3.1;
reference facts in docs/pose-alignment.md): both maps interpolated to 64 x 64 and multiplied by their masks, zeros
moved far away, and a Python loop over the cells of the source mask, each compared with all 4,096 target cells. Both
must give the same distance. Two figures: from maps and masks (what one call of theirs does), and between instances
whose cells are known already, as in an evaluation, where an image takes part in many pairs.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)

from geobench.matching.distance import InstanceCells, instance_cells, masked_nearest

SIDE, RESOLUTION, MASK = 60, 64, 960


def example(seed: int, channels: int, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a smooth unit-length map [c, 60, 60] and a disc that covers ``share`` of its frame."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn((1, channels, 12, 12), generator=generator)
    features = F.interpolate(coarse, (SIDE, SIDE), mode="bilinear")[0]
    features = F.normalize(features + 0.3 * torch.randn(features.shape, generator=generator), dim=0)
    axis = (torch.arange(MASK) + 0.5) / MASK - 0.5
    return features, axis[:, None] ** 2 + axis[None] ** 2 < share / torch.pi


def plain(source: torch.Tensor, target: torch.Tensor, source_mask: torch.Tensor, target_mask: torch.Tensor) -> float:
    """Return the distance as the documented procedure computes it, cell after cell."""
    rows = []
    for features, mask in ((source, source_mask), (target, target_mask)):
        size = (RESOLUTION, RESOLUTION)
        large = F.interpolate(features[None], size, mode="bilinear", align_corners=False)[0]
        small = F.interpolate(mask[None, None].float(), size, mode="nearest")[0, 0]
        masked = (large * small).flatten(1).T.contiguous()
        masked[masked == 0] = -100000
        rows.append((masked, small.flatten() > 0))
    (queries, asked), (candidates, _) = rows
    least = [torch.linalg.norm(query[None] - candidates, dim=1).min() for query in queries[asked]]
    return float(torch.stack(least).mean())


def best_of(times: int, call: Callable[[], object]) -> float:
    """Return the least seconds of some calls."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def report(cells: tuple[InstanceCells, InstanceCells], channels: int, slow: float, whole: float, known: float) -> None:
    """Print times, ratios, and the operations and bytes that bound them."""
    n, m = (len(one.vectors) for one in cells)
    products, a = 2 * n * m * channels, torch.randn(2048, 2048)
    speed = 2 * 2048**3 / best_of(5, lambda: a @ a)
    read = 4 * 4 * channels * (n + m)
    print(
        f"loop over source cells:     {slow * 1e3:8.1f} ms, {n * RESOLUTION**2 * channels * 3 / 1e9:.2f} G operations"
    )
    print(f"from maps and masks:        {whole * 1e3:8.1f} ms, {slow / whole:.0f} times faster")
    print(f"between known instances:    {known * 1e3:8.1f} ms, {slow / known:.0f} times faster")
    bound = products / speed
    print(
        f"bound: {products / 1e9:.2f} G operations for {n} x {m} products of {channels} channels, {bound * 1e3:.1f} ms"
    )
    print(
        f"       at this machine's {speed / 1e9:.0f} G operations/s (measured now): {known / bound:.1f} times the bound"
    )
    print(f"       interpolation gathers 4 cells each: {read / 2**20:.0f} MiB")


def main() -> None:
    """Time all three and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=768)
    parser.add_argument("--share", type=float, default=0.17, help="share of the frame that an instance covers")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    (source, source_mask), (target, target_mask) = (
        example(seed, arguments.channels, arguments.share) for seed in (0, 1)
    )

    def fresh() -> tuple[InstanceCells, InstanceCells]:
        return instance_cells(source, source_mask), instance_cells(target, target_mask)

    known = fresh()
    for zeros in ("exclude", "far"):
        ours, theirs = masked_nearest(*known, zeros), plain(source, target, source_mask, target_mask)
        assert abs(ours - theirs) < 1e-5, (ours, theirs)
    print(f"{arguments.channels} channels, {arguments.threads} threads, load {os.getloadavg()[0]:.1f}; same distance")
    slow = best_of(2, lambda: plain(source, target, source_mask, target_mask))
    whole = best_of(20, lambda: masked_nearest(*fresh()))
    report(known, arguments.channels, slow, whole, best_of(20, lambda: masked_nearest(*known)))


if __name__ == "__main__":
    main()

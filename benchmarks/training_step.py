"""One training step of the post-processor, against a plain transcription of the documented procedure, in the same run.

    .venv/bin/python benchmarks/training_step.py [--whole]

60 x 60 cells, 3968 channels to 768, 10 keypoints, the pair and all three mirrored variants, sparse and dense loss.

1. All that follows the post-processor, forward and backward down to the gradient of its output: time, and the memory
   kept for the backward pass. Reference: every map brought to unit length, the whole 3600 x 3600 table and its softmax
   for each variant, then the keypoints' rows are picked (reference/geoaware-sc.md, 8). ``torch.softmax`` stands for
   the authors' subtraction, exponential, sum and division, which keep three more such tables.
2. Passes of the post-processor for a batch of three pairs of three images. Reference: four per pair. With ``--whole``
   the steps are timed as well, post-processor included.

Best of several repetitions, in this process, on at most two threads, float32.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from torch import Tensor, nn

from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.training.losses import LossSettings, Objective, batch_loss
from geobench.training.post_processor import GROUPS, PostProcessor
from geobench.training.views import Shown, ShownPair, ViewPair, lengths_of, view_of

SIDE, GRID, KEYPOINTS, TEMPERATURE = 840, 60, 10, 0.02
MIRROR = [1, 0, 3, 2, 5, 4, 7, 6, 8, 9]
WEIGHTS = {"pair": 1.0, "single": 1.0, "double": 1.0, "self": 0.25}


def shown(number: int, channels: int) -> Shown:
    """Return an image of random features and keypoints."""
    generator = torch.Generator().manual_seed(number)
    features = torch.randn(channels, GRID, GRID, generator=generator)
    points = torch.rand(KEYPOINTS, 2, generator=generator) * SIDE
    box = Letterbox.pad((SIDE, SIDE), SIDE)
    return Shown(str(number), FeatureMap(features, box), points, torch.ones(KEYPOINTS, dtype=torch.bool), 400.0)


def pair_of(first: int, second: int, channels: int) -> ShownPair:
    """Return two images with their mirror images, whose features are others."""
    source, target = shown(first, channels), shown(second, channels)
    mirrored = [shown(100 + number, channels).features for number in (first, second)]
    return ShownPair(source, target, source.mirrored(mirrored[0], MIRROR), target.mirrored(mirrored[1], MIRROR))


def plain_loss(images: dict[str, tuple[Tensor, Tensor]], scale: Tensor) -> Tensor:
    """Return the loss by the documented procedure.

    Args:
        images: by name the descriptors [hw, c], not of unit length, and the keypoints [n, 2] in cells.
        scale: of the contrastive loss.
    """
    terms = {
        "pair": ("source", "target"),
        "single": ("source mirrored", "target"),
        "double": ("source mirrored", "target mirrored"),
        "self": ("source mirrored", "source"),
    }
    unit = {name: one / (torch.linalg.norm(one, dim=1, keepdim=True) + 1e-10) for name, (one, _) in images.items()}
    total = scale.new_zeros(())
    for term, (source, target) in terms.items():
        (one, other), (at, to) = (unit[source], unit[target]), (images[source][1], images[target][1])
        rows, columns = (place[:, 1].long() * GRID + place[:, 0].long() for place in (at, to))
        logits = scale * one[rows] @ other[columns].T
        classes = torch.arange(KEYPOINTS)
        sparse = (F.cross_entropy(logits, classes) + F.cross_entropy(logits.T, classes)) / 2
        chance = torch.softmax(one @ other.T / TEMPERATURE, dim=1).reshape(-1, GRID, GRID)
        number = torch.arange(GRID, dtype=torch.float32)
        places = torch.stack([chance.sum(dim=1) @ number, chance.sum(dim=2) @ number], dim=1)[rows]
        total = total + WEIGHTS[term] * (sparse + (places - (to - 0.5)).norm(dim=1).mean())
    return total / sum(WEIGHTS.values())


def plain_images(pair: ShownPair, made: list[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what :func:`plain_loss` reads, from the post-processor's output [c, h, w] per image."""
    names = ("source", "target", "source mirrored", "target mirrored")
    cells = [image.features.grid_points(image.points) for image in pair.images]
    return {name: (one.flatten(1).T, at) for name, one, at in zip(names, made, cells, strict=True)}


def kept(compute: Callable[[], Tensor], given: list[Tensor]) -> float:
    """Return the megabytes that a loss keeps for its backward pass, beside what it is given."""
    storages: dict[int, int] = {}
    held = []

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = compute()
    del loss
    known = {one.untyped_storage().data_ptr() for one in given}
    return sum(size for address, size in storages.items() if address not in known) / 1e6


def timed(compute: Callable[[], Tensor], repetitions: int) -> tuple[float, float]:
    """Return the least seconds of forward and backward pass, wall and CPU of both cores."""
    wall, cpu = [], []
    for _ in range(repetitions):
        start = time.perf_counter(), time.process_time()
        compute().backward()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return min(wall), min(cpu)


def loss_row() -> None:
    """Print time and memory of all that follows the post-processor."""
    pair, objective = pair_of(0, 1, 1), Objective(LossSettings(perturbation=0.0))
    made = [torch.rand(768, GRID, GRID, generator=torch.Generator().manual_seed(n)).requires_grad_() for n in range(4)]
    scale = torch.tensor(14.0, requires_grad=True)

    def ours() -> Tensor:
        columns = [one.flatten(1) for one in made]
        views = [view_of(image, one, lengths_of(one)) for image, one in zip(pair.images, columns, strict=True)]
        return objective(ViewPair(*views), scale).total

    def plain() -> Tensor:
        return plain_loss(plain_images(pair, made), scale)

    gap, slope = abs(ours().item() - plain().item()), gradient_gap(ours, plain, made)
    (fast, fast_cpu), (slow, slow_cpu) = timed(ours, 10), timed(plain, 3)
    small, large = kept(ours, made), kept(plain, made)
    print(
        f"after the post-processor  {1e3 * fast:8.1f} ms, plain {1e3 * slow:8.0f} ms: {slow / fast:5.1f} times faster"
    )
    print(f"  CPU seconds {fast_cpu:.3f} and {slow_cpu:.2f}: {slow_cpu / fast_cpu:.1f} times less")
    print(f"  kept for the backward pass {small:.1f} MB, plain {large:.0f} MB: {large / small:.0f} times less")
    print(f"  losses differ by {gap:.1e}, gradients by {slope:.1e} of their norm")


def gradient_gap(ours: Callable[[], Tensor], plain: Callable[[], Tensor], made: list[Tensor]) -> float:
    """Return the largest relative difference of the gradients of the maps."""
    one, other = torch.autograd.grad(ours(), made), torch.autograd.grad(plain(), made)
    return max(float((a - b).norm() / b.norm()) for a, b in zip(one, other, strict=True))


class Counted(nn.Module):
    """A post-processor that counts the images that pass it."""

    def __init__(self, network: PostProcessor) -> None:
        super().__init__()
        self.network, self.count = network, 0

    def forward(self, features: Tensor) -> Tensor:
        """Return the network's output."""
        self.count += len(features)
        made: Tensor = self.network(features)
        return made


def batch_row(whole: bool) -> None:
    """Print how many passes a batch takes; with ``whole`` also how long the steps take."""
    channels = sum(GROUPS) if whole else 64
    network = PostProcessor(GROUPS) if whole else PostProcessor([channels], 128)
    objective = Objective(LossSettings(perturbation=0.0))
    pairs = [pair_of(a, b, channels) for a, b in ((0, 1), (1, 2), (2, 0))]
    counted = Counted(network)

    def ours() -> Tensor:
        return batch_loss(counted, objective, pairs, network.scale).total

    def plain() -> Tensor:
        losses = []
        for pair in pairs:
            made = [counted(image.features.features[None])[0] for image in pair.images]
            losses.append(plain_loss(plain_images(pair, made), network.scale))
        return torch.stack(losses).mean()

    fast, passes = timed(ours, 1), counted.count
    counted.count = 0
    slow = timed(plain, 1)
    print(f"passes of the post-processor for 3 pairs of 3 images and mirror images: {passes}, plain {counted.count}")
    if whole:
        print(f"  whole step {fast[0]:.1f} s, plain {slow[0]:.1f} s: {slow[0] / fast[0]:.1f} times faster")


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="time whole steps too, post-processor of true size")
    arguments = parser.parse_args()
    torch.set_num_threads(min(2, torch.get_num_threads()))
    loss_row()
    batch_row(arguments.whole)


if __name__ == "__main__":
    main()

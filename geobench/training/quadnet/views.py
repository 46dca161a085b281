"""The training pictures and what is known of them, rendered once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float16, Float32, UInt8

from geobench.builders.synthetic.raycast import Primitive, View, cast
from geobench.builders.synthetic.render import render
from geobench.builders.synthetic.scene import Scene, random_scene
from geobench.training.quadnet.correspond import merged_places
from geobench.training.quadnet.species import ENTROPY, invented_species

SIDE, STEP = 144, 2
"""Side of the square pictures in pixels, and pixels per cell of their truth."""


@dataclass(frozen=True, eq=False)
class Views:
    """Rendered pictures; what is known of them is on cells of ``STEP`` x ``STEP`` pixels.

    Attributes:
        pictures: RGB, 0 to 255.
        truth: per cell: 1 on the animal and 0 elsewhere; the place (x, |y|, z) on the template in body units; how much
            nearer to the camera than the animal's middle, in body units. Zero off the animal.
        heading: unit vector from tail to head in the camera's axes (right, down, forward).
    """

    pictures: UInt8[np.ndarray, "n side side 3"]
    truth: Float16[np.ndarray, "n 5 cells cells"]
    heading: Float32[np.ndarray, "n 3"]


def render_views(
    count: int, species: int, entropy: int = ENTROPY, progress: Callable[[int, int], None] | None = None
) -> Views:
    """Return ``count`` pictures of invented species, in turn; each has a random generator of its own.

    Args:
        count: number of pictures.
        species: number of species.
        entropy: first word of every seed.
        progress: called after every picture with the number done and the number in all.
    """
    cells = SIDE // STEP
    pictures = np.empty((count, SIDE, SIDE, 3), np.uint8)
    truth, heading = np.empty((count, 5, cells, cells), np.float16), np.empty((count, 3), np.float32)
    kinds = [invented_species(number, entropy) for number in range(species)]
    for number in range(count):
        rng = np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(1, number)))
        scene = random_scene((kinds[number % species],), SIDE, rng)
        pictures[number] = render(scene).picture
        truth[number], heading[number] = known(scene)
        if progress is not None:
            progress(number + 1, count)
    return Views(pictures, truth, heading)


def known(scene: Scene) -> tuple[Float16[np.ndarray, "5 cells cells"], Float32[np.ndarray, " 3"]]:
    """Return the truth of the first animal of a scene, as :class:`Views` has it, by one ray per cell."""
    animal, view = scene.animals[0], _coarser(scene.view)
    solids: list[Primitive] = [piece.solid for piece in animal.body.pieces]
    depth, index = cast(view, [*solids, *(prop.solid for prop in scene.props)])
    own = (index >= 0) & (index < len(solids))
    row, column = np.nonzero(own)
    t = depth[row, column]
    x, y = (column + 0.5 - view.centre[0]) / view.focal, (row + 0.5 - view.centre[1]) / view.focal
    points = np.stack([x * t, y * t, t], axis=1) @ view.rotation + view.position
    angle = animal.place[2]
    forward = view.rotation @ np.array([np.cos(angle), np.sin(angle), 0.0])
    middle = view.to_view(np.array([[animal.place[0], animal.place[1], animal.shape.leg]]))[0, 2]
    result = np.zeros((5, *view.shape), np.float16)
    result[0, row, column] = 1.0
    result[1:4, row, column] = merged_places(animal, index[row, column], points).T
    result[4, row, column] = middle - t
    return result, forward.astype(np.float32)


def _coarser(view: View) -> View:
    centre = (view.centre[0] / STEP, view.centre[1] / STEP)
    return replace(view, focal=view.focal / STEP, centre=centre, shape=(view.shape[0] // STEP, view.shape[1] // STEP))

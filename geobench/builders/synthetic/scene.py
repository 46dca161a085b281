"""A random scene: one or two animals, a camera, a sun, and things that stand around.

**Azimuth** (the one definition): the bearing of the camera about the animal, in degrees in [0, 360), measured
from the animal's heading and growing counter-clockwise seen from above. 0: the animal faces the camera;
90: the camera looks at its left side; 180: it walks away; 270: the camera looks at its right side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geobench.builders.synthetic.anatomy import build
from geobench.builders.synthetic.body import Body, Frame, Piece, Pose, Shape
from geobench.builders.synthetic.habitat import HABITATS, Habitat, Prop, random_props
from geobench.builders.synthetic.pose import individual, random_pose
from geobench.builders.synthetic.raycast import Array, View
from geobench.builders.synthetic.species import Species


@dataclass(frozen=True)
class Animal:
    """An animal in the world: ``body`` in world axes, ``rest`` the same pieces at rest in body axes."""

    species: Species
    body: Body
    rest: Body
    shape: Shape
    place: tuple[float, float, float]
    tint: float
    shift: tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """Everything a picture shows; ``sun`` [3] is the unit vector towards the sun."""

    animals: tuple[Animal, ...]
    view: View
    sun: Array
    habitat: Habitat
    props: tuple[Prop, ...]
    offset: tuple[float, float]


def azimuth(animal: Animal, view: View) -> float:
    """Return the azimuth in degrees, as defined in this module's first paragraph, to 0.1 degree."""
    x, y, heading = animal.place
    bearing = np.arctan2(view.position[1] - y, view.position[0] - x) - heading
    return float(round(float(np.degrees(bearing)) % 360.0, 1)) % 360.0


def place_animal(
    species: Species, shape: Shape, pose: Pose, place: tuple[float, float, float] = (0.0, 0.0, 0.0),
    tint: float = 1.0, shift: tuple[float, float] = (0.0, 0.0),
) -> Animal:  # fmt: skip
    """Return an animal standing at world (x, y) with heading (radians from the x axis), ``place``."""
    x, y, heading = place
    c, s = np.cos(heading), np.sin(heading)
    rotation, translation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]), np.array([x, y, 0.0])
    posed = build(shape, pose)
    pieces = [
        Piece(
            p.solid.moved(rotation, translation), p.part,
            Frame(rotation @ p.frame.rotation, rotation @ p.frame.origin + translation), p.seams,
        )
        for p in posed.pieces
    ]  # fmt: skip
    points = {name: rotation @ point + translation for name, point in posed.points.items()}
    body = Body(pieces, points, posed.tolerances)
    return Animal(species, body, build(shape, Pose(), marked=False), shape, place, tint, shift)


def orbit(target: Array, azimuth_deg: float, elevation_deg: float, distance: float, size: int) -> View:
    """Return a camera at ``distance`` body units from ``target``, looking at it; focal length one image side."""
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    back = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    down = np.cross(-back, right)
    rotation = np.stack([right, down, -back])
    return View(rotation, target + distance * back, float(size), (size / 2, size / 2), (size, size))


def frame_animals(view: View, animals: Sequence[Animal], fill: float, spot: tuple[float, float]) -> View:
    """Return ``view`` zoomed so that the animals' box is ``fill`` of the image side, at ``spot``.

    ``spot`` (0..1, 0..1) is where in the free space the box lies: (0, 0) at the upper left, (1, 1) lower right.
    """
    low, high = extent(view, animals)
    side = view.shape[0]
    focal = fill * side / float(max(high - low))
    free = side - (high - low) * focal
    centre = np.array(spot) * free - low * focal
    return View(view.rotation, view.position, focal, (float(centre[0]), float(centre[1])), view.shape)


def extent(view: View, animals: Sequence[Animal]) -> tuple[Array, Array]:
    """Return the least and greatest (x, y) of the animals on the plane at depth 1."""
    translation = -view.rotation @ view.position
    boxes = []
    for animal in animals:
        for piece in animal.body.pieces:
            for centre, spread in piece.solid.moved(view.rotation, translation).spheres():
                boxes.append([view.extent(centre, spread, i) for i in range(2)])
    array = np.array(boxes)
    return array[:, :, 0].min(axis=0), array[:, :, 1].max(axis=0)


def random_scene(species: Sequence[Species], size: int, rng: np.random.Generator, fill: float | None = None) -> Scene:
    """Return a scene with one animal per entry of ``species`` on a square image of ``size`` pixels.

    ``fill`` is the animals' box over the image side; None draws it, mostly below 1.
    """
    animals = tuple(_random_animal(kind, number, rng) for number, kind in enumerate(species))
    heights = [float(np.mean([p[2] for p in animal.body.points.values()])) for animal in animals]
    middle = np.mean([[a.place[0], a.place[1]] for a in animals], axis=0)
    target = np.array([middle[0], middle[1], float(np.mean(heights))])
    bearing, elevation = rng.uniform(0, 360), rng.uniform(2, 28)
    view = orbit(target, bearing, elevation, rng.uniform(6.0, 10.0) + 2.0 * (len(animals) - 1), size)
    drawn = rng.uniform(0.95, 1.15) if rng.random() < 0.10 else rng.uniform(0.60, 0.92)
    view = frame_animals(view, animals, fill or drawn, (rng.uniform(0, 1), rng.uniform(0.15, 1)))
    side = np.radians(bearing + rng.choice([-1, 1]) * rng.uniform(15, 110))
    height = np.radians(rng.uniform(32, 62))
    sun = np.array([np.cos(height) * np.cos(side), np.cos(height) * np.sin(side), np.sin(height)])
    habitat = HABITATS[str(rng.choice(species[0].habitats))]
    props = random_props(habitat, np.radians(bearing), [a.place for a in animals], rng)
    return Scene(animals, view, sun, habitat, props, (rng.uniform(0, 1), rng.uniform(0, 1)))


def _random_animal(species: Species, number: int, rng: np.random.Generator) -> Animal:
    place = (0.0, 0.0, 0.0) if number == 0 else (rng.uniform(-0.5, 0.5), rng.uniform(1.3, 1.9), rng.uniform(0, 6.28))
    shape, pose = individual(species.shape, rng), random_pose(species.family, rng)
    return place_animal(species, shape, pose, place, rng.uniform(0.88, 1.10), (rng.random(), rng.random()))

"""From a scene to a picture, a mask per animal, and keypoints with true visibility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geobench.builders.synthetic.body import Part
from geobench.builders.synthetic.habitat import ground_colour, sky_colour
from geobench.builders.synthetic.light import Shadow
from geobench.builders.synthetic.raycast import Array, Primitive, View, cast, dot, turned
from geobench.builders.synthetic.scene import Animal, Scene
from geobench.builders.synthetic.surface import Hits, gather, shade

KEYPOINTS = (
    "left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder", "left_elbow", "left_front_paw",
    "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip",
    "right_knee", "right_back_paw",
)  # fmt: skip
"""AP-10K's keypoints in its order (Yu et al. 2021, table 1); left is the animal's own left."""

OVERSAMPLING = 2
"""Animals are cast with this many rays along each side of a pixel."""


@dataclass(frozen=True)
class Rendering:
    """A picture uint8 [H, W, 3]; per animal a mask bool [A, H, W], keypoints [A, 17, 2] and visible [A, 17].

    Keypoints are (x, y) in pixels, pixel centres at .5, rounded to 0.01 and (0, 0) where not visible.
    """

    picture: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    keypoints: Array
    visible: NDArray[np.bool_]


def render(scene: Scene) -> Rendering:
    """Return the picture of ``scene`` and its ground truth."""
    solids: list[Primitive] = [piece.solid for animal in scene.animals for piece in animal.body.pieces]
    shadow = Shadow(scene, _casters(scene))
    solids += [prop.solid for prop in scene.props]
    fine = scene.view.enlarged(OVERSAMPLING)
    depth, index = cast(fine, solids)
    hits = gather(fine, depth, index, OVERSAMPLING)
    background = _background(scene, shadow)
    picture = _composite(background, hits, shade(scene, hits, shadow), scene.view.shape)
    masks = _masks(scene, index)
    placed = [_keypoints(animal, mask, fine, depth) for animal, mask in zip(scene.animals, masks, strict=True)]
    return Rendering(picture, masks, np.stack([p[0] for p in placed]), np.stack([p[1] for p in placed]))


def _casters(scene: Scene) -> list[Primitive]:
    """Return the solids whose shadow can be seen."""
    small = (Part.EYE, Part.NOSE, Part.INNER_EAR)
    pieces = [p.solid for animal in scene.animals for p in animal.body.pieces if p.part not in small]
    return pieces + [prop.solid for prop in scene.props if prop.casts_shadow]


def _background(scene: Scene, shadow: Shadow) -> Array:
    view = scene.view
    _, (x, y, _) = view.rays(slice(0, view.shape[0]), slice(0, view.shape[1]))
    local = np.stack([np.broadcast_to(x, view.shape), np.broadcast_to(y, view.shape), np.ones(view.shape)])
    direction = turned(local.reshape(3, -1).T, view.rotation.T)
    down = direction[:, 2] < -1e-4
    if down.all():
        return _ground(scene, shadow, direction)
    result = np.empty_like(direction)
    result[~down] = sky_colour(scene.habitat, direction[~down], scene.offset)
    result[down] = _ground(scene, shadow, np.asfortranarray(direction[down]))
    return result


def _ground(scene: Scene, shadow: Shadow, ray: Array) -> Array:
    view = scene.view
    t = -view.position[2] / ray[:, 2]
    point = ray * t[:, None] + view.position
    lit = 0.52 + 0.48 * shadow.light_on_ground(point)
    distance = t * np.sqrt(dot(ray.T, ray.T))
    return ground_colour(scene.habitat, point, distance, scene.offset) * lit[:, None]


def _composite(background: Array, hits: Hits, shaded: Array, shape: tuple[int, int]) -> NDArray[np.uint8]:
    size = shape[0] * shape[1]
    cover = np.bincount(hits.pixel, hits.share, size)
    front = np.stack([np.bincount(hits.pixel, shaded[:, i] * hits.share, size) for i in range(3)], axis=1)
    mixed = background * (1 - cover)[:, None] + front
    return np.asarray(np.round(255 * np.clip(mixed, 0, 1)).reshape(*shape, 3), dtype=np.uint8)


def _masks(scene: Scene, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where at least half of a pixel's rays see the animal, per animal."""
    n, first, masks = OVERSAMPLING, 0, []
    for animal in scene.animals:
        last = first + len(animal.body.pieces)
        own = (index >= first) & (index < last)
        share = sum(own[i::n, j::n].astype(np.int64) for i in range(n) for j in range(n))
        masks.append(share * 2 >= n * n)
        first = last
    return np.stack(masks)


def _keypoints(animal: Animal, mask: NDArray[np.bool_], fine: View, depth: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return keypoints [17, 2] and which are visible [17], by depth against the rendered surface."""
    points = np.stack([animal.body.points[name] for name in KEYPOINTS])
    tolerance = np.array([animal.body.tolerances[name] for name in KEYPOINTS])
    pixels, depths = fine.project(points)
    corner = np.floor(pixels).astype(np.int64)
    limit = np.array([fine.shape[1], fine.shape[0]])
    inside = ((corner >= 0) & (corner < limit)).all(axis=1)
    column, row = np.clip(corner, 0, limit - 1).T
    near = _grown(mask)[row // OVERSAMPLING, column // OVERSAMPLING]
    # A point on the outline may fall on a pixel of the background, whose depth is infinite.
    visible = inside & near & (depths <= depth[row, column] + tolerance)
    rounded = np.round(pixels / OVERSAMPLING, 2)
    return np.where(visible[:, None], rounded, 0.0), visible


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``mask`` dilated by one pixel in the four directions."""
    wide = np.pad(mask, 1)
    return np.asarray(wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:])

"""Which points of two animals correspond: every surface point is carried to one template animal at rest.

The template is ``Shape()``, in body axes (x forward, y to the animal's left, z up; body units). A point is carried
piece by piece: along and across its round cone, or in the axes of its ellipsoid. Left and right are then merged:
y becomes |y|, so that nothing says on which side of its animal a point lies.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from geobench.builders.synthetic.anatomy import build
from geobench.builders.synthetic.body import Piece, Pose, Shape
from geobench.builders.synthetic.raycast import Ellipsoid, RoundCone
from geobench.builders.synthetic.scene import Animal

_TEMPLATE = Shape()


def template_pieces(shape: Shape) -> list[Piece]:
    """Return the template at rest with the same pieces, in the same order, as an animal of ``shape``."""
    optional = {"mane": 0.075, "horn": 0.3, "tuft": 0.05}
    present = {name: value if getattr(shape, name) > 0 else 0.0 for name, value in optional.items()}
    return build(replace(_TEMPLATE, hoof=shape.hoof, **present), Pose(), marked=False).pieces


def merged_places(
    animal: Animal, number: Int64[np.ndarray, " n"], points: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    """Return where surface points lie on the template, as (x, |y|, z) in body units.

    Args:
        animal: whose surface it is.
        number: the piece of the animal that each point is on.
        points: world points.
    """
    template = template_pieces(animal.shape)
    result = np.empty_like(points)
    for one in np.unique(number):
        rows = number == one
        result[rows] = carried(animal.body.pieces[one], template[one], points[rows])
    result[:, 1] = np.abs(result[:, 1])
    return result


def carried(piece: Piece, onto: Piece, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Return where ``points`` of ``piece`` lie on the same piece of another animal, in that animal's axes."""
    here, there = piece.solid, onto.solid
    if isinstance(here, Ellipsoid) and isinstance(there, Ellipsoid):
        unit = (points - here.centre) @ here.axes / (here.axes**2).sum(axis=0)
        return np.asarray(unit @ there.axes.T + there.centre)
    assert isinstance(here, RoundCone)
    assert isinstance(there, RoundCone)
    axis, length = here.b - here.a, float(np.linalg.norm(here.b - here.a))
    share = (points - here.a) @ axis / length**2
    across = (points - here.a - share[:, None] * axis) @ piece.frame.rotation
    inside = np.clip(share, 0.0, 1.0)
    ratio = (there.ra + inside * (there.rb - there.ra)) / (here.ra + inside * (here.rb - here.ra))
    beyond = (share - inside) * length * ratio / float(np.linalg.norm(there.b - there.a))
    along = (inside + beyond)[:, None] * (there.b - there.a)
    return np.asarray(there.a + along + (across * ratio[:, None]) @ onto.frame.rotation.T)

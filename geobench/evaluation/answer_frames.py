"""The frame that the coordinates of a file of predictions are in, and whether another one would fit them better."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from geobench.errors import InputError, UsageError
from geobench.evaluation.protocol import Frame
from geobench.features.letterbox import frame_transform

# Sides that the presets and the code bases of docs/protocols.md use; 1 is for coordinates that are shares of the image.
_SIDES = (840, 256, 768, 770, 512, 224, 240, 300, 336, 384, 400, 434, 480, 518, 640, 960, 1)
_FEWEST = 20  # points, below which chance decides which frame fits
_NEAR = 0.1  # of the longer side of the image


def parse_frame(text: str) -> Frame:
    """Return the frame that ``original``, ``pad:840``, ``squash:256``, ``longest-side:300`` or alike name.

    Raises:
        UsageError: it is none.
    """
    found = re.fullmatch(r"(pad|squash|longest-side):([1-9][0-9]{0,4})", text)
    if text == "original":
        return Frame()
    if found is None:
        raise UsageError(f"--frame {text!r}: give original, pad:SIDE, squash:SIDE or longest-side:SIDE, as in pad:840")
    return Frame.model_validate({"kind": found[1], "side": int(found[2])})


def frame_name(frame: Frame) -> str:
    """Return the text that :func:`parse_frame` reads."""
    return frame.kind if frame.side is None else f"{frame.kind}:{frame.side}"


def in_image(
    points: Float64[np.ndarray, "q 2"], frame: Frame, sizes: Float64[np.ndarray, "q 2"]
) -> Float64[np.ndarray, "q 2"]:
    """Return points (x, y) of a frame in pixels of the original images.

    Args:
        points: in pixels of the frame.
        frame: as each point's image enters it.
        sizes: width and height of each point's image in pixels; not looked at for ``original``.
    """
    if frame.kind == "original":
        return points
    entered = frame_transform(frame.kind, frame.side, sizes[:, 0], sizes[:, 1])
    return np.asarray((points - entered.offset) / entered.scale)


@dataclass(frozen=True)
class Fit:
    """How well points fit a frame.

    Attributes:
        name: of the frame, as the command line has it.
        inside: share of the points that lie in their image.
        near: share of the points that lie within a tenth of the image's longer side of the truth.
        median: distance from the truth, as a share of the longer side, that half of the points are within.
    """

    name: str
    inside: float
    near: float
    median: float


def fit_of(
    name: str,
    points: Float64[np.ndarray, "q 2"],
    truth: Float64[np.ndarray, "q 2"],
    sizes: Float64[np.ndarray, "q 2"],
) -> Fit:
    """Return how well points fit.

    Args:
        name: of the frame they were brought from.
        points: (x, y) in pixels of the original images.
        truth: the true answers, likewise.
        sizes: width and height of each image in pixels.
    """
    inside = ((points >= 0) & (points <= sizes)).all(axis=1)
    distance = np.linalg.norm(points - truth, axis=1) / sizes.max(axis=1)
    return Fit(name, float(inside.mean()), float((distance <= _NEAR).mean()), float(np.median(distance)))


def check_frame(
    points: Float64[np.ndarray, "q 2"],
    frame: Frame,
    truth: Float64[np.ndarray, "q 2"],
    sizes: Float64[np.ndarray, "q 2"],
    where: str,
) -> None:
    """Refuse points that another frame fits so much better that the frame given is a mistake.

    Another frame is better where it brings at least twice as many points near the truth, and a tenth of all more; or
    where most points are outside of their image as given, and as good as none are as the other.

    Args:
        points: (x, y) in pixels of the frame; finite.
        frame: the frame given.
        truth: the true answers, in pixels of the original images.
        sizes: width and height of each image in pixels.
        where: name of the file, for messages.

    Raises:
        InputError: another frame is better; the message names the best one.
    """
    if len(points) < _FEWEST:
        return
    given = fit_of(frame_name(frame), in_image(points, frame, sizes), truth, sizes)
    turned = fit_of("x and y exchanged", in_image(points[:, ::-1], frame, sizes), truth, sizes)
    others = [fit_of(frame_name(one), in_image(points, one, sizes), truth, sizes) for one in _candidates(frame)]
    better = [fit for fit in (*others, turned) if _better(fit, given)]
    if not better:
        return
    best = min(better, key=lambda fit: fit.median)
    remedy = "exchange the columns" if best is turned else f"pass --frame {best.name}"
    raise InputError(
        f"{where}: the coordinates do not look like {given.name}: {100 * given.near:.0f}% lie near the truth and "
        f"{100 * given.inside:.0f}% in the image, but {100 * best.near:.0f}% and {100 * best.inside:.0f}% as "
        f"{best.name}; {remedy}, or --no-check-frame where they are right"
    )


def _candidates(frame: Frame) -> Iterator[Frame]:
    kinds = [Frame(), *(Frame(kind=kind, side=side) for side in _SIDES for kind in ("pad", "squash", "longest-side"))]
    return (one for one in kinds if one != frame)


def _better(other: Fit, given: Fit) -> bool:
    nearer = other.near >= 2 * given.near and other.near >= given.near + 0.1 and other.inside >= 0.9
    return nearer or (given.inside < 0.5 and other.inside >= 0.95 and other.near > given.near)

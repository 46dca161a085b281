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

# Sides that the presets and the code bases of docs/protocols.md use, then the grids of features that they make of them;
# 1 is for coordinates that are shares of the image.
_SIDES = (840, 256, 768, 770, 512, 224, 240, 300, 336, 384, 400, 434, 480, 518, 640, 960, 1)
_GRIDS = (60, 64, 48, 37, 32, 30, 28, 24, 16, 14)
_FEWEST = 20  # points, below which chance decides which frame fits
_MOST = 20_000  # points, beyond which more say the same
_NEAR = 0.1  # of the longer side of the image
_ALIKE = 0.03  # of the points, that two frames may differ by and fit alike
_SHOWN = 4  # frames that fit alike and are named
_DIGITS = 9  # of distances, beyond which rounding alone tells frames apart


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
    where most points are outside of their image as given, and as good as none are as the other. Frames are tried as
    they are, with x and y exchanged, and as shares from -1 to 1; the same point everywhere says nothing of a frame.

    Args:
        points: (x, y) in pixels of the frame; finite.
        frame: the frame given.
        truth: the true answers, in pixels of the original images.
        sizes: width and height of each image in pixels.
        where: name of the file, for messages.

    Raises:
        InputError: another frame is better; the message names the best one, and those that fit alike.
    """
    if len(points) < _FEWEST or not np.ptp(points, axis=0).any():
        return
    points, truth, sizes = (column[:: -(-len(points) // _MOST)] for column in (points, truth, sizes))
    given = fit_of(frame_name(frame), in_image(points, frame, sizes), truth, sizes)
    fits = {fit_of(name, placed, truth, sizes): remedy for name, remedy, placed in _readings(points, frame, sizes)}
    better = [fit for fit in fits if _better(fit, given)]
    if not better:
        return
    better.sort(key=lambda fit: (round(fit.median, _DIGITS), frame.kind not in fit.name))
    best = better[0]
    raise InputError(
        f"{where}: the coordinates do not look like {given.name}: {100 * given.near:.0f}% lie near the truth and "
        f"{100 * given.inside:.0f}% in the image, but {100 * best.near:.0f}% and {100 * best.inside:.0f}% as "
        f"{best.name}; {fits[best]}{_alike(better)}, or --no-check-frame where they are right"
    )


def _alike(better: list[Fit]) -> str:
    """Return which frames fit about as well as the first, nearest first; of those that are the same here, one."""
    best = better[0]
    alike = [fit for fit in better if fit.near >= best.near - _ALIKE and fit.median <= 1.1 * best.median]
    distinct = {round(fit.median, _DIGITS): fit.name for fit in reversed(alike)}  # padding and stretching a square
    names = [name for name in reversed(distinct.values()) if name != best.name]
    if not names:
        return ""
    more = " and more" if len(names) > _SHOWN else ""
    return f" (or what the method worked in: {', '.join(names[:_SHOWN])}{more} fit alike)"


def _readings(
    points: Float64[np.ndarray, "q 2"], given: Frame, sizes: Float64[np.ndarray, "q 2"]
) -> Iterator[tuple[str, str, Float64[np.ndarray, "q 2"]]]:
    """Yield other ways to read points: a name, what to do if it is right, and (x, y) in pixels of the images."""
    sides = (*_SIDES, *_GRIDS)
    frames = [Frame(), *(Frame(kind=kind, side=side) for side in sides for kind in ("pad", "squash", "longest-side"))]
    exchanged = points[:, ::-1]
    yield "x and y exchanged", "exchange the columns", in_image(exchanged, given, sizes)
    for one in frames:
        if one == given:
            continue
        name = frame_name(one)
        yield name, f"pass --frame {name}", in_image(points, one, sizes)
        remedy = f"exchange the columns and pass --frame {name}"
        yield f"{name} with x and y exchanged", remedy, in_image(exchanged, one, sizes)
    remedy = "write (x + 1) / 2 and (y + 1) / 2 and pass --frame squash:1"
    yield "shares of width and height from -1 to 1", remedy, (points + 1) / 2 * sizes


def _better(other: Fit, given: Fit) -> bool:
    nearer = other.near >= 2 * given.near and other.near >= given.near + 0.1 and other.inside >= 0.9
    return nearer or (given.inside < 0.5 and other.inside >= 0.95 and other.near > given.near)

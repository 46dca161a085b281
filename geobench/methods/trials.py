"""The single trials of :mod:`geobench.methods.check`: each asks a method something and notes what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from geobench.errors import GeobenchError
from geobench.methods.base import LoadedMethod, as_array
from geobench.methods.classes import source_file
from geobench.methods.snapshot import snapshot
from geobench.picture import Picture
from geobench.seeding import seed_everything
from geobench.user_code import told

Severity = Literal["problem", "note"]
Pair = tuple[Picture, Picture, np.ndarray, np.ndarray]

SAME = 1e-3  # pixels: answers closer than this differ by rounding only
FAR = 0.1  # of the target's longer side: answers further out than this are in a wrong frame


@dataclass(frozen=True)
class Finding:
    """One thing to know about a method.

    Attributes:
        severity: ``problem``: its numbers cannot be trusted, or the run will fail; ``note``: worth knowing.
        sentence: what was seen and what to do.
    """

    severity: Severity
    sentence: str


@dataclass(frozen=True)
class Trial:
    """What is asked of the method, how bad it is when it fails there, and why."""

    what: str
    severity: Severity
    consequence: str


ORDINARY = Trial("", "problem", "such a pair counts as failed")
ALONE = Trial(" with one point", "problem", "such a pair counts as failed")
MIRRORED = Trial(" of a mirrored picture", "note", "pose alignment needs that, plain evaluation does not")
NO_POINTS = Trial(" with no points", "note", "return (0, 2) numbers; an evaluation never asks that, other callers may")


class Stopped(Exception):  # noqa: N818 (an answer that ends the pair, not an error)
    """The method failed at something that later checks rest on."""


@dataclass
class Examiner:
    """Collects findings; each kind is kept once, from the first pair that showed it."""

    loaded: LoadedMethod
    found: dict[str, Finding] = field(default_factory=dict)
    describe_times: list[float] = field(default_factory=list)
    match_times: list[float] = field(default_factory=list)

    def keep(self, severity: Severity, kind: str, sentence: str) -> None:
        """Keep a finding unless there is one of its kind."""
        self.found.setdefault(kind, Finding(severity, sentence))

    def describe(self, picture: Picture, trial: Trial = ORDINARY) -> Any:
        """Return the method's description, or stop."""
        return self.timed("describe", lambda: self.loaded.describe(picture), self.describe_times, trial)

    def match(
        self, descriptions: tuple[Any, Any], points: np.ndarray, truth: np.ndarray, trial: Trial = ORDINARY
    ) -> np.ndarray:
        """Return the method's checked answer [n, 2], or stop."""
        alone = np.arange(len(points))  # every point its own mirror partner
        answer: np.ndarray = self.timed(
            "match",
            lambda: self.loaded.predict(*descriptions, points, truth=truth, partner=alone),
            self.match_times,
            trial,
        )
        return answer

    def timed(self, verb: str, call: Callable[[], Any], times: list[float], trial: Trial = ORDINARY) -> Any:
        """Return what ``call`` returns; when it raises, keep the finding and stop."""
        seed_everything(0)  # the runner seeds before every call too
        started = time.perf_counter()
        try:
            answer = call()
        except Exception as error:
            self.keep(trial.severity, f"{verb}{trial.what}", self._failure(f"{verb}{trial.what}", error, trial))
            raise Stopped from error
        times.append(time.perf_counter() - started)
        return answer

    def _failure(self, what: str, error: Exception, trial: Trial) -> str:
        if isinstance(error, GeobenchError):
            return f"{str(error).replace(': match returned', f': {what} returned', 1)}; {trial.consequence}"
        return f"{what} raised {told(error, source_file(self.loaded.method))}; {trial.consequence}"


def try_prepare(examiner: Examiner, pictures: list[Picture]) -> None:
    """Call ``prepare`` once per category, as the runner does."""
    for category in sorted({picture.category for picture in pictures}):
        chosen = [picture for picture in pictures if picture.category == category]
        examiner.timed("prepare", lambda chosen=chosen: examiner.loaded.prepare(chosen), [])  # type: ignore[misc]


def try_pair(examiner: Examiner, pair: Pair) -> None:
    """Try everything on one pair; a failure of the plain case ends the examination."""
    source_picture, target_picture, points, truth = pair
    source, target = examiner.describe(source_picture), examiner.describe(target_picture)
    before = snapshot(source), snapshot(target)
    answer = examiner.match((source, target), points, truth)
    if (snapshot(source), snapshot(target)) != before:
        examiner.keep(
            "problem", "mutates", "match changes the descriptions it is given, which other pairs use too; copy first"
        )
    _check_form(examiner, source, target, points, truth)
    _check_inside(examiner, answer, target_picture)
    _check_repeats(examiner, pair, (source, target), answer)
    _check_points(examiner, (source, target), points, truth, answer)
    for check in (_check_mirrored, _check_no_points):
        try:
            check(examiner, pair, (source, target))
        except Stopped:
            continue


def _check_form(examiner: Examiner, source: Any, target: Any, points: np.ndarray, truth: np.ndarray) -> None:
    """Look at what match itself returns, before it is made an array of float32, and at what it did to the points."""
    import torch

    given = torch.from_numpy(np.array(points, np.float32))
    extra = [torch.from_numpy(np.array(truth, np.float32))] if examiner.loaded.knows_truth else []
    if examiner.loaded.uses_mirror_index:
        extra.append(torch.arange(len(points)))
    call = examiner.loaded.method.match
    answer = examiner.timed("match", lambda: call(source, target, given, *extra), [])
    if not np.array_equal(given.numpy(), points.astype(np.float32)):
        examiner.keep("problem", "points", "match changes the points it is given; work on points.clone()")
    if not isinstance(answer, torch.Tensor | np.ndarray):
        examiner.keep(
            "note", "type", f"match returned a {type(answer).__name__}; return a tensor or an array of float32"
        )
    elif (dtype := as_array(answer).dtype) != np.float32:
        examiner.keep("note", "dtype", f"match returned {dtype} numbers, which are stored as float32; return float32")


def _check_inside(examiner: Examiner, answer: np.ndarray, picture: Picture) -> None:
    beyond = np.maximum(-answer, answer - np.asarray(picture.size)).max(axis=1, initial=-np.inf)
    count, most = int((beyond > 0).sum()), float(beyond.max(initial=0))
    if count == 0:
        return
    seen = f"{count} of {len(answer)} points lie outside the target image, by up to {most:.1f} pixels"
    if most > FAR * max(picture.size):
        remedy = "return (x, y) in pixels of the original target image, not of a resized one"
        examiner.keep("problem", "outside", f"{seen}; {remedy}")
    else:
        examiner.keep("note", "outside", f"{seen}; clamp them to the image")


def _check_repeats(examiner: Examiner, pair: Pair, descriptions: tuple[Any, Any], answer: np.ndarray) -> None:
    source_picture, target_picture, points, truth = pair
    again = examiner.match(descriptions, points, truth)
    remedy = "seed every generator of its own and keep no state between calls"
    if _differ(again, answer):
        examiner.keep(
            "problem", "repeat match", f"match gives other answers the second time, {_by(again, answer)}; {remedy}"
        )
        return
    fresh = examiner.describe(source_picture), examiner.describe(target_picture)
    again = examiner.match(fresh, points, truth)
    if _differ(again, answer):
        examiner.keep(
            "problem",
            "repeat describe",
            f"describing the images again gives other answers, {_by(again, answer)}; {remedy}",
        )


def _check_points(
    examiner: Examiner, descriptions: tuple[Any, Any], points: np.ndarray, truth: np.ndarray, answer: np.ndarray
) -> None:
    """Ask in reverse order, and one point alone."""
    turned = examiner.match(descriptions, points[::-1], truth[::-1])[::-1]
    if _differ(turned, answer):
        examiner.keep(
            "problem",
            "order",
            f"the answers depend on the order of the points, {_by(turned, answer)}; treat each row by itself",
        )
        return
    alone = examiner.match(descriptions, points[:1], truth[:1], ALONE)
    if _differ(alone, answer[:1]):
        examiner.keep(
            "note",
            "batch",
            f"a point alone gets another answer than among others, {_by(alone, answer[:1])}; "
            "it is only right if the method places all points jointly",
        )


def _check_mirrored(examiner: Examiner, pair: Pair, descriptions: tuple[Any, Any]) -> None:
    picture, _, points, truth = pair
    mirrored = examiner.describe(picture.mirrored(), MIRRORED)
    examiner.match((mirrored, descriptions[1]), picture.mirror_points(points), truth, MIRRORED)


def _check_no_points(examiner: Examiner, pair: Pair, descriptions: tuple[Any, Any]) -> None:
    examiner.match(descriptions, pair[2][:0], pair[3][:0], NO_POINTS)


def _differ(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max(initial=0) > SAME)


def _by(a: np.ndarray, b: np.ndarray) -> str:
    return f"by up to {np.abs(a - b).max(initial=0):.3g} pixels"

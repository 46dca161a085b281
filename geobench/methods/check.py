"""Tries a method on a few pairs and says in plain words what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geobench.errors import UsageError
from geobench.methods.base import LoadedMethod
from geobench.methods.trials import Examiner, Finding, Pair, Stopped, try_pair, try_prepare


@dataclass(frozen=True)
class CheckReport:
    """What trying a method showed.

    Attributes:
        name: the method.
        findings: problems first, each kind once.
        pairs: how many pairs were tried.
        describe_s: median seconds per image, NaN when describe never returned.
        match_s: median seconds per pair, NaN when match never returned.
    """

    name: str
    findings: tuple[Finding, ...]
    pairs: int
    describe_s: float
    match_s: float

    @property
    def passed(self) -> bool:
        """Whether there is no problem; notes do not count."""
        return all(finding.severity != "problem" for finding in self.findings)

    def text(self) -> str:
        """Return the report as lines to print."""
        lines = [f"{finding.severity}: {finding.sentence}" for finding in self.findings]
        verdict = "nothing wrong" if self.passed else "not fit for an evaluation yet"
        cost = f"{self.describe_s * 1e3:.1f} ms per image, {self.match_s * 1e3:.1f} ms per pair"
        return "\n".join([*lines, f"{self.name}: {verdict} on {self.pairs} pairs ({cost})"])


def check_method(loaded: LoadedMethod, pairs: Sequence[Pair]) -> CheckReport:
    """Return what is wrong with a method, seen on a few pairs.

    Args:
        loaded: the method.
        pairs: (source, target, query points [n, 2], true target points [n, 2]); points in pixels of the images.

    Raises:
        UsageError: there are no pairs.
    """
    if not pairs:
        raise UsageError("a method cannot be checked on no pairs; give at least one")
    examiner = Examiner(loaded)
    try:
        try_prepare(examiner, [picture for pair in pairs for picture in pair[:2]])
        for pair in pairs:
            try_pair(examiner, pair)
    except Stopped:
        pass
    if loaded.knows_truth:
        examiner.keep(
            "note", "truth", "the method is told the true points (knows_truth); its runs are kept out of rankings"
        )
    return CheckReport(
        name=loaded.name,
        findings=tuple(sorted(examiner.found.values(), key=lambda f: f.severity != "problem")),
        pairs=len(pairs),
        describe_s=_median(examiner.describe_times),
        match_s=_median(examiner.match_times),
    )


def _median(times: list[float]) -> float:
    return float(np.median(times)) if times else float("nan")

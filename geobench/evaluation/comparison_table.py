"""The rows of a comparison of runs: every two runs, for one partition of the pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError
from geobench.evaluation.answers import asked_and_answered
from geobench.evaluation.bootstrap import MINIMUM_DIFFERENT, Bootstrap, Resampled, drawn_images, resample
from geobench.evaluation.intervals import detectable, interval, p_value
from geobench.evaluation.pck import counted
from geobench.evaluation.predictions import answers
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.queries import Queries, pair_weights, queries
from geobench.evaluation.ratios import Ratios, by_image, n_images, pair_ratios
from geobench.evaluation.runs import Run
from geobench.evaluation.scopes import Scopes
from geobench.evaluation.score_table import AVERAGINGS, SUBSETS
from geobench.evaluation.scores import correct_keypoints, pair_tallies

_INDEX = [(subset, averaging.replace("-", "_")) for subset in SUBSETS for averaging in AVERAGINGS]


@dataclass(frozen=True, eq=False)
class Judged:
    """Several runs' answers to the same questions, each judged.

    Attributes:
        benchmark: where the questions are from.
        protocol: how they were judged.
        pairs: the pairs asked.
        asked: the questions.
        weight: how often each pair counts.
        image: numbers of the images each pair is drawn with.
        marks: which questions each run answers correctly at each alpha.
        ratios: what is added up for each pair; variants are runs × alphas, run by run.
    """

    benchmark: Benchmark
    protocol: Protocol
    pairs: Pairs
    asked: Queries
    weight: Int64[np.ndarray, " p"]
    image: Int64[np.ndarray, "p d"]
    marks: list[Bool[np.ndarray, "r a"]]
    ratios: Ratios

    @classmethod
    def of(cls, runs: Sequence[Run], benchmark: Benchmark, protocol: Protocol, bootstrap: Bootstrap) -> Judged:
        """Judge the answers of ``runs``, all to the same questions; ``bootstrap`` says what is drawn.

        Raises:
            InputError: a run is unfinished or failed, or lacks an answer.
        """
        pairs, _, _ = asked_and_answered(runs[0], benchmark)
        asked, weight = queries(benchmark, pairs, protocol), pair_weights(pairs, protocol.sampling)
        marks, parts = [], []
        for run in runs:
            if run.record.status == "failed":
                raise InputError(f"{run.folder}: the method failed on every pair; mend it and run geobench eval again")
            _, predictions, _ = asked_and_answered(run, benchmark)
            points = answers(predictions, asked, benchmark, pairs, weight > 0, run.record.benchmark.split)
            marks.append(correct_keypoints(benchmark, protocol, asked, points))
            ratios = pair_ratios(pair_tallies(benchmark, pairs, protocol, asked, marks[-1], weight), weight)
            parts.append(ratios.parts)
        image = drawn_images(benchmark, asked.answer_row, asked.query_row, bootstrap)
        joint = Ratios(np.concatenate(parts, axis=2), ratios.wholes)
        return cls(benchmark, protocol, pairs, asked, weight, image, marks, joint)


def comparison_table(judged: Judged, scopes: Scopes, bootstrap: Bootstrap) -> pd.DataFrame:
    """Return one row per two runs, scope, subset, metric and alpha (:class:`comparison.Comparison`, but ``p_holm``)."""
    images = by_image(judged.ratios, scopes, judged.image)
    couples = list(combinations(range(len(judged.marks)), 2))
    found: dict[tuple[int, int], list[dict[str, np.ndarray]]] = {couple: [] for couple in couples}
    for name, some in zip(scopes.names, images, strict=True):
        resampled = resample(some, bootstrap.resamples, bootstrap.generator(name)) if len(some.wholes) else None
        for couple in couples:
            found[couple].append(_differences(resampled, couple, some, len(judged.protocol.alphas), bootstrap))
    counts = _counts(judged, scopes)
    tables = []
    for couple, scope_rows in found.items():
        columns = {key: np.stack([row[key] for row in scope_rows]) for key in scope_rows[0]}
        alone = _disagreements(judged, couple, scopes)
        tables.append(_frame(judged, scopes, couple, {**columns, **alone, **counts}))
    return pd.concat(tables, ignore_index=True)


def _differences(
    resampled: Resampled | None, couple: tuple[int, int], images: Ratios, n_alphas: int, bootstrap: Bootstrap
) -> dict[str, np.ndarray]:
    """Return the columns of one scope and two runs, each [counts, alphas]."""
    shape = (images.wholes.shape[1], n_alphas)
    nothing = np.full(shape, np.nan)
    here = np.broadcast_to(n_images(images)[:, None], shape)
    if resampled is None:
        names = ("value_first", "value_second", "difference", "low", "high", "p", "detectable")
        return {**dict.fromkeys(names, nothing), "n_images": here, "n_different": np.zeros(shape, np.int64)}
    first, second = (one * n_alphas + np.arange(n_alphas) for one in couple)
    both = resampled.difference(first, second)
    low, high = interval(both, bootstrap.method, bootstrap.level)
    tested = {
        "low": low,
        "high": high,
        "p": p_value(both, bootstrap.method),
        "detectable": detectable(both, bootstrap.level),
    }
    values = {"value_first": resampled.estimate[:, first], "value_second": resampled.estimate[:, second]}
    targets = images.by_role()[0]
    different = (targets.parts[:, :, first] != targets.parts[:, :, second]).sum(axis=0)
    known = {key: np.where(different >= MINIMUM_DIFFERENT, column, nothing) for key, column in tested.items()}
    return {**values, "difference": both.estimate, **known, "n_images": here, "n_different": different}


def _disagreements(judged: Judged, couple: tuple[int, int], scopes: Scopes) -> dict[str, np.ndarray]:
    """Return how many keypoints one run alone has right, a pair drawn twice counting once; [scopes, counts, alphas]."""
    first, second = (judged.marks[one] for one in couple)
    once = (judged.weight > 0).astype(np.int64)
    found = {}
    for name, marks in {"only_first": first & ~second, "only_second": second & ~first}.items():
        tallies = pair_tallies(judged.benchmark, judged.pairs, judged.protocol, judged.asked, marks, once)
        hits = np.stack([tally.hits for tally in tallies.values()], axis=1)
        found[name] = np.stack([hits[scopes.codes == code].sum(axis=0) for code in range(len(scopes.names))])
    return found


def _counts(judged: Judged, scopes: Scopes) -> dict[str, np.ndarray]:
    """Return the pairs and keypoints of each scope and count, [scopes, counts, alphas]."""
    tallies = pair_tallies(
        judged.benchmark, judged.pairs, judged.protocol, judged.asked, judged.marks[0], judged.weight
    ).values()
    both = [counted(tally, scopes.codes, len(scopes.names), judged.weight) for tally in tallies]
    shape = (len(scopes.names), len(both), len(judged.protocol.alphas))
    found = {"n_pairs": [pairs for pairs, _ in both], "n_points": [points for _, points in both]}
    return {key: np.broadcast_to(np.stack(columns, axis=1)[..., None], shape) for key, columns in found.items()}


def _frame(judged: Judged, scopes: Scopes, couple: tuple[int, int], columns: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [
        (*couple, name, *count, alpha) for name in scopes.names for count in _INDEX for alpha in judged.protocol.alphas
    ]
    frame = pd.DataFrame(rows, columns=["first", "second", "scope", "subset", "metric", "alpha"])
    return frame.assign(**{key: column.ravel() for key, column in columns.items()})

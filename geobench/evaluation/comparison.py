"""Runs against each other on the same questions: paired differences, their intervals, and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from geobench.benchmark import Benchmark
from geobench.errors import InputError, UsageError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.comparison_table import Judged, comparison_table
from geobench.evaluation.flow_run import refuse_flow
from geobench.evaluation.protocol import Protocol
from geobench.evaluation.runs import Run
from geobench.evaluation.scopes import everything, partitions
from geobench.evaluation.scoring import INTERVALS, benchmark_of
from geobench.evaluation.significance import holm, mcnemar


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is known of the differences between runs.

    Attributes:
        runs: in the order given.
        names: what to call them; of two runs of one method, the titles end in their ids.
        protocol: under which all were counted.
        bootstrap: how intervals and p-values were made.
        table: one row per two runs, scope, subset, metric and alpha. ``first`` and ``second``, numbers of runs;
            ``value_first``, ``value_second`` and ``difference``, first minus second (0 to 1); ``low`` and ``high``, the
            ends of its interval; ``p``, and ``p_holm``, corrected over the categories (azimuths) or, of more than two
            runs, over the pairs of runs; ``only_first`` and ``only_second``, keypoints that one alone has right, and
            ``p_mcnemar``; ``detectable``, the smallest difference that would likely have been found; ``n_pairs``,
            ``n_points``, ``n_images``, and ``n_different``, the images in which the two differ: where they are fewer
            than :data:`bootstrap.MINIMUM_DIFFERENT`, interval, p-value and ``detectable`` are NaN. Of more than two
            runs, scope ``all`` alone.
    """

    runs: list[Run]
    names: list[str]
    protocol: Protocol
    bootstrap: Bootstrap
    table: pd.DataFrame


def compare_runs(
    runs: Sequence[Run], benchmark: Benchmark | None = None, bootstrap: Bootstrap = INTERVALS
) -> Comparison:
    """Compare runs keypoint for keypoint: images are drawn once for all of them, so that differences are paired.

    Args:
        runs: at least two, finished, on the same pairs, counted under the same protocol.
        benchmark: what they ran on; by default it is loaded from where it was.
        bootstrap: how to make intervals and p-values.

    Raises:
        UsageError: fewer than two runs, or one twice, or too few resamples to tell so many differences from chance.
        InputError: the runs were not asked the same questions or not counted alike; one is unfinished or failed.
    """
    _check_several(runs)
    for run in runs[1:]:
        _check_comparable(runs[0], run)
    benchmark = benchmark_of(runs[0], benchmark)
    refuse_flow(benchmark, "compare keypoint for keypoint")
    protocol = Protocol.model_validate(runs[0].record.protocol)
    judged = Judged.of(runs, benchmark, protocol, bootstrap)
    scopes = partitions(benchmark, judged.pairs) if len(runs) == 2 else [everything(judged.pairs)]
    _check_resamples(bootstrap, max(len(runs) * (len(runs) - 1) // 2, *(len(part.names) for part in scopes)))
    tables = [comparison_table(judged, part, bootstrap) for part in scopes if part.names]
    table = pd.concat(tables, ignore_index=True)
    family = [table.scope.str.partition(":")[0], table.subset, table.metric, table.alpha]
    corrected = table.groupby(family, sort=False).p.transform(lambda some: holm(some.to_numpy()))
    table.insert(list(table.columns).index("p") + 1, "p_holm", corrected)
    alone = mcnemar(table.only_first.to_numpy(), table.only_second.to_numpy())
    table.insert(list(table.columns).index("only_second") + 1, "p_mcnemar", alone)
    return Comparison(list(runs), _names(runs), protocol, bootstrap, table)


def _check_several(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise UsageError(f"a comparison needs two runs or more, and {len(runs)} was given; name another")
    for first, second in combinations(runs, 2):
        if first.folder.resolve() == second.folder.resolve():
            raise UsageError(f"{first.folder} is named twice; name two different runs")


def _check_resamples(bootstrap: Bootstrap, tests: int) -> None:
    """Refuse what could find nothing: Holm multiplies the smallest p-value, 2 / (R + 1), by the number of tests."""
    needed = int(np.ceil(2 * tests / (1 - bootstrap.level)))
    if bootstrap.resamples < needed:
        raise UsageError(
            f"{bootstrap.resamples:,} resamples can find none of {tests:,} differences at the level "
            f"{bootstrap.level:g}; use --resamples {needed} or more, or compare fewer runs"
        )


def _check_comparable(first: Run, second: Run) -> None:
    one, other = first.record, second.record
    asked, wanted = one.benchmark, other.benchmark
    differences = {
        "benchmarks": ((asked.name, asked.fingerprint), (wanted.name, wanted.fingerprint)),
        "splits": ((asked.split, ""), (wanted.split, "")),
        "protocols": (
            (one.protocol["name"], one.protocol_fingerprint),
            (other.protocol["name"], other.protocol_fingerprint),
        ),
        "numbers of pairs": ((f"{one.n_pairs:,}", str(asked.limit)), (f"{other.n_pairs:,}", str(wanted.limit))),
    }
    for what, (ours, theirs) in differences.items():
        decides = 1 if ours[1] else 0
        if ours[decides] != theirs[decides]:
            shown = ours[0] != theirs[0]
            texts = [ours[0], theirs[0]] if shown else [f"{n} {fingerprint[:12]}" for n, fingerprint in (ours, theirs)]
            raise InputError(
                f"{first.folder} and {second.folder} cannot be compared: their {what} differ ({' and '.join(texts)}); "
                "run geobench eval alike for both"
            )


def _names(runs: Sequence[Run]) -> list[str]:
    titles = [run.record.method.title for run in runs]
    return [
        f"{title} ({run.record.id})" if titles.count(title) > 1 else title
        for title, run in zip(titles, runs, strict=True)
    ]

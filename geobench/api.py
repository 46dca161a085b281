"""The Python interface: load_benchmark, predict, score, compare, leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geobench.benchmark import Benchmark
from geobench.catalog import card_names
from geobench.embedded import RENDERED, embedded_benchmark
from geobench.errors import InputError, UsageError, nearest_names
from geobench.storage import load_benchmark_folder

if TYPE_CHECKING:
    import pandas as pd

    from geobench.evaluation.bootstrap import Bootstrap
    from geobench.evaluation.protocol import Protocol
    from geobench.evaluation.runs import Run
    from geobench.features.store import StoreType
    from geobench.features.weights import Weights
    from geobench.methods.base import LoadedMethod


def load_benchmark(path_or_name: Path | str, *, images: Path | str | None = None) -> Benchmark:
    """Return a benchmark from its folder, or an embedded one by its name.

    Args:
        path_or_name: a folder written by ``geobench build-splits``, ``quadrupeds``, or ``quadrupeds-training``.
        images: folder of the raw dataset's images, when it is not where it was at building time.

    Raises:
        UsageError: neither a folder nor the name of an embedded benchmark.
        InputError: the folder is not a benchmark, or of a newer format, or was changed.
    """
    path, embedded = Path(path_or_name), str(path_or_name) in RENDERED
    if path.is_dir() and ((path / "benchmark.json").is_file() or not embedded):  # runs may lie in a folder of that name
        benchmark = load_benchmark_folder(path)
    elif embedded:
        benchmark = embedded_benchmark(name=str(path_or_name))
    elif str(path_or_name) in card_names():
        raise UsageError(
            f"{path_or_name!r} is a dataset to build first: geobench build-splits {path_or_name} --source RAW "
            "--out DIR; then name DIR"
        )
    else:
        raise UsageError(f"{path_or_name!r}: no such benchmark folder{nearest_names(str(path_or_name), RENDERED)}")
    if images is None:
        return benchmark
    if not Path(images).is_dir():
        raise InputError(f"{images}: no such folder; --images is the folder that holds the raw dataset's images")
    return replace(benchmark, image_root=Path(images).resolve())


def predict(
    method: str | LoadedMethod,
    benchmark: Benchmark,
    *,
    split: str = "test",
    protocol: str | Protocol = "default",
    limit: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    runs: Path | str = "runs",
    fresh: bool = False,
    weights: Weights | None = None,
    memory: str | int | None = None,
    store: Path | str | None = None,
    store_dtype: StoreType = "float16",
) -> Run:
    """Run a method on a split and return the run; a finished run is returned as it is, a cut one is completed.

    Args:
        method: catalogue name, recipe path, ``file.py:Class``, ``module:Class``, entry point, or a loaded method.
        benchmark: what to run on.
        split: name of the split.
        protocol: preset name, path, or protocol; it decides which questions are asked and how they are counted.
        limit: ask only so many pairs, spread evenly; such runs stay off leaderboards.
        seed: for methods that draw random numbers.
        device: torch device.
        runs: folder below which the run is kept.
        fresh: start over.
        weights: where the networks of a recipe get their weights from; by default this machine and the hub.
        memory: what all descriptions together may take: ``8GB``, or bytes; by default half of the free memory. It
            never changes a result; a GeobenchWarning says so when images will be described more than once.
        store: folder in which features are kept on disk, and read where they are there; for recipes of [[features]].
        store_dtype: ``float16`` rounds stored features, and the run says so; ``float32`` does not.
    """
    from geobench.evaluation.job import Job
    from geobench.evaluation.protocol import Protocol, find_protocol
    from geobench.evaluation.runner import predict_jobs
    from geobench.memory_options import memory_of, stored
    from geobench.methods.loader import load_method

    plain = load_method(method, device=device, weights=weights) if isinstance(method, str) else method
    (loaded,) = stored([plain], store, store_dtype, device)
    chosen = protocol if isinstance(protocol, Protocol) else find_protocol(protocol)
    job = Job(loaded, benchmark, split, chosen, limit=limit, seed=seed, device=device)
    return predict_jobs([job], Path(runs), fresh=fresh, memory=memory_of(memory))[0]


def score(run: Run | Path | str, *, benchmark: Benchmark | None = None) -> pd.DataFrame:
    """Score a run under its protocol, keep the scores beside it, and return them in long form.

    Args:
        run: a run, or its folder.
        benchmark: what it ran on; by default it is loaded from where it was.

    Returns:
        One row per scope, subset, metric and alpha: value (0 to 1), low and high (its 95% confidence interval), n,
        n_pairs, n_points, n_images (docs/statistics.md).

    Raises:
        InputError: the benchmark is gone, or is not the one the run was made on.
    """
    from geobench.evaluation.scoring import score_run

    return score_run(run, benchmark)


def compare(
    runs: Sequence[Run | Path | str],
    *,
    benchmark: Benchmark | None = None,
    alpha: float = 0.10,
    metric: str | None = None,
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Compare runs keypoint for keypoint, by paired differences.

    Args:
        runs: two or more, or their folders; of one benchmark, split and protocol.
        benchmark: what they ran on; by default it is loaded from where it was.
        alpha: the PCK threshold of the sentences.
        metric: ``per_image`` or ``per_point``, the average of the sentences; the protocol's headline by default.
        bootstrap: how to make intervals and p-values; by default BCa, 95%, 10,000 resamples, seed 0.

    Returns:
        One row per two runs, scope, subset, metric and alpha: value_first, value_second and difference (0 to 1), low
        and high, p, p_holm, p_mcnemar, detectable and counts (docs/statistics.md). ``attrs["sentences"]`` says which is
        better, of all keypoints and of the geometry-aware ones; ``attrs["intervals"]`` how intervals were made.

    Raises:
        UsageError: fewer than two runs, or the protocol has no such alpha.
        InputError: the runs were not asked the same questions or not counted alike; one is unfinished or failed.
    """
    from geobench.evaluation.comparison import compare_runs
    from geobench.evaluation.runs import Run, load_run
    from geobench.evaluation.scoring import INTERVALS
    from geobench.reporting.comparison_table import check_alpha, named_rows, said_of

    loaded = [run if isinstance(run, Run) else load_run(run) for run in runs]
    compared = compare_runs(loaded, benchmark, bootstrap or INTERVALS)
    check_alpha(compared, alpha)
    table = named_rows(compared)
    kind = metric or compared.protocol.headline
    table.attrs = {"sentences": said_of(compared, kind, alpha), "intervals": compared.bootstrap.record()}
    return table


def leaderboard(runs: Sequence[Run | Path | str], *, alpha: float = 0.10, metric: str | None = None) -> pd.DataFrame:
    """Return methods × benchmarks, standard and geometry-aware PCK in percent.

    Args:
        runs: runs, or folders of runs; unscored ones are scored.
        alpha: the PCK threshold.
        metric: ``per_image`` or ``per_point``; the protocol's headline by default.

    Raises:
        InputError: a column would mix benchmark fingerprints or protocols.
    """
    from geobench.evaluation.runs import Run, load_run
    from geobench.reporting.leaderboard import leaderboard_table

    loaded = [run if isinstance(run, Run) else load_run(run) for run in runs]
    for run in loaded:
        if not (run.folder / "scores.parquet").is_file():
            score(run)
    return leaderboard_table(loaded, alpha=alpha, metric=metric).frame

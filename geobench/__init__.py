"""geobench: benchmarks, methods and trustworthy tables for geometry-aware semantic correspondence.

Three nouns and a few verbs, the same as on the command line::

    import geobench

    benchmark = geobench.load_benchmark("quadrupeds")
    run = geobench.predict("dense-sift", benchmark, split="test/cross-species")
    scores = geobench.score(run)  # a DataFrame, one row per scope x subset x metric x alpha
    print(geobench.leaderboard([run]))
    print(geobench.compare([run, other]).attrs["sentences"])  # two runs or more
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from geobench.version import __version__

if TYPE_CHECKING:
    from geobench.api import compare as compare
    from geobench.api import leaderboard as leaderboard
    from geobench.api import load_benchmark as load_benchmark
    from geobench.api import predict as predict
    from geobench.api import score as score
    from geobench.benchmark import Benchmark as Benchmark
    from geobench.benchmark import Pairs as Pairs
    from geobench.errors import GeobenchError as GeobenchError
    from geobench.errors import InputError as InputError
    from geobench.errors import UsageError as UsageError
    from geobench.evaluation.protocol import Protocol as Protocol
    from geobench.evaluation.runs import Run as Run
    from geobench.instances import Instances as Instances
    from geobench.picture import Picture as Picture
    from geobench.skeleton import Skeleton as Skeleton

# Names are imported on first use, so that `import geobench` loads neither torch nor pandas.
_HOME = {
    "Benchmark": "geobench.benchmark",
    "GeobenchError": "geobench.errors",
    "InputError": "geobench.errors",
    "Instances": "geobench.instances",
    "Pairs": "geobench.benchmark",
    "Picture": "geobench.picture",
    "Protocol": "geobench.evaluation.protocol",
    "Run": "geobench.evaluation.runs",
    "Skeleton": "geobench.skeleton",
    "UsageError": "geobench.errors",
    "compare": "geobench.api",
    "leaderboard": "geobench.api",
    "load_benchmark": "geobench.api",
    "predict": "geobench.api",
    "score": "geobench.api",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'geobench' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

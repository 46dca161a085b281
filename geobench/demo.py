"""The demonstration: embedded benchmark -> six methods -> leaderboard and pictures, offline, on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geobench.benchmark import Benchmark
from geobench.embedded import embedded_benchmark
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.runner import predict_jobs
from geobench.evaluation.runs import Run
from geobench.evaluation.scoring import score_run
from geobench.files import write_text
from geobench.methods.loader import load_method
from geobench.reporting.leaderboard import Leaderboard, leaderboard_table
from geobench.reporting.tables import render

METHODS = ("dense-sift", "quadnet-nn", "box-position", "same-position", "random", "oracle")
SETTINGS = ("test/intra-species", "test/cross-species", "test/cross-family")


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration made: the leaderboard, and the files it wrote with what each is."""

    board: Leaderboard
    written: list[tuple[Path, str]]


def demonstrate(folder: Path, *, images: int | None = None, say: Callable[[str], None] = print) -> Demonstration:
    """Build the embedded benchmark in ``folder``, run six methods on its three settings, and write the tables.

    Args:
        folder: where everything goes; what an earlier demonstration finished is reused.
        images: about how many images to render; the whole benchmark by default.
        say: told one sentence per step.
    """
    say("1. the embedded benchmark: rendering animals, building pairs as for AP-10K")
    benchmark = embedded_benchmark(folder / "quadrupeds", images=images)
    say(f"   {len(benchmark.instances)} instances, fingerprint {benchmark.fingerprint[:12]}")
    runs = [run for method in METHODS for run in _run(method, benchmark, folder / "runs", say)]
    board = leaderboard_table(runs)
    return Demonstration(board, _write(folder, benchmark, runs, board))


def _run(method: str, benchmark: Benchmark, runs: Path, say: Callable[[str], None]) -> list[Run]:
    loaded = load_method(method)
    jobs = [Job(loaded, benchmark, split, find_protocol("default")) for split in SETTINGS]
    done = predict_jobs(jobs, runs)
    for run in done:
        score_run(run, benchmark)
    seconds = sum(run.record.cost.wall_s for run in done)
    pairs = sum(run.record.n_pairs for run in done)
    say(f"2. {loaded.title}: {pairs:,} pairs in {seconds:.1f} s")
    return done


def _write(folder: Path, benchmark: Benchmark, runs: list[Run], board: Leaderboard) -> list[tuple[Path, str]]:
    from geobench.builders.synthetic import contact_sheet
    from geobench.reporting.run_matches import save_run_matches

    files = {
        folder / "leaderboard.md": ("the leaderboard for a README", render(board, "markdown")),
        folder / "leaderboard.csv": ("the same as data", render(board, "csv")),
        folder / "leaderboard.tex": ("the same for a paper", render(board, "latex")),
    }
    for path, (_, text) in files.items():
        write_text(path, text)
    sheet = folder / "animals.png"
    contact_sheet(folder / "quadrupeds" / "raw").save(sheet)
    matches = folder / "matches.png"
    save_run_matches(runs[1], benchmark, matches)
    written = [(path, what) for path, (what, _) in files.items()]
    written += [(sheet, "the animals with their keypoints"), (matches, f"matches of {runs[1].record.method.title}")]
    return [*written, (folder / "quadrupeds" / "benchmark", "the benchmark"), (folder / "runs", "the runs")]

"""Checks a whole repository of results, and says what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from geobench.benchmark import Benchmark
from geobench.embedded import RENDERED, embedded_benchmark
from geobench.errors import InputError
from geobench.evaluation.runs import Run
from geobench.reporting.method_notes import load_method_notes
from geobench.reporting.published import load_published
from geobench.results.answer_check import answers_digest, check_answers
from geobench.results.layout import PUBLISHED, RUN_FILE, KnownBenchmark, known_benchmarks, run_folders
from geobench.results.record_check import check_record
from geobench.results.score_check import check_scores, check_table


@dataclass
class Validation:
    """What was checked.

    Attributes:
        n_published: printed figures.
        runs: the results, all sound.
        unscored: those of them whose scores were not counted again, because their benchmark is not at hand.
    """

    n_published: int = 0
    runs: list[Run] = field(default_factory=list)
    unscored: list[Run] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what to tell people, line by line."""
        again = len(self.runs) - len(self.unscored)
        told = [f"{self.n_published} published figures", f"{len(self.runs)} runs, scores of {again} counted again"]
        names = ", ".join(sorted({run.record.benchmark.name for run in self.unscored}))
        return told + [f"not counted again: those on {names}"] * bool(names)


def validate_results(
    folder: Path, benchmarks: Mapping[str, Benchmark] | None = None, *, recount: bool = True
) -> Validation:
    """Check a repository of results: its layout, every record, and every score whose benchmark is at hand.

    Args:
        folder: the repository.
        benchmarks: those at hand, by fingerprint; rendered ones are made when needed.
        recount: count scores again from the predictions where the benchmark is at hand.

    Raises:
        InputError: something is wrong; one sentence names the file, the field and the remedy.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name a repository of results, see results/README.md")
    found, at_hand = Validation(), dict(benchmarks or {})
    if (folder / PUBLISHED).is_dir():
        found.n_published = len(load_published(folder / PUBLISHED))
        load_method_notes(folder / PUBLISHED)
    known = known_benchmarks(folder)
    seen: dict[tuple[str, ...], Path] = {}
    for path in run_folders(folder):
        run = Run(path, check_record(folder, path, known))
        check_table(run)
        _check_new(run, answers_digest(check_answers(run)), seen)
        benchmark = _benchmark(run, known, at_hand) if recount else None
        if benchmark is None:
            found.unscored.append(run)
        else:
            check_scores(run, benchmark)
        found.runs.append(run)
    return found


def _check_new(run: Run, answers: str, seen: dict[tuple[str, ...], Path]) -> None:
    """Refuse a result that another one repeats: the same method and settings, or the same predictions."""
    record, path = run.record, run.folder / RUN_FILE
    asked = (record.benchmark.fingerprint, record.benchmark.split, record.protocol_fingerprint)
    keys = {
        ("method", record.method.name, str(record.seed), *asked): "method.name",
        ("predictions", answers, *asked): "id",
    }
    for key, name in keys.items():
        if key in seen:
            what = "the same method and seed" if key[0] == "method" else "the same predictions"
            raise InputError(f"{path}: {name}: {what} as {seen[key]}; keep one of them")
        seen[key] = run.folder


def _benchmark(run: Run, known: Mapping[str, KnownBenchmark], at_hand: dict[str, Benchmark]) -> Benchmark | None:
    fingerprint = run.record.benchmark.fingerprint
    if fingerprint not in at_hand and known[fingerprint].name in RENDERED:
        made = embedded_benchmark(name=known[fingerprint].name)
        at_hand[made.fingerprint] = made
    return at_hand.get(fingerprint)

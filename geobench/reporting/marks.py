"""The marks behind the names of methods in tables, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geobench.evaluation.runs import Run

MIRROR_MARK = "†"
TRUTH_MARK = "‡"
FAILURE_MARK = "§"
IMPORTED_MARK = "°"
TRAINED_MARK = "¶"
MEANINGS = {
    MIRROR_MARK: "is told which query points are mirror partners",
    TRUTH_MARK: "is given the answer: a bound, not ranked",
    FAILURE_MARK: "failed on some pairs, which count as wrong",
    IMPORTED_MARK: "predicted elsewhere and imported",
    TRAINED_MARK: "was trained on the training split of the benchmark",
}
MARKS = tuple(MEANINGS)


def marks_of(runs: Sequence[Run]) -> str:
    """Return the marks of a method's runs, but that of what it was trained on."""
    records = [run.record for run in runs]
    applies = {
        MIRROR_MARK: any(record.method.uses_mirror_index for record in records),
        TRUTH_MARK: any(record.method.knows_truth for record in records),
        FAILURE_MARK: any(record.n_pairs_failed > 0 for record in records),
        IMPORTED_MARK: any(record.imported is not None for record in records),
    }
    return "".join(mark for mark, true in applies.items() if true)


def marked(run: Run) -> str:
    """Return the title of a run's method with its marks, but that of what it was trained on."""
    return run.record.method.title + marks_of([run])


def mark_notes(names: Sequence[str], meanings: Mapping[str, str] = MEANINGS) -> list[str]:
    """Return a line for each mark that is in the names of a table's rows."""
    shown = "".join(names)
    return [f"{mark} {meaning}" for mark, meaning in meanings.items() if mark in shown]

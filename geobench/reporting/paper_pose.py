"""The paper's table of global pose awareness, laid out from what ``geobench pose --out`` wrote, and printed figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from geobench.errors import InputError
from geobench.evaluation.bootstrap import Bootstrap
from geobench.evaluation.pose_vote import CHANCE, COLUMNS
from geobench.files import read_json_object
from geobench.reporting.paper_layout import PaperColumn, PaperRow, PaperTable
from geobench.reporting.published import load_published
from geobench.reporting.published_rows import POSE_METRIC, PRINTED_MARK
from geobench.reporting.scores_text import interval_sentence

RECIPES = {"DINOv2": "dinov2-nn", "SD": "sd", "SD+DINO": "sd-dino"}
"""The catalogue's recipes with the features of the paper's rows."""


def pose_paper(paths: Sequence[Path], published: bool = False, intervals: bool = False) -> PaperTable:
    """Return the table of global pose awareness.

    Args:
        paths: files written by ``geobench pose --out``.
        published: add the printed rows; they are of other images, so no difference is shown.
        intervals: show the confidence intervals.

    Raises:
        InputError: a file is no such file, or two of them asked different things.
    """
    answers = [(path, run) for path in paths for run in _runs(path)]
    _check_same_task(answers)
    benchmark = str(answers[0][1]["benchmark"]["name"]) if answers else "spair71k"
    columns = [PaperColumn("", name, benchmark, "pose", name, "all", POSE_METRIC, float("nan")) for name in COLUMNS]
    measured = {str(run["method"]["name"]): _row(path, run) for path, run in answers}
    rows: list[PaperRow] = []
    printed = load_published()
    printed = printed[printed.metric == POSE_METRIC]
    for name, recipe in RECIPES.items():
        rows.append(measured.pop(recipe) if recipe in measured else _missing(name, recipe, benchmark))
        if published:
            cells = printed[printed.method == name].set_index("scope").value
            values = np.array([cells.get(f"pose:{column}", np.nan) for column in COLUMNS], dtype=np.float64)
            rows.append(PaperRow("unsupervised", name + PRINTED_MARK, "printed", values))
    chance = np.array([100 * CHANCE[column] for column in COLUMNS])
    rows += [*measured.values(), PaperRow("unsupervised", "guessing", "bound", chance)]
    notes = [f"{PRINTED_MARK.strip()}: copied from the paper, of its own photographs; not measured here, not ranked"]
    title = f"Global pose awareness on {benchmark}, accuracy in percent"
    return PaperTable(title, columns, rows, notes if published else [], _made(answers) if intervals else "")


def _runs(path: Path) -> list[dict[str, Any]]:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the files that geobench pose --out wrote")
    runs = read_json_object(path).get("runs")
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise InputError(f"{path}: runs: is no list of answers; write the file with geobench pose --out")
    for place, run in enumerate(runs):
        for key in ("benchmark", "templates", "options", "method", "columns"):
            if not isinstance(run.get(key), dict):
                raise InputError(f"{path}: runs.{place}.{key}: is missing; write the file with geobench pose --out")
    return runs


def _check_same_task(answers: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    for path, run in answers[1:]:
        for key in ("benchmark", "templates", "options"):
            if run[key] != answers[0][1][key]:
                raise InputError(f"{path}: {key}: is not that of {answers[0][0]}; show them apart")


def _made(answers: Sequence[tuple[Path, dict[str, Any]]]) -> str:
    """Return a note on how the intervals were made; empty where there are no answers."""
    records = [(path, run.get("intervals")) for path, run in answers]
    for path, made in records:
        if made != Bootstrap().record():
            raise InputError(f"{path}: intervals: are not made as geobench pose makes them; run pose again")
    return f"in brackets: {interval_sentence(Bootstrap().record())}" if records else ""


def _row(path: Path, run: dict[str, Any]) -> PaperRow:
    method = run["method"]
    name = str(method.get("title", method.get("name")))
    return PaperRow("unsupervised", name, "measured", _values(path, run), ends=_ends(path, run))


def _values(path: Path, run: dict[str, Any]) -> Float64[np.ndarray, " c"]:
    values = []
    for name in COLUMNS:
        cell = run["columns"].get(name)
        value = cell.get("accuracy", "") if isinstance(cell, dict) else ""
        if value is not None and (not isinstance(value, int | float) or not 0 <= value <= 1):
            raise InputError(f"{path}: columns.{name}.accuracy: {value!r} is no share from 0 to 1; run pose again")
        values.append(np.nan if value is None else 100.0 * value)
    return np.array(values, dtype=np.float64)


def _ends(path: Path, run: dict[str, Any]) -> Float64[np.ndarray, "2 c"]:
    ends = []
    for name in COLUMNS:
        cell = run["columns"].get(name)
        found = (cell.get("interval") if isinstance(cell, dict) else None) or [np.nan, np.nan]
        if not isinstance(found, list) or len(found) != 2 or not all(isinstance(end, int | float) for end in found):
            raise InputError(f"{path}: columns.{name}.interval: {found!r} is no lower and upper end; run pose again")
        ends.append([100.0 * end for end in found])
    return np.array(ends, dtype=np.float64).T


def _missing(name: str, recipe: str, benchmark: str) -> PaperRow:
    known = benchmark.upper() if benchmark == "spair71k" else benchmark
    command = f"geobench pose --method {recipe} --benchmark {known} --out {recipe}.json"
    return PaperRow("unsupervised", name, "measured", np.full(len(COLUMNS), np.nan), {benchmark: command})

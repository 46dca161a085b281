"""Every verb's LaTeX: read strictly everywhere, and compiled where the machine has an engine."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from conftest import make_tiny_benchmark
from latex import check_latex, compiles

import geobench
from geobench.cli import run


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The LaTeX of every verb that writes it, by its command line."""
    place = tmp_path_factory.mktemp("latex")
    made = geobench.load_benchmark(make_tiny_benchmark(place / "raw", n=26).save(place / "tiny_&_50%"))
    folders = {}
    for method in ("random", "same-position", "oracle"):
        done = geobench.predict(method, made, runs=place / "runs")
        geobench.score(done)
        folders[method] = str(done.folder)
    runs, one, other = str(place / "runs"), folders["random"], folders["same-position"]
    lines = [
        ["protocols"],
        ["score", one],
        ["score", one, "--protocol", "all"],
        ["compare", one, other],
        ["compare", runs],
        ["errors", runs, "--intervals", "--by", "category"],
        ["errors", one, "--confusion"],
        ["leaderboard", runs],
        ["leaderboard", runs, "--intervals", "--published"],
        ["kap", "--method", "dense-sift", "--benchmark", str(place / "tiny_&_50%"), "--limit", "4"],
        *(["table", number, runs, "--benchmark", "tiny", "--published"] for number in ("2", "3", "4")),
        ["table", "methods"],
    ]
    return {" ".join(line): _out([*line, "--format", "latex"]) for line in lines}


def _out(line: list[str]) -> str:
    with redirect_stdout(io.StringIO()) as out:
        assert run(line) == 0, line
    return out.getvalue()


def test_every_table_is_what_latex_takes(tables: dict[str, str]) -> None:
    for line, text in tables.items():
        *parts, rest = text.split("\\end{tabular}\n")
        assert parts, line
        if not line.startswith("table"):  # those are floats with captions, read in test_paper_tables.py
            assert not rest, line
            for part in parts:
                check_latex(part + "\\end{tabular}\n")


def test_every_table_compiles(tables: dict[str, str], tmp_path: Path) -> None:
    done = compiles("\n\\clearpage\n".join(tables.values()), tmp_path)
    if done is None:
        pytest.skip("no LaTeX engine here (Debian: texlive-latex-base and texlive-latex-recommended)")
    log = (tmp_path / "table.log").read_text(errors="replace") if (tmp_path / "table.log").is_file() else ""
    assert done, log[-2000:]

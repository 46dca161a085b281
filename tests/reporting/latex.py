"""A strict reader of the LaTeX that tables are written in: it refuses what would not compile."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

_COMMANDS = """toprule midrule bottomrule cmidrule multicolumn textbf underline texttt caption centering scriptsize
setlength tabcolsep par smallskip raggedright begin end textbackslash textasciitilde textasciicircum dagger ddagger
S P"""
COMMANDS = set(_COMMANDS.split())
_TOKEN = re.compile(r"\\\\|\\[A-Za-z]+|\\.|[{}$&%#_^~]|[^\\{}$&%#_^~]+", re.DOTALL)
ENGINES = ("tectonic", "pdflatex", "lualatex", "xelatex")


def check_latex(text: str) -> None:
    """Assert that every command is known, groups and environments nest, and every row has its columns."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert body.isascii(), sorted({character for character in body if not character.isascii()})
    _check_tokens(body)
    environments = re.findall(r"\\(begin|end)\{([a-z*]+)\}", body)
    stack: list[str] = []
    for kind, name in environments:
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    (layout, table), *more = re.findall(r"\\begin\{tabular\}\{([lcr]+)\}\n(.*?)\\end\{tabular\}", body, re.DOTALL)
    assert not more
    for line in table.splitlines():
        if not line.startswith((r"\toprule", r"\midrule", r"\bottomrule", r"\cmidrule")):
            assert line.endswith(r" \\"), line
            assert _width(line) == len(layout), line
    for first, last in re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", table):
        assert 1 <= int(first) <= int(last) <= len(layout)


def _check_tokens(body: str) -> None:
    depth, in_math = 0, False
    for token in _TOKEN.findall(body):
        if re.fullmatch(r"\\[A-Za-z]+", token):
            assert token[1:] in COMMANDS, token
        elif token.startswith("\\"):
            assert token in (r"\\", r"\&", r"\%", r"\_", r"\#", r"\$", r"\{", r"\}"), token
        elif token in "{}":
            depth += 1 if token == "{" else -1
            assert depth >= 0
        elif token == "$":
            in_math = not in_math
        elif token in ("^", "_"):
            assert in_math, token
        else:
            assert token not in ("%", "#", "~"), token
        assert in_math or not re.search("[<>]", token) or token.startswith("\\"), token
    assert depth == 0
    assert not in_math


def _width(line: str) -> int:
    spans = [int(width) for width in re.findall(r"\\multicolumn\{(\d+)\}", line)]
    return len(re.findall(r"(?<!\\)&", line)) + 1 + sum(spans) - len(spans)


def compiles(text: str, folder: Path) -> bool | None:
    """Return whether the first LaTeX engine of this machine compiles a table; None where there is none."""
    engine = next((found for found in map(shutil.which, ENGINES) if found), None)
    if engine is None:
        return None
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + "\n" + text + r"\end{document}"
    (folder / "table.tex").write_text(document, encoding="utf-8")
    options = [] if Path(engine).name == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([engine, *options, "table.tex"], cwd=folder, capture_output=True, check=False, timeout=120)
    return done.returncode == 0

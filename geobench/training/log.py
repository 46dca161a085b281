"""What a training leaves to read: a line per step in ``steps.csv``, a line per validation in ``validation.csv``.

TensorBoard gets the same numbers where it is installed.
"""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geobench.files import write_text

STEPS = "steps.csv"
VALIDATION = "validation.csv"


class TrainingLog:
    """Collects numbers by step; :meth:`save` writes them whole.

    Args:
        folder: of the training.
        after: steps already done; what older files say of later ones is dropped.
    """

    def __init__(self, folder: Path, after: int = 0) -> None:
        self.folder = folder
        self._rows = {name: _read(folder / name, after) for name in (STEPS, VALIDATION)}
        self._board = _tensorboard(folder)

    def step(self, number: int, values: Mapping[str, float]) -> None:
        """Note a training step."""
        self._note(STEPS, number, values)

    def validation(self, number: int, values: Mapping[str, float]) -> None:
        """Note a validation after a step."""
        self._note(VALIDATION, number, values)

    def save(self) -> None:
        """Write both files.

        Raises:
            GeobenchError: the disk is full.
        """
        for name, rows in self._rows.items():
            if rows:
                columns = list(dict.fromkeys(key for row in rows for key in row))
                text = io.StringIO()
                writer = csv.DictWriter(text, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
                write_text(self.folder / name, text.getvalue())
        if self._board is not None:
            self._board.flush()

    def _note(self, name: str, number: int, values: Mapping[str, float]) -> None:
        self._rows[name].append({"step": str(number)} | {key: f"{value:.6g}" for key, value in values.items()})
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{Path(name).stem}/{key}", value, number)


def _read(path: Path, after: int) -> list[dict[str, str]]:
    """Return the rows of a log up to a step; none where it is missing or damaged, since nothing depends on it."""
    if not after or not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(stream)]
    return [row for row in rows if row.get("step", "").isdigit() and int(row["step"]) <= after]


def _tensorboard(folder: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))

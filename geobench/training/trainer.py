"""Goes through all steps of a training: saves, validates, logs, and goes on where it was interrupted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from geobench.errors import InputError
from geobench.training.checkpoint import (
    LAST,
    STATE,
    WEIGHTS,
    Progress,
    read_progress,
    restore_state,
    save_state,
    save_weights,
)
from geobench.training.engine import Engine, NotFiniteError
from geobench.training.interrupt import held_back
from geobench.training.log import TrainingLog
from geobench.training.losses import LossTerms
from geobench.training.order import Steps, epoch_steps, own_share
from geobench.training.settings import TrainingSettings
from geobench.training.supply import Supply
from geobench.training.validation import Validation
from geobench.training.views import ShownPair


@dataclass(frozen=True, eq=False)
class Parts:
    """What a training is put together from.

    Attributes:
        engine: does the steps.
        supply: describes the pairs.
        validation: scores the network, where there are pairs to validate on.
        settings: of the training.
        seed: of everything that is drawn.
    """

    engine: Engine
    supply: Supply
    validation: Validation | None
    settings: TrainingSettings
    seed: int


class Trainer:
    """Trains, from the start or from the state in the folder.

    Args:
        parts: what does the work.
        folder: where weights, state and logs go.
        start: the progress to begin with where the folder has none.

    Raises:
        InputError: the folder is of another training.
    """

    def __init__(self, parts: Parts, folder: Path, start: Progress) -> None:
        self.parts, self.folder = parts, folder
        self.main = parts.engine.accelerator.is_main_process
        self.progress = start
        state = folder / STATE
        if state.is_file():
            self.progress = _same(state, read_progress(state), start)
            restore_state(state, parts.engine.network, parts.engine.objective, parts.engine.plain_optimiser)
            parts.engine.wind(self.progress.step)
        self.log = TrainingLog(folder, self.progress.step) if self.main else None
        self._pck = self.progress.history[-1]["pck"] if self.progress.history else float("nan")

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return -(-len(self.parts.supply.pairs) // self.parts.settings.batch)

    def run(self) -> Progress:
        """Train to the end, and return how it ended.

        Raises:
            NotFiniteError: the loss is NaN; the last good weights are saved.
            KeyboardInterrupt: the state is saved, and the same command goes on.
        """
        total = self.steps_per_epoch * self.parts.settings.epochs
        bar = tqdm(
            total=total, initial=self.progress.step, desc="train", unit="step", disable=None if self.main else True
        )
        done_before = self.progress.step
        try:
            with bar:
                for number, pairs, names, count in self._batches(total):
                    self._step(number, pairs, names, count, bar)
        except NotFiniteError:
            self._save_weights(LAST)
            raise
        except KeyboardInterrupt:
            self._save_state()
            raise
        if self.progress.step > done_before or not (self.folder / WEIGHTS).is_file():
            self._finish()
        return self.progress

    def _batches(self, total: int) -> Iterator[tuple[int, list[ShownPair], list[str], int]]:
        """Yield each step to do: its number, this process's pairs and their names, and how many pairs all have."""
        per_epoch = self.steps_per_epoch
        while self.progress.step < total:
            epoch, begun = divmod(self.progress.step, per_epoch)
            steps = self._epoch(epoch)[begun:]
            accelerator = self.parts.engine.accelerator
            own = own_share(steps, accelerator.process_index, accelerator.num_processes)
            batches = self.parts.supply.batches(own, self.progress.capacity)
            for offset, pairs in enumerate(batches):
                names = [self._name(pair) for pair in own[offset].tolist()]
                # A process without a pair of its own still takes part in the step, with a weight of nothing.
                number = epoch * per_epoch + begun + offset
                yield number, pairs or [self.parts.supply.pair(0)], names, len(steps[offset])

    def _epoch(self, epoch: int) -> Steps:
        parts = self.parts
        return epoch_steps(parts.supply.pairs, epoch, parts.seed, parts.settings.batch, self.progress.capacity)

    def _name(self, number: int) -> str:
        pairs, ids = self.parts.supply.pairs, self.parts.supply.descriptions.benchmark.instances.id
        return f"{ids[pairs.source[number]]} to {ids[pairs.target[number]]}"

    def _step(self, number: int, pairs: list[ShownPair], names: list[str], count: int, bar: Any) -> None:
        engine, started = self.parts.engine, time.perf_counter()
        rate = engine.schedule.get_last_lr()[0]
        with held_back():
            terms = engine.step(number, pairs, names, count)
            loss = float(terms.total.detach())
            self.progress = replace(self.progress, step=number + 1)
            self._note(number + 1, terms, float(rate), count / (time.perf_counter() - started))
        self._validate_and_save(number + 1)
        bar.set_postfix(loss=f"{loss:.3f}", pck=f"{100 * self._pck:.1f}", refresh=False)
        bar.update()

    def _note(self, step: int, terms: LossTerms, rate: float, pace: float) -> None:
        if self.log is not None:
            parts = {name.replace(" ", "_"): float(one) for name, one in terms.parts.items()}
            told = {"loss": float(terms.total.detach()), "learning_rate": rate, "pairs_per_s": pace}
            self.log.step(step, told | parts)

    def _validate_and_save(self, step: int) -> None:
        settings = self.parts.settings
        if step % self.steps_per_epoch == 0 or (settings.validate_every and step % settings.validate_every == 0):
            self._validate(step)
        if step % settings.save_every == 0:
            self._save_state()

    def _validate(self, step: int) -> None:
        if not self.main or self.parts.validation is None:
            return
        self._pck = self.parts.validation(self.parts.engine.network)
        history = [*self.progress.history, {"step": float(step), "pck": self._pck}]
        self.progress = replace(self.progress, history=history)
        if self.log is not None:
            self.log.validation(step, {"pck": self._pck})
        if self.progress.best is None or self._pck > self.progress.best:
            self.progress = replace(self.progress, best=self._pck, best_step=step)
            self._save_weights(WEIGHTS)

    def _finish(self) -> None:
        self._save_state()
        self._save_weights(LAST)
        if self.progress.best is None:
            self._save_weights(WEIGHTS)

    def _save_weights(self, name: str) -> None:
        if self.main:
            about = {"geobench train": f"step {self.progress.step}"}  # two entries would come in any order
            save_weights(self.parts.engine.network, self.folder / name, about)

    def _save_state(self) -> None:
        if not self.main or self.log is None:
            return
        engine = self.parts.engine
        self.log.save()
        save_state(self.folder / STATE, engine.network, engine.objective, engine.plain_optimiser, self.progress)


def _same(path: Path, found: Progress, wanted: Progress) -> Progress:
    """Return the progress found, if it is of this training.

    Raises:
        InputError: it is of another one; the message names the first difference.
    """
    for name, value in wanted.identity.items():
        if found.identity.get(name) != value:
            raise InputError(
                f"{path}: was made with another {name} ({found.identity.get(name)}, now {value}); give another --out, "
                "or --fresh to begin again"
            )
    return found

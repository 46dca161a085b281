"""Trains the post-processor of a recipe on a benchmark, and leaves a folder that ``geobench eval --method`` takes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w
from accelerate import Accelerator
from torch import nn

from geobench.benchmark import Benchmark, Pairs
from geobench.errors import InputError, UsageError
from geobench.features.footprint import device_of
from geobench.features.weights import Weights
from geobench.files import write_text
from geobench.fingerprint import digest
from geobench.methods.base import LoadedMethod
from geobench.methods.post_processing import PostProcessing, random_network
from geobench.methods.recipe import Recipe, build_matcher
from geobench.training.adapters import load_post_processor
from geobench.training.checkpoint import WEIGHTS, Progress
from geobench.training.engine import Engine
from geobench.training.features import load_features, without_mirrored
from geobench.training.losses import LossSettings, Objective
from geobench.training.pairs import PairMaker, check_mirrors, usable_pairs
from geobench.training.post_processor import PostProcessor
from geobench.training.processes import accelerator_for, least, own_memory
from geobench.training.settings import TrainingSettings
from geobench.training.supply import Supply
from geobench.training.trainer import Parts, Trainer
from geobench.training.validation import Validation, validation_split
from geobench.typed_toml import read_toml, validate

Precision = Literal["no", "bf16", "fp16"]
RECIPE = "recipe.toml"


@dataclass(frozen=True)
class TrainingJob:
    """What to train.

    Attributes:
        recipe: path of a recipe of ``[[features]]`` and ``[matcher]``; ``[training]`` and ``[loss]`` say how.
        benchmark: where the pairs are.
        out: the folder to leave.
        start: weights to begin with, or the folder of a training; random ones where it is None.
        changes: of ``[training]``, by key.
        seed: of the first weights, the order of pairs, dropout and perturbations.
        device: torch device.
        precision: of the network's arithmetic; losses are computed in float32.
        memory: bytes that descriptions of each process may take; None for a share of what is free.
        weights: where the networks of the features get their weights from.
        fresh: begin again where ``out`` has a state.
    """

    recipe: Path
    benchmark: Benchmark
    out: Path
    start: Path | None = None
    changes: dict[str, Any] | None = None
    seed: int = 0
    device: str = "cpu"
    precision: Precision = "no"
    memory: int | None = None
    weights: Weights | None = None
    fresh: bool = False


def train(job: TrainingJob) -> Progress:
    """Train, or go on training, and return how it ended.

    ``job.out`` then holds ``recipe.toml``, the best weights (``post_processor.safetensors``), the last ones, the state
    and the logs.

    Raises:
        InputError: the recipe is malformed, weights are missing, or a category has no mirror table.
        UsageError: there is no such split, or the memory allowed is too small.
        GeobenchError: the loss is NaN, or the disk is full.
    """
    recipe = validate(read_toml(job.recipe), Recipe, str(job.recipe))
    loss = validate(recipe.loss or {}, LossSettings, f"{job.recipe}: [loss]")
    settings = _settings(recipe, job)
    pairs = usable_pairs(job.benchmark, settings.split, settings.categories, settings.pairs or None)
    if loss.needs_mirrored:
        check_mirrors(job.benchmark, pairs)
    accelerator = accelerator_for(job.device, job.precision)
    if settings.batch < accelerator.num_processes:
        raise UsageError(f"batch {settings.batch}: give each of {accelerator.num_processes} processes a pair per step")
    parts, capacity = _parts(job, recipe, settings, loss, pairs, accelerator)
    if job.fresh and accelerator.is_main_process:
        shutil.rmtree(job.out, ignore_errors=True)
    accelerator.wait_for_everyone()
    start = Progress(0, _identity(job, recipe, settings, pairs, accelerator.num_processes), capacity)
    trainer = Trainer(parts, job.out, start)
    if accelerator.is_main_process:
        _write_recipe(job, recipe, settings)
    progress = trainer.run()
    accelerator.wait_for_everyone()
    return progress


def _settings(recipe: Recipe, job: TrainingJob) -> TrainingSettings:
    if recipe.matcher is None or recipe.reduction is not None or recipe.method is not None:
        raise InputError(f"{job.recipe}: training needs [[features]] and [matcher], without [reduction] or method")
    values = (recipe.training or TrainingSettings()).model_dump() | (job.changes or {})
    return validate(values, TrainingSettings, f"{job.recipe}: [training]")


def _parts(
    job: TrainingJob,
    recipe: Recipe,
    settings: TrainingSettings,
    loss: LossSettings,
    pairs: Pairs,
    accelerator: Accelerator,
) -> tuple[Parts, int]:
    """Return what does the work, and how many descriptions can be held."""
    device = str(accelerator.device)
    features = load_features(recipe, job.recipe, job.seed, loss.needs_mirrored, settings.features, device, job.weights)
    maker = PairMaker(job.benchmark, loss.needs_mirrored, loss.as_published_code)
    supply = Supply(features, job.benchmark, pairs, maker, job.seed)
    allowed = own_memory(accelerator, job.memory, device_of(supply.first))
    network = _network(job, settings, supply.first.groups)
    for parameter, trained in ((network.self_logit_scale, False), (network.logit_scale, loss.sparse)):
        parameter.requires_grad_(trained)  # several processes would wait for a gradient that never comes
    network = network.to(device)
    objective = Objective(loss, supply.first.plain.grid)
    total = -(-len(pairs) // settings.batch) * settings.epochs
    engine = Engine(network, objective, settings, total, accelerator, job.seed)
    validation = _validation(job, recipe, settings, features, allowed // 4)
    capacity = least(accelerator, supply.capacity(3 * allowed // 4, settings.batch))  # it orders the pairs
    return Parts(engine, supply, validation, settings, job.seed), capacity


def _network(job: TrainingJob, settings: TrainingSettings, groups: tuple[int, ...]) -> PostProcessor:
    if job.start is None:
        network = random_network(groups, settings.channels, job.seed)
    else:
        network = load_post_processor(job.start / WEIGHTS if job.start.is_dir() else job.start, groups)
        _check_width(job, network, settings)
    network.dropout = settings.dropout
    return network.requires_grad_(True)


def _check_width(job: TrainingJob, network: nn.Module, settings: TrainingSettings) -> None:
    if network.channels != settings.channels:
        raise InputError(
            f"{job.start}: weights of {network.channels} channels, [training] says {settings.channels}; "
            f"set channels = {network.channels}"
        )


def _validation(
    job: TrainingJob, recipe: Recipe, settings: TrainingSettings, features: LoadedMethod, memory: int
) -> Validation | None:
    split = validation_split(job.benchmark, settings.validation) if settings.validation_pairs else ""
    if not split:
        return None
    matcher, _ = build_matcher(recipe.matcher or {}, f"{job.recipe}: [matcher]")
    return Validation(
        without_mirrored(features), matcher, job.benchmark, split, settings.validation_pairs, job.seed, memory
    )


def _identity(
    job: TrainingJob, recipe: Recipe, settings: TrainingSettings, pairs: Pairs, processes: int
) -> dict[str, Any]:
    """Return what may not change when training goes on."""
    told = recipe.model_dump(mode="json", exclude={"title", "description", "setting", "training", "trained_on"})
    return {
        "recipe": digest(told),
        "benchmark": job.benchmark.fingerprint,
        "settings": digest(settings.model_dump(mode="json", exclude={"save_every"})),
        "number of pairs": len(pairs),
        "seed": job.seed,
        "start": digest(str(job.start)) if job.start else "random",
        "number of processes": processes,
        "precision": job.precision,
    }


def _write_recipe(job: TrainingJob, recipe: Recipe, settings: TrainingSettings) -> None:
    """Write the recipe that evaluates the trained weights."""
    seen = f"{job.benchmark.name}:{settings.split} ({job.benchmark.fingerprint[:12]})"
    before = _trained_before(job.start)
    table = recipe.post_processor or PostProcessing()
    changed = {
        "post_processor": table.model_copy(update={"weights": WEIGHTS, "channels": settings.channels}),
        "training": settings,
        "trained_on": tuple(dict.fromkeys([*before, seen])),
    }
    values = recipe.model_copy(update=changed).model_dump(mode="json", exclude_none=True, exclude_unset=False)
    write_text(job.out / RECIPE, tomli_w.dumps(values))


def _trained_before(start: Path | None) -> tuple[str, ...]:
    if start is None:
        return ()
    recipe = (start if start.is_dir() else start.parent) / RECIPE
    if not recipe.is_file():
        return (f"whatever {start.name} was trained on",)
    return validate(read_toml(recipe), Recipe, str(recipe)).trained_on

"""The ablation of the paper's Table 5 for any features: networks trained in several ways, then several matchers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from geobench.benchmark import Benchmark
from geobench.errors import UsageError
from geobench.files import write_text
from geobench.methods.base import LoadedMethod
from geobench.methods.family import Family, TrainedRow, with_matcher
from geobench.methods.loader import load_method
from geobench.methods.recipe import ComposedMethod
from geobench.training.train import TrainingJob, train
from geobench.typed_toml import read_toml

Tables = Mapping[str, Any]
_OF_TRAINING = ("post_processor", "training", "loss", "trained_on", "alignment")


def trained_members(
    recipe: Path,
    family: Family,
    benchmark: Benchmark,
    folder: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    memory: int | None = None,
    aligned: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> list[list[LoadedMethod]]:
    """Return the rows of a family: the features as they are, every trained row, and the last one's other matchers.

    Methods of one list share their descriptions. Rows that are trained already are not trained again; an interrupted
    one goes on.

    Args:
        recipe: of ``[[features]]``, with a ``[training]``.
        family: the rows.
        benchmark: what to train on.
        folder: where trained rows are kept, a folder each.
        seed: of the training.
        device: torch device.
        memory: bytes that descriptions may take.
        aligned: also the features as they are, and the last row, with pose alignment, where the family has it.
        tell: is told what is trained.

    Raises:
        UsageError: the recipe has no ``[training]``.
    """
    tables = read_toml(recipe)
    if "training" not in tables:
        raise UsageError(f"{recipe}: this family trains networks, and the recipe has no [training]; name one that has")
    alignment = family.alignment.model_dump(mode="json", exclude_unset=True) if family.alignment and aligned else None
    found = [[_raw(recipe, tables, family, folder, None, device)]]
    if alignment is not None:
        found.append([_raw(recipe, tables, family, folder, alignment, device)])
    for row in family.rows:
        tell(f"training {row.title}")
        path = _written(folder / f"{row.name}.toml", _of_row(tables, family, row))
        start = folder / row.start if row.start else None
        train(TrainingJob(path, benchmark, folder / row.name, start, seed=seed, device=device, memory=memory))
        found.append([load_method(str(folder / row.name), device=device)])
    last = found[-1][0]
    if isinstance(last.method, ComposedMethod):
        found[-1] += [with_matcher(last, last.method, variant) for variant in family.variants]
    if alignment is not None:
        found.append([_last_aligned(family, folder, alignment, device)])
    return found


def _raw(
    recipe: Path, tables: Tables, family: Family, folder: Path, alignment: Tables | None, device: str
) -> LoadedMethod:
    """Return the features as they are, matched as the trained rows are."""
    kept = {name: value for name, value in tables.items() if name not in _OF_TRAINING}
    title = "features as they are" + (", pose-aligned" if alignment else "")
    kept |= {"title": title, "matcher": family.matcher} | ({"alignment": alignment} if alignment else {})
    name = f"{recipe.stem}-features" + ("-aligned" if alignment else "")
    return load_method(str(_written(folder / f"{name}.toml", kept)), device=device)


def _of_row(tables: Tables, family: Family, row: TrainedRow) -> dict[str, Any]:
    training = dict(tables["training"]) | family.training | row.training
    return dict(tables) | {"title": row.title, "matcher": family.matcher, "loss": row.loss, "training": training}


def _last_aligned(family: Family, folder: Path, alignment: Tables, device: str) -> LoadedMethod:
    """Return the last trained row under the last matcher, with pose alignment."""
    name, variant = family.rows[-1].name, family.variants[-1]
    trained = read_toml(folder / name / "recipe.toml")
    weights = dict(trained["post_processor"]) | {"weights": f"{name}/{trained['post_processor']['weights']}"}
    changed = {"title": f"{trained['title']}: {variant.title}, pose-aligned", "matcher": variant.matcher}
    tables = trained | changed | {"alignment": alignment, "post_processor": weights}
    return load_method(str(_written(folder / f"{name}-{variant.name}-aligned.toml", tables)), device=device)


def _written(path: Path, tables: Tables) -> Path:
    write_text(path, tomli_w.dumps(tables))
    return path

"""The rows of GeoAware-SC's paper in ``baselines/``: settings as published, and what they say without weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geobench.benchmark import Benchmark
from geobench.catalog import card_names, find_recipe_path, recipe_names
from geobench.cli import run
from geobench.methods.recipe import Recipe
from geobench.training.losses import LossSettings
from geobench.typed_toml import read_toml, validate

ROWS = {
    "sd-dino-supervised": "sd-dino-supervised.safetensors",
    "geoaware": "geoaware.safetensors",
    "geoaware-pose-aligned": "geoaware.safetensors",
    "geoaware-ap10k-pretraining": "last.PTH",
    "geoaware-ap10k-pose-aligned": "last.PTH",
    "geoaware-ap10k-pretrained": "best_856.PTH",
    "geoaware-pf-pascal": "geoaware-pf-pascal.safetensors",
}


def read(name: str) -> dict[str, Any]:
    path = find_recipe_path(name)
    assert path is not None
    return read_toml(path)


@pytest.mark.parametrize("name", [name for name in recipe_names() if "loss" in read(name)])
def test_every_loss_table_is_valid(name: str) -> None:
    validate(read(name)["loss"], LossSettings, name)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_the_features_of_the_zero_shot_row_and_says_what_it_saw(name: str) -> None:
    fused = {"weight"}  # which the post-processor makes needless
    zero_shot = [{k: v for k, v in one.items() if k not in fused} for one in read("geoaware-zero-shot")["features"]]
    assert read(name)["features"] == zero_shot
    seen = read(name)["trained_on"]
    assert seen
    assert all(one.endswith(":train") and one.removesuffix(":train") in card_names() for one in seen)


def test_the_defaults_are_what_spair_71k_is_trained_with() -> None:
    """configs/train_spair.yaml of GeoAware-SC, but for when and on what to validate."""
    for name in ("geoaware", "geoaware-ap10k-pretrained"):
        recipe = validate(read(name), Recipe, name)
        assert recipe.training is not None
        own = {"validation_pairs", "validate_every"}
        assert recipe.training.model_dump(exclude=own) == type(recipe.training)().model_dump(exclude=own)
        loss = validate(read(name)["loss"], LossSettings, name)
        assert loss.weights == LossSettings().weights
        assert loss == LossSettings(single_flip=1.0)


@pytest.mark.parametrize("name", ROWS)
def test_without_its_weights_a_row_says_what_to_fetch(
    name: str, tiny: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = ["--benchmark", str(tiny.folder), "--limit", "2", "--runs", str(tmp_path / "runs")]
    assert run(["eval", "--method", name, *arguments]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"geobench: post-processor: there is no file {tmp_path / 'geobench' / 'weights' / ROWS[name]}" in said
    assert ("github.com/Junyi42/GeoAware-SC" if name.startswith("geoaware-ap10k") else "geobench train") in said

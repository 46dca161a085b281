from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from geobench.errors import InputError
from tests.builders.fuzzing import EXAMPLES, builds_or_refuses, damage
from tests.builders.raw_datasets import RAW


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The miniature of every dataset, written once."""
    return {name: raw.write(tmp_path_factory.mktemp(name) / "raw") for name, raw in RAW.items()}


@pytest.mark.parametrize("name", RAW)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_dataset_builds_or_is_refused_in_one_sentence(
    written: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    source = Path(shutil.copytree(written[name], folder / "raw"))
    (folder / "out").mkdir()
    done = damage(lambda least, most: data.draw(st.integers(least, most)), RAW[name], source)
    note(f"{name}: {done}")
    builds_or_refuses(name, RAW[name], source, folder / "out" / "benchmark")
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", RAW)
def test_the_undamaged_miniature_builds(written: dict[str, Path], tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    assert builds_or_refuses(name, RAW[name], written[name], tmp_path / "out" / "benchmark")


@pytest.mark.parametrize(
    ("error", "noticed"),
    [
        (ValueError("raw/images.txt: bad"), ValueError),
        (InputError("something is wrong"), AssertionError),
        (InputError("images.txt: two\nlines"), AssertionError),
    ],
)
def test_the_harness_notices_what_is_not_one_sentence_about_a_file(
    written: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    noticed: type[Exception],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("tests.builders.fuzzing.build_benchmark", fail)
    (tmp_path / "out").mkdir()
    with pytest.raises(noticed):
        builds_or_refuses("cub-200", RAW["cub-200"], written["cub-200"], tmp_path / "out" / "benchmark")

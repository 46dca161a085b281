"""Heat maps of chosen keypoints: what is stored, where it lies, and how it is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geobench.benchmark import Benchmark
from geobench.cli import run as geobench
from geobench.errors import InputError, UsageError
from geobench.evaluation.job import Job
from geobench.evaluation.protocol import find_protocol
from geobench.evaluation.queries import queries
from geobench.evaluation.runner import predict_jobs
from geobench.evaluation.runs import load_run
from geobench.evaluation.similarity_maps import load_similarity, save_similarity
from geobench.features.letterbox import Letterbox
from geobench.methods.loader import load_method
from geobench.reporting.heat_map import heat_over_image, save_heat_maps


@pytest.fixture
def job(tiny: Benchmark, small_recipe: str) -> Job:
    return Job(load_method(small_recipe), tiny, "test", find_protocol("default"))


def test_every_pair_that_asks_has_its_map(job: Job, tmp_path: Path) -> None:
    run = predict_jobs([job], tmp_path / "runs")[0]
    paths = save_similarity(job, run, ["nose", "tail"])
    assert [path.name for path in paths] == ["nose.parquet", "tail.parquet"]
    asked = queries(job.benchmark, job.benchmark.split("test"), job.protocol)
    for column, name in ((0, "nose"), (3, "tail")):
        assert sorted(load_similarity(run, name)) == asked.pair[asked.keypoint == column].tolist()


def test_the_maximum_of_a_map_is_the_answer_of_nearest(job: Job, tmp_path: Path) -> None:
    run = predict_jobs([job], tmp_path / "runs")[0]
    save_similarity(job, run, ["nose"])
    predictions = run.predictions()
    compared = 0
    for pair, heat in load_similarity(run, "nose").items():
        top = np.argwhere(heat.values == heat.values.max())
        if len(top) > 1 or heat.values.shape != (8, 8):
            continue
        place = heat.letterbox.to_image((top[:, ::-1] + 0.5) * 8.0)[0]
        row = (predictions.pair == pair) & (predictions.keypoint == 0)
        inside = (place >= 0).all() and (place <= np.array(heat.letterbox.image)).all()
        if inside:  # nearest does not answer in the padding
            np.testing.assert_allclose([predictions.x[row][0], predictions.y[row][0]], place, atol=1e-3)
            compared += 1
    assert compared > 5


def test_saving_again_changes_no_byte(job: Job, tmp_path: Path) -> None:
    run = predict_jobs([job], tmp_path / "runs")[0]
    (path,) = save_similarity(job, run, ["nose"])
    before = path.read_bytes()
    path.unlink()
    save_similarity(job, run, ["nose"])
    assert path.read_bytes() == before


def test_what_offers_no_similarity_is_refused(tiny: Benchmark, job: Job, tmp_path: Path) -> None:
    run = predict_jobs([job], tmp_path / "runs")[0]
    oracle = Job(load_method("oracle"), tiny, "test", find_protocol("default"))
    with pytest.raises(UsageError, match="needs a recipe"):
        save_similarity(oracle, run, ["nose"])
    with pytest.raises(UsageError, match="did you mean nose"):
        save_similarity(job, run, ["nosee"])
    with pytest.raises(InputError, match="--save-similarity tail"):
        load_similarity(run, "tail")


def test_the_command_line(
    tiny: Benchmark, small_recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--benchmark", str(tmp_path / "tiny"), "--runs", str(tmp_path / "runs")]
    asked = ["--save-similarity", "nose,tail", "--save-similarity", "left_paw"]
    assert geobench(["eval", "--method", small_recipe, *common, *asked]) == 0
    folder = next((tmp_path / "runs").rglob("similarity")).parent
    assert sorted(path.stem for path in (folder / "similarity").iterdir()) == ["left_paw", "nose", "tail"]
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in pictures:
        assert geobench(["draw", str(folder), "--similarity", "nose", "--out", str(path)]) == 0
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert Image.open(pictures[0]).width > 100
    assert geobench(["eval", "--method", "oracle", *common, "--save-similarity", "nose"]) == 2
    assert "needs a recipe" in capsys.readouterr().err
    with pytest.raises(UsageError, match="not asked in pair 999"):
        save_heat_maps(load_run(folder), tiny, tmp_path / "c.png", "nose", chosen=[999])


def test_heat_lies_where_its_cell_does() -> None:
    """A 100 x 50 image in a frame of 64: cell (row 3, column 6) of 8 covers x 75 to 87.5, y 12.5 to 25."""
    values = np.zeros((8, 8), np.float16)
    values[3, 6] = 1
    drawn = heat_over_image(np.full((50, 100, 3), 128, np.uint8), values, Letterbox.pad((100, 50), 64))
    bright = np.argwhere(drawn.sum(axis=2) == drawn.sum(axis=2).max()).mean(axis=0)
    assert drawn.shape == (50, 100, 3)
    np.testing.assert_allclose(bright, [18.25, 80.75], atol=1)


def test_similarity_is_the_matchers() -> None:
    from geobench.features.feature_map import FeatureMap, unit_length
    from geobench.matching.similarity import point_similarity
    from geobench.methods.recipe import ComposedMethod

    one = FeatureMap(unit_length(torch.randn(4, 3, 5)), Letterbox.squash((50, 30), 60))
    points = torch.tensor([[10.0, 20.0], [40.0, 2.0]])
    method = ComposedMethod("m", [], [], lambda *_: points)
    similarity = method.similarity(one, one, points)
    assert similarity.shape == (2, 3, 5)
    assert torch.equal(similarity.flatten(1), point_similarity(one, one, points))

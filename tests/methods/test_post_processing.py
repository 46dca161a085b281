"""[post_processor] in a recipe: raw features through the network, with every other part of a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from geobench.cli import run as command
from geobench.errors import InputError, UsageError
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels
from geobench.features.store import FeatureStore
from geobench.features.weights import Weights
from geobench.files import sha256_of
from geobench.methods.alignment import AlignedMethod
from geobench.methods.family import family_members, find_family
from geobench.methods.loader import load_method
from geobench.methods.post_processing import grouped
from geobench.methods.stored import with_store
from geobench.training.post_processor import PostProcessor
from tests.methods.examples import make_pairs, make_picture

GOLDENS = Path(__file__).parents[1] / "goldens" / "geoaware_training"
GROUPS = """
title = "Post-processed"
[[features]]
extractor = "dense-sift"
side = 64
grid = 8
samples = 4
bins = [6]
[[features]]
extractor = "dense-sift"
side = 64
grid = 4
samples = 4
bins = [12, 24]
"""
MATCHER = '[matcher]\nkind = "window-soft-argmax"\nwindow = 5\n'
TABLE = '[post_processor]\nweights = "trained.safetensors"\nsource = "the authors"\n'
TEXT = GROUPS + MATCHER + TABLE


def network(groups=(128, 256), channels: int = 128) -> PostProcessor:
    torch.manual_seed(5)
    return PostProcessor(groups, channels).eval()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    save_file(network().state_dict(), tmp_path / "trained.safetensors")
    (tmp_path / "row.toml").write_text(TEXT)
    return tmp_path / "row.toml"


def test_the_input_is_the_authors():
    with np.load(GOLDENS / "feature_gather.npz") as file:
        stored = {name: torch.from_numpy(file[name]) for name in file.files}
    small, large = Letterbox.pad((840, 840), 840), Letterbox.pad((840, 840), 960)
    levels = Levels([FeatureMap(stored[name][0].float(), large) for name in ("s3", "s4", "s5")])
    raw, groups = grouped([levels, FeatureMap(stored["dino"][0].float(), small)])
    assert groups == (640, 1280, 1280, 768)
    assert raw.letterbox == small
    torch.testing.assert_close(raw.columns.T[:, stored["channels"]], stored["desc"], rtol=0, atol=1e-6)


def test_features_pass_raw_and_come_out_of_unit_length(recipe, tmp_path):
    loaded, picture = load_method(str(recipe)), make_picture(tmp_path, "a")
    described = loaded.describe(picture)
    raw, groups = grouped(loaded.method.groups([picture], [0])[0])
    assert groups == (128, 256)
    assert raw.features.shape == (384, 8, 8)
    with torch.no_grad():
        made = network()(raw.features[None])[0]
    torch.testing.assert_close(described.features, made / made.norm(dim=0))
    assert described.letterbox == raw.letterbox
    assert loaded.weights == {"post-processor": sha256_of(tmp_path / "trained.safetensors")}
    assert loaded.recipe["post_processor"] == {
        "weights": "trained.safetensors", "source": "the authors", "channels": 768,
    }  # fmt: skip


def test_alignment_and_window_soft_argmax_work_on_the_descriptors(recipe, tmp_path):
    recipe.write_text(TEXT + '[alignment]\nposes = ["identity", "mirror"]\nmask = "box"\n')
    loaded = load_method(str(recipe))
    assert isinstance(loaded.method, AlignedMethod)
    for source, target, points, _ in make_pairs(tmp_path):
        described = loaded.describe(source), loaded.describe(target)
        answer = loaded.predict(*described, points, partner=np.arange(len(points)))
        assert answer.shape == points.shape
        assert described[0].map(loaded.method.poses[1]).features.shape == (128, 8, 8)


def test_a_family_of_matchers_keeps_the_network(recipe, tmp_path):
    picture = make_picture(tmp_path, "a")
    expected = load_method(str(recipe)).describe(picture).features
    member = family_members(str(recipe), find_family("inference"), aligned=False)[0]
    assert torch.equal(member.describe(picture).features, expected)


def test_what_is_stored_are_the_descriptors_of_these_weights(recipe, tmp_path):
    store, picture = FeatureStore(tmp_path / "store", "float32"), make_picture(tmp_path, "a")
    plain = load_method(str(recipe))
    first = with_store(plain, store)
    assert torch.equal(first.describe(picture).features, plain.describe(picture).features)
    again = with_store(load_method(str(recipe)), store)
    assert torch.equal(again.describe(picture).features, plain.describe(picture).features)
    assert (first.method.n_read, again.method.n_read) == (0, 1)
    key = first.method.key(picture, 0)
    torch.manual_seed(6)
    save_file(PostProcessor([128, 256], 128).state_dict(), tmp_path / "trained.safetensors")
    assert with_store(load_method(str(recipe)), store).method.key(picture, 0) != key
    recipe.write_text(GROUPS + MATCHER)
    assert with_store(load_method(str(recipe)), store).method.key(picture, 0) != key


@pytest.mark.parametrize("given", ["file", "folder"])
def test_weights_may_be_named_on_the_command_line(recipe, tmp_path, given):
    other = tmp_path / "other" / "trained.safetensors"
    other.parent.mkdir()
    torch.manual_seed(7)
    save_file(PostProcessor([128, 256], 256).state_dict(), other)
    chosen = Weights({"post-processor": other if given == "file" else other.parent})
    loaded = load_method(str(recipe), weights=chosen)
    assert loaded.describe(make_picture(tmp_path, "a")).features.shape == (256, 8, 8)
    assert loaded.weights == {"post-processor": sha256_of(other)}


@pytest.mark.parametrize(("random", "channels"), [("tiny", 128), ("full", 768)])
def test_random_weights_need_no_file_and_repeat(recipe, tmp_path, random, channels):
    (tmp_path / "trained.safetensors").unlink()
    picture = make_picture(tmp_path, "a")
    one, other = (load_method(str(recipe), weights=Weights(random=random)) for _ in range(2))
    assert one.describe(picture).features.shape == (channels, 8, 8)
    assert torch.equal(one.describe(picture).features, other.describe(picture).features)
    assert one.random_weights


def test_a_part_of_another_name_is_refused(recipe, tmp_path):
    with pytest.raises(UsageError, match="no such part; did you mean post-processor"):
        load_method(str(recipe), weights=Weights({"postprocessor": tmp_path}))


def test_absent_weights_name_their_source_and_their_place(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("geobench.features.weights.weights_folder", lambda: tmp_path / "kept")
    (tmp_path / "trained.safetensors").unlink()
    with pytest.raises(InputError, match=r"post-processor: there is no file .*kept/trained\.safetensors; fetch") as one:
        load_method(str(recipe))
    assert "from the authors, and put it at" in str(one.value)
    (tmp_path / "kept").mkdir()
    save_file(network().state_dict(), tmp_path / "kept" / "trained.safetensors")
    assert load_method(str(recipe)).weights


def test_groups_that_do_not_match_the_weights_are_refused_in_one_sentence(recipe, tmp_path):
    save_file(network((128, 128, 128)).state_dict(), tmp_path / "trained.safetensors")
    loaded = load_method(str(recipe))
    with pytest.raises(InputError) as caught:
        loaded.describe(make_picture(tmp_path, "a"))
    assert str(caught.value) == (
        f"{recipe}: [post_processor]: the weights are for groups of 128, 128, 128 channels, the recipe's features have "
        "128, 256; name the weights of these features, or the features of these weights"
    )


def test_on_the_command_line_they_end_the_run(recipe, tmp_path, tiny, capsys):
    save_file(network((128, 128, 128)).state_dict(), tmp_path / "trained.safetensors")
    words = ["eval", "--method", str(recipe), "--benchmark", str(tmp_path / "tiny"), "--runs", str(tmp_path / "runs")]
    assert command(words) == 1
    assert "the weights are for groups of 128, 128, 128 channels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            TEXT + '[reduction]\ndimensions = [4]\n',
            r"\[post_processor\] takes features as they are, and \[reduction\] reduces them; leave one of the two out",
        ),
        (TEXT.replace("bins = [6]", "bins = [6]\nweight = 0.5"), r"\[\[features\]\] 1: weight says nothing where"),
        (TEXT.replace("grid = 4", "grid = 4\nnormalise = false"), r"\[\[features\]\] 2: normalise says nothing where"),
        (TEXT + "wieghts = 1\n", r"unknown key 'post_processor\.wieghts'; did you mean weights"),
        (TEXT + "channels = 100\n", r"post_processor\.channels: .*multiple of 128|greater than or equal to 128"),
        (
            'title = "x"\nmethod = "geobench.methods.sanity:Random"\n' + TABLE,
            r"\[post_processor\] belongs to \[\[features\]\] with \[matcher\]; a class has its own",
        ),
    ],
    ids=["reduction", "weight", "normalise", "misspelt", "channels", "class"],
)  # fmt: skip
def test_a_malformed_recipe_names_file_key_and_remedy(recipe, text, sentence):
    recipe.write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        load_method(str(recipe))
    assert str(recipe) in str(caught.value)
    assert "\n" not in str(caught.value)

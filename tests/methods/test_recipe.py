"""Recipes: parts found by file name, misspelt keys, several groups of features."""

import numpy as np
import pytest
import torch

from geobench.errors import InputError
from geobench.methods.loader import load_method
from geobench.methods.parts import part_names
from tests.methods.examples import make_picture

HEAD = 'title = "Row"\n'
ONE = HEAD + '[[features]]\nextractor = "dense-sift"\nside = 64\ngrid = 8\nsamples = 4\nbins = [6]\n'
TWO = ONE + 'weight = 2\n[[features]]\nextractor = "dense-sift"\nside = 64\ngrid = 4\nsamples = 4\nbins = [12, 24]\n'
NEAREST = '[matcher]\nkind = "nearest"\n'


def load(tmp_path, text):
    (tmp_path / "row.toml").write_text(text)
    return load_method(str(tmp_path / "row.toml"))


def test_parts_are_found_by_file_name():
    assert "dense-sift" in part_names("geobench.features")
    assert "letterbox" not in part_names("geobench.features")
    assert "nearest" in part_names("geobench.matching")


def test_the_recorded_recipe_has_every_default(tmp_path):
    recipe = load(tmp_path, ONE + NEAREST).recipe
    assert recipe["features"][0] == {
        "extractor": "dense-sift", "side": 64, "grid": 8, "samples": 4, "bins": [6.0], "weight": 1.0,
        "normalise": True,
    }  # fmt: skip
    assert recipe["matcher"]["kind"] == "nearest"
    assert recipe["matcher"]["padding"] == "ignored"


def test_two_groups_are_weighted_and_concatenated(tmp_path):
    picture = make_picture(tmp_path, "a")
    both = load(tmp_path, TWO + NEAREST).method.describe(picture).features
    fine = load(tmp_path, ONE + NEAREST).method.describe(picture).features
    assert both.shape == (128 + 256, 8, 8)
    norms = both.norm(dim=0)
    torch.testing.assert_close(norms[norms > 0], torch.ones(int((norms > 0).sum())))
    textured = (fine.norm(dim=0) > 0) & (both[128:].norm(dim=0) > 0)
    assert textured.sum() > 20
    ratio = both[:128].norm(dim=0)[textured] / both[128:].norm(dim=0)[textured]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.0))
    cosine = torch.cosine_similarity(both[:128], fine, dim=0)[textured]
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


def test_one_group_and_the_same_group_twice_match_alike(tmp_path):
    group = ONE.removeprefix(HEAD)
    pictures = make_picture(tmp_path, "a", seed=1), make_picture(tmp_path, "b", seed=2)
    points = np.random.default_rng(0).uniform(0, 40, (30, 2)).astype(np.float32)
    answers = []
    for text in (HEAD + group + NEAREST, HEAD + group + group + NEAREST):
        loaded = load(tmp_path, text)
        answers.append(loaded.predict(*(loaded.method.describe(p) for p in pictures), points))
    assert (answers[0] == answers[1]).all(axis=1).mean() > 0.9  # equal but for ties in the last bit


def test_a_class_gets_its_options(tmp_path):
    loaded = load(tmp_path, HEAD + 'method = "geobench.methods.sanity:Random"\n[options]\nseed = 7\n')
    assert loaded.method.seed == 7
    assert loaded.recipe["options"] == {"seed": 7}


def test_a_foreign_extractor_is_named_by_its_module(tmp_path):
    loaded = load(tmp_path, ONE.replace("dense-sift", "geobench.features.dense_sift") + NEAREST)
    assert loaded.method.describe(make_picture(tmp_path, "a")).features.shape == (128, 8, 8)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ONE + "wieght = 1\n" + NEAREST, r"row\.toml: \[\[features\]\] 1: unknown key 'wieght'; did you mean weight\?"),
        (TWO + "gird = 1\n" + NEAREST, r"row\.toml: \[\[features\]\] 2: unknown key 'gird'; did you mean grid\?"),
        (ONE + NEAREST + "pading = 1\n", r"row\.toml: \[matcher\]: unknown key 'pading'; did you mean padding\?"),
        ("titel = 'x'\n" + ONE + NEAREST, r"row\.toml: unknown key 'titel'; did you mean title\?"),
        (
            ONE.replace("dense-sift", "dense-shift") + NEAREST,
            r"unknown extractor 'dense-shift'; did you mean dense-sift",
        ),
        (ONE.replace("dense-sift", "letterbox") + NEAREST, r"unknown extractor 'letterbox'"),
        (ONE.replace("dense-sift", "no_such.module") + NEAREST, r"'no_such\.module' cannot be imported: .*no_such"),
        (ONE.replace("dense-sift", "geobench.errors") + NEAREST, r"'geobench\.errors' has no class Settings"),
        (
            ONE.replace('extractor = "dense-sift"', "") + NEAREST,
            r"\[\[features\]\] 1: extractor is missing; .*dense-sift",
        ),
        (ONE + NEAREST.replace("nearest", "neerest"), r"\[matcher\]: unknown matcher 'neerest'; did you mean nearest"),
        (ONE + "[matcher]\n", r"\[matcher\]: kind is missing; .*nearest"),
        (ONE, r"row\.toml: \[matcher\] is missing; add it"),
        (HEAD + NEAREST, r"row\.toml: \[\[features\]\] is missing; add it"),
        (HEAD, r"give either \[\[features\]\] with \[matcher\], or method; found neither"),
        ('method = "a:B"\n' + ONE + NEAREST, r"found both"),
        (ONE.replace("[[features]]", "[features]") + NEAREST, r"write \[\[features\]\] with two brackets"),
        (ONE + "weight = 0\n" + NEAREST, r"\[\[features\]\] 1: weight: input should be greater than 0"),
        (ONE + NEAREST + "[options]\nx = 1\n", r"\[options\] belong to method"),
        (
            HEAD + 'method = "geobench.methods.sanity:Random"\n[options]\nsede = 7\n',
            r"no option 'sede'; did you mean seed",
        ),
        (HEAD + 'method = "geobench.methods.sanity"\n', r"method: name a class, as in package\.module:Class"),
        (ONE.replace("[6]", "[]") + NEAREST, r"bins: "),
    ],
)
def test_a_malformed_recipe_names_file_key_and_remedy(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "row.toml" in str(caught.value)

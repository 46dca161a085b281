"""[reduction]: recipes, what a pair is matched with, and what cannot be combined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from geobench.catalog import find_recipe_path
from geobench.errors import InputError, UsageError
from geobench.features.feature_map import FeatureMap
from geobench.features.letterbox import Letterbox
from geobench.features.levels import Levels
from geobench.features.weights import Weights
from geobench.matching import nearest
from geobench.methods.check import check_method
from geobench.methods.family import Family, Variant, family_members
from geobench.methods.loader import load_method
from geobench.methods.recipe import ComposedMethod
from geobench.methods.reduction import ReducedMethod, Reduction
from geobench.seeding import seed_for
from tests.methods.examples import make_pairs, make_picture

HEAD = 'title = "Row"\n'
GROUP = '[[features]]\nextractor = "dense-sift"\nside = 64\ngrid = 8\nsamples = 4\nbins = [6, 12]\n'
NEAREST = '[matcher]\nkind = "nearest"\n'
REDUCTION = "[reduction]\ndimensions = [20]\n"
MATCHER = nearest.Matcher(nearest.Settings())


def load(tmp_path, *tables: str):
    (tmp_path / "row.toml").write_text(HEAD + "".join(tables))
    return load_method(str(tmp_path / "row.toml"))


def leveled(picture) -> Levels:
    """Features on three grids, drawn with the picture's seed."""
    letterbox = Letterbox.pad(picture.size, 96)
    return Levels([FeatureMap(torch.randn(6, side, side), letterbox) for side in (12, 6, 3)])


def flat(picture) -> FeatureMap:
    return FeatureMap(torch.randn(5, 12, 12), Letterbox.pad(picture.size, 84))


def of_levels(extractors, dimensions=(4, 4, 4), **settings) -> ReducedMethod:
    composed = ComposedMethod("levels", extractors, [1.0] * len(extractors), MATCHER)
    return ReducedMethod(composed, Reduction(dimensions=dimensions, **settings))


def test_the_recorded_recipe_has_every_default(tmp_path):
    recipe = load(tmp_path, GROUP, NEAREST, REDUCTION).recipe
    assert recipe["reduction"] == {"kind": "co-pca", "dimensions": [20], "solver": "exact", "seed": 42}
    assert "reduction" not in load(tmp_path, GROUP, NEAREST).recipe


@pytest.mark.parametrize("solver", ["exact", "lowrank"])
def test_nothing_is_wrong_with_a_reduced_method(tmp_path, solver):
    loaded = load(tmp_path, GROUP, NEAREST, REDUCTION + f'solver = "{solver}"\n')
    report = check_method(loaded, make_pairs(tmp_path))
    assert report.passed, report.text()
    assert not report.findings


def test_with_every_axis_kept_the_cosines_are_those_of_the_centred_features(tmp_path):
    """co-PCA to as many axes as channels turns the features about their common mean, and does nothing else."""
    loaded = load(tmp_path, GROUP + "normalise = false\n", NEAREST, "[reduction]\ndimensions = [1000]\n")
    source, target, points, _ = make_pairs(tmp_path)[0]
    described = [loaded.method.describe(picture) for picture in (source, target)]
    similarity = loaded.method.similarity(*described, torch.from_numpy(points))
    raw = [groups.found[0] for groups in described]
    mean = torch.cat([one.columns for one in raw], dim=1).mean(dim=1, keepdim=True)
    vectors, columns = raw[0].descriptors(torch.from_numpy(points)).T - mean, raw[1].columns - mean
    assert similarity.shape == (4, 8, 8)
    torch.testing.assert_close(similarity.flatten(1), vectors.T @ columns, rtol=1e-4, atol=1e-4)


def test_groups_of_other_numbers_of_levels_stay_as_they_are(tmp_path):
    a, b = make_picture(tmp_path, "a", seed=1), make_picture(tmp_path, "b", seed=2)
    method = of_levels([leveled, flat])
    source, target = method.describe(a), method.describe(b)
    first, second = method.reduced(source, target)
    assert first.features.shape == second.features.shape == (12 + 5, 12, 12)
    assert first.letterbox.size == (84, 84)
    plain = F.normalize(source.found[1].features, dim=0) / 2**0.5
    torch.testing.assert_close(first.features[12:], plain)
    lengths = first.features[:12].norm(dim=0)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.5**0.5))


def test_a_picture_matched_with_itself_answers_with_its_own_cells(tmp_path):
    picture = make_picture(tmp_path, "a", seed=1)
    method = of_levels([leveled])
    groups = method.describe(picture)
    cells = torch.arange(12 * 12)[groups.frame.in_image()]
    points = groups.frame.centres(cells)
    torch.testing.assert_close(method.match(groups, groups, points), points)


def test_descriptions_do_not_depend_on_which_pictures_stand_together(tmp_path):
    pictures = [make_picture(tmp_path, key, seed=seed) for seed, key in enumerate("abc")]
    seeds = [seed_for(0, picture.key) for picture in pictures]
    method = of_levels([leveled, flat])
    together = method.describe_many(pictures, seeds)
    alone = [method.describe_many([picture], [seed])[0] for picture, seed in zip(pictures, seeds, strict=True)]
    for one, other in zip(together, alone, strict=True):
        for mine, yours in zip(one.found[0].maps, other.found[0].maps, strict=True):
            assert torch.equal(mine.features, yours.features)
        assert torch.equal(one.found[1].features, other.found[1].features)


@pytest.mark.parametrize("solver", ["exact", "lowrank"])
def test_a_pair_is_answered_alike_whatever_was_matched_before(tmp_path, solver):
    loaded = load(tmp_path, GROUP, NEAREST, REDUCTION + f'solver = "{solver}"\n')
    a, b, c = (loaded.method.describe(make_picture(tmp_path, key, seed=seed)) for seed, key in enumerate("abc"))
    points = np.random.default_rng(1).uniform(0, 40, (10, 2)).astype(np.float32)
    fresh = loaded.predict(a, b, points)
    loaded.predict(c, b, points)
    np.testing.assert_array_equal(loaded.predict(a, b, points), fresh)


def test_levels_that_were_not_counted_are_refused(tmp_path):
    picture = make_picture(tmp_path, "a")
    with pytest.raises(InputError, match=r"levels: \[reduction\] dimensions has 2 numbers.*have 3, 1 levels"):
        of_levels([leveled, flat], dimensions=(4, 4)).describe(picture)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ((GROUP, NEAREST, "[reduction]\n"), r"row\.toml: required key 'reduction\.dimensions' is missing"),
        ((GROUP, NEAREST, "[reduction]\ndimensions = []\n"), r"row\.toml: reduction\.dimensions: "),
        ((GROUP, NEAREST, "[reduction]\ndimensions = [0]\n"), r"row\.toml: reduction\.dimensions\.0: "),
        ((GROUP, NEAREST, REDUCTION + "sovler = 1\n"), r"unknown key .*sovler.*; did you mean solver"),
        ((GROUP, NEAREST, REDUCTION, "[alignment]\n"), r"leave one of the two out"),
        (('method = "geobench.methods.sanity:Random"\n', REDUCTION), r"\[reduction\] belongs to \[\[features\]\]"),
    ],
)
def test_a_malformed_recipe_names_file_key_and_remedy(tmp_path, tables, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        load(tmp_path, *tables)
    assert "row.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_family_is_not_made_of_a_reduced_recipe(tmp_path):
    load(tmp_path, GROUP, NEAREST, REDUCTION)
    family = Family(title="One", variants=(Variant(name="nn", title="NN", matcher={"kind": "nearest"}),))
    with pytest.raises(UsageError, match=r"without \[alignment\] or \[reduction\]"):
        family_members(str(tmp_path / "row.toml"), family)


AS_CODED = {
    "sd-dino": {"[reduction]": 'solver = "lowrank"\n', "[matcher]": 'centre = "pixel-index"\npadding = "searched"\n'},
    "geoaware-zero-shot": {
        "[alignment]": 'zeros = "far"\ncarry = "frame"\n', "[matcher]": 'masked = "zero"\npadding = "searched"\n',
    },
}  # fmt: skip


@pytest.mark.parametrize("name", AS_CODED)
def test_the_fused_recipes_load_as_they_are_and_with_what_they_say_of_the_authors_code(tmp_path, name):
    path = find_recipe_path(name)
    assert path is not None
    text = path.read_text(encoding="utf-8")
    for table, lines in AS_CODED[name].items():
        assert all(line in text for line in lines.splitlines())
        text = text.replace(f"\n{table}\n", f"\n{table}\n{lines}")
    (tmp_path / "coded.toml").write_text(text)
    plain, coded = (load_method(str(one), weights=Weights(random="tiny")) for one in (path, tmp_path / "coded.toml"))
    assert plain.random_weights
    assert coded.recipe["features"] == plain.recipe["features"]
    assert coded.recipe["matcher"]["padding"] == "searched"
    assert plain.recipe["matcher"]["padding"] == "ignored"

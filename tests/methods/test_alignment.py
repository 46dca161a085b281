"""Pose alignment as a method: recipes, mirror partners, laziness, and what must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from geobench.errors import InputError
from geobench.features.feature_map import FeatureMap
from geobench.features.instance_mask import mask_maker
from geobench.features.letterbox import Letterbox
from geobench.methods.alignment import AlignedMethod, Alignment
from geobench.methods.check import check_method
from geobench.methods.loader import load_method
from geobench.picture import Picture
from geobench.posing import IDENTITY, MIRROR, POSES
from geobench.seeding import seed_everything
from tests.methods.examples import make_pairs, make_picture

PARTS = (
    'title = "Row"\n[[features]]\nextractor = "dense-sift"\nside = 64\ngrid = 16\nsamples = 8\nbins = [6, 12]\n'
    '[matcher]\nkind = "nearest"\n'
)
POINTS = np.random.default_rng(5).uniform(2, 38, (12, 2)).astype(np.float32)
PARTNER = np.array([1, 0, 2, -1, 5, 4, 6, 7, -1, 9, 11, 10])


def load(tmp_path, text=PARTS, alignment=None):
    (tmp_path / "row.toml").write_text(text + ("" if alignment is None else f"[alignment]\n{alignment}"))
    return load_method(str(tmp_path / "row.toml"))


def answer(loaded, source, target, points=POINTS, partner=PARTNER):
    described = [loaded.method.describe(picture) for picture in (source, target)]
    return loaded.predict(*described, points, partner=partner)


class Drawn:
    """Features of one image drawn from the seeded generator; counts its descriptions."""

    name = "drawn"

    def __init__(self) -> None:
        self.keys: list[str] = []

    def describe(self, picture: Picture) -> FeatureMap:
        self.keys.append(picture.key)
        return FeatureMap(torch.randn(4, 6, 6), Letterbox.pad(picture.size, 60))

    def match(self, source, target, points):
        return points


def aligned(method=None, **settings) -> AlignedMethod:
    settings = Alignment(**settings)
    return AlignedMethod(method or Drawn(), settings, mask_maker(settings.mask, settings.sam_model))


@pytest.mark.parametrize("settings", ["", 'distance = "mutual-nearest"\n', 'zeros = "far"\n', 'mask = "box"\n'])
def test_a_target_equal_to_the_source_is_never_matched_otherwise(tmp_path, settings):
    every = f"poses = {list(POSES)}\n"
    picture = make_picture(tmp_path, "a", seed=4)
    plain = answer(load(tmp_path), picture, picture)
    np.testing.assert_array_equal(answer(load(tmp_path, alignment=settings + every), picture, picture), plain)


def test_the_identity_alone_is_no_alignment(tmp_path):
    a, b, points, _ = make_pairs(tmp_path)[0]
    plain = answer(load(tmp_path), a, b, points, np.arange(4))
    assert load(tmp_path, alignment='poses = ["identity"]\n').uses_mirror_index
    np.testing.assert_array_equal(
        answer(load(tmp_path, alignment='poses = ["identity"]\n'), a, b, points, np.arange(4)), plain
    )


@pytest.mark.parametrize("name", POSES)
@pytest.mark.parametrize("distance", ["masked-nearest", "mutual-nearest"])
def test_a_posed_target_is_recognised_and_its_points_carried(tmp_path, name, distance):
    """The target is the source itself in a pose: that pose is chosen, and points go to their partners' places."""
    pose, source = POSES[name], make_picture(tmp_path, "a", seed=6, size=(64, 64), box=(2.0, 2.0, 60.0, 60.0))
    others = [other for other in POSES if other not in (name, "identity")][:2]
    loaded = load(
        tmp_path, alignment=f'poses = {["identity", *{name} - {"identity"}, *others]}\ndistance = "{distance}"\n'
    )
    target = source.posed(pose)
    described = [loaded.method.describe(picture) for picture in (source, target)]
    assert loaded.method.choose(*described) == pose
    cells = np.array([[2 + 4 * i, 2 + 4 * j] for i in range(4, 12) for j in range(4, 12)], np.float32)
    partner = np.random.default_rng(1).permutation(len(cells)).argsort()  # any pairing will do for a mirrored pose
    partner = np.where(partner[partner] == np.arange(len(cells)), partner, np.arange(len(cells)))
    asked = cells[partner] if pose.mirrored else cells
    ours = loaded.predict(*described, cells, partner=partner)
    exact = np.abs(ours - pose.points(asked, source.size)).max(axis=1) < 1e-3
    assert exact.mean() > 0.9  # noise has a few cells with equal descriptors


def test_unpaired_keypoints_keep_the_prediction_of_the_picture_as_it_is(tmp_path):
    source = make_picture(tmp_path, "a", seed=7)
    target = source.mirrored()
    plain = answer(load(tmp_path), source, target)
    unflipped = answer(load(tmp_path, alignment=""), source, target)
    own = answer(load(tmp_path, alignment='unpaired = "own-point"\n'), source, target)
    alone = PARTNER < 0
    np.testing.assert_array_equal(unflipped[alone], plain[alone])
    np.testing.assert_array_equal(unflipped[~alone], own[~alone])
    assert not np.array_equal(own[alone], plain[alone])
    assert not np.array_equal(own[~alone], plain[~alone])


def test_among_equals_the_picture_as_it_is(tmp_path):
    class Flat(Drawn):
        def describe(self, picture):
            return FeatureMap(torch.ones(4, 6, 6), Letterbox.pad(picture.size, 60))

    method = aligned(Flat(), poses=("mirror", "rotate180", "identity"))
    a, b = make_picture(tmp_path, "a"), make_picture(tmp_path, "b")
    assert method.choose(method.describe(a), method.describe(b)) == IDENTITY


def test_no_distance_chooses_the_picture_as_it_is(tmp_path):
    method = aligned(zeros="far", mask="box")
    nowhere = make_picture(tmp_path, "a", box=(-50.0, -50.0, 10.0, 10.0))
    described = method.describe(nowhere), method.describe(make_picture(tmp_path, "b"))
    assert np.isnan(method.distance(*described, IDENTITY))
    assert method.choose(*described) == IDENTITY
    sane = aligned(mask="box")
    described = sane.describe(nowhere), sane.describe(make_picture(tmp_path, "b"))
    assert sane.distance(*described, IDENTITY) > 0  # the empty box counts as the whole frame


def test_each_pose_is_described_once_and_only_when_needed(tmp_path):
    method = aligned()
    a, b, c = (method.describe(make_picture(tmp_path, key)) for key in "abc")
    for target in (b, c, b):
        method.match(a, target, torch.from_numpy(POINTS), torch.from_numpy(PARTNER))
    assert method.method.keys == ["a", "b", "c", "a|mirrored"]


def test_a_lazy_description_does_not_depend_on_the_pair_nor_disturb_it(tmp_path):
    maps, after = [], []
    for other in "bc":
        method = aligned()
        seed_everything(3)
        source = method.describe(make_picture(tmp_path, "a"))
        seed_everything(ord(other))  # as the runner does before every pair
        target = method.describe(make_picture(tmp_path, other))
        state = torch.get_rng_state()
        method.choose(source, target)
        maps.append(source.map(MIRROR).features)
        after.append(torch.equal(torch.get_rng_state(), state))
    assert torch.equal(*maps)
    assert all(after)
    assert not torch.equal(maps[0], source.map().features)


def test_the_examiner_finds_nothing_wrong(tmp_path):
    report = check_method(load(tmp_path, alignment=""), make_pairs(tmp_path))
    assert report.passed, report.text()


def test_a_dataset_mask_decides_and_a_box_stands_in(tmp_path):
    picture = make_picture(tmp_path, "a", size=(60, 40), box=(10.0, 10.0, 20.0, 10.0))
    shape = np.zeros((40, 60), np.uint8)
    shape[5:15, 40:50] = 255
    Image.fromarray(shape).save(tmp_path / "mask.png")
    masked = Picture("m", picture.path, picture.size, "cat", picture.box, tmp_path / "mask.png")
    letterbox = Letterbox.pad(picture.size, 120)
    make = mask_maker("dataset", "")
    frame = make(masked, letterbox).numpy()
    assert frame.shape == (120, 120)
    assert frame[20 + 10 : 20 + 30, 80:100].all()
    assert frame.sum() == 400
    np.testing.assert_array_equal(make(masked.mirrored(), letterbox).numpy(), frame[:, ::-1])
    boxed = make(picture, letterbox).numpy()
    np.testing.assert_array_equal(boxed, mask_maker("box", "")(masked, letterbox).numpy())
    assert boxed[40:60, 20:60].all()
    assert boxed.sum() == 800


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('poses = ["mirror"]\n', "name identity and each other pose once"),
        ('poses = ["identity", "mirorr"]\n', r"unknown pose 'mirorr'; did you mean mirror"),
        ('distnace = "mutual-nearest"\n', r"unknown key 'alignment\.distnace'; did you mean distance"),
        ('mask = "boxes"\n', "mask"),
        ("resolution = 0\n", "resolution"),
    ],
)
def test_a_malformed_alignment_names_key_and_remedy(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        load(tmp_path, alignment=text)


def test_alignment_needs_features_and_a_matcher(tmp_path):
    text = 'title = "Row"\nmethod = "geobench.methods.sanity:Random"\n'
    with pytest.raises(InputError, match=r"\[alignment\] belongs to"):
        load(tmp_path, text, alignment="")


def test_the_recorded_recipe_has_every_default(tmp_path):
    recorded = load(tmp_path, alignment="").recipe["alignment"]
    assert recorded["poses"] == ["identity", "mirror"]
    assert recorded["distance"] == "masked-nearest"
    assert recorded["unpaired"] == "unflipped"
    assert "alignment" not in load(tmp_path).recipe

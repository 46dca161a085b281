"""check_method: every fault a method can have is seen, once, in plain words; sound methods pass."""

import dataclasses

import numpy as np
import pytest
import torch

from geobench.errors import UsageError
from geobench.methods.base import LoadedMethod
from geobench.methods.check import check_method
from geobench.methods.loader import load_method
from tests.methods.examples import make_pairs


class Sound:
    """The base of the faulty methods below: the point at the same place, clamped to the target."""

    name = "sound"

    def describe(self, picture):
        return np.array(picture.size, np.float32), picture.pixels.copy()

    def match(self, source, target, points):
        return torch.minimum(points, torch.from_numpy(target[0]))


def check(method, folder):
    return check_method(LoadedMethod(method, method.name, "", "", ""), make_pairs(folder))


@pytest.mark.parametrize("name", ["dense-sift", "same-position", "box-position", "random", "oracle"])
def test_our_own_baselines_pass(tmp_path, name):
    report = check_method(load_method(name), make_pairs(tmp_path))
    assert report.passed
    assert [f.sentence for f in report.findings if "knows_truth" not in f.sentence] == []
    assert report.describe_s >= 0
    assert report.match_s > 0
    assert "nothing wrong on 2 pairs" in report.text()


def test_the_oracle_is_said_to_know_the_truth(tmp_path):
    (finding,) = check_method(load_method("oracle"), make_pairs(tmp_path)).findings
    assert finding.severity == "note"
    assert "kept out of rankings" in finding.sentence


def test_a_sound_method_has_no_findings(tmp_path):
    assert check(Sound(), tmp_path).findings == ()


def fault(**functions):
    return type("Faulty", (Sound,), functions)()


def sized(self, source, target, points):
    return torch.zeros(len(points), 3)


def not_a_number(self, source, target, points):
    return torch.where(points > 30, torch.nan, points)


def far_outside(self, source, target, points):
    return points * 14 + 7


def just_outside(self, source, target, points):
    return points * 0 - 1.5


def raises(self, source, target, points):
    raise ValueError("no such layer")


def noisy(self, source, target, points):
    return points * 0 + torch.from_numpy(np.random.default_rng().uniform(0, 40, (len(points), 2)).astype(np.float32))


def ordered(self, source, target, points):
    return points * 0 + torch.arange(len(points))[:, None]


def together(self, source, target, points):
    return points * 0 + len(points)


def writes_points(self, source, target, points):
    return points.mul_(0.5)


def writes_description(self, source, target, points):
    source[1][0, 0, 0] ^= 1
    return points * 0


def listed(self, source, target, points):
    return [[1.0, 2.0] for _ in points]


def doubled(self, source, target, points):
    return points.double() * 0


def dislikes_none(self, source, target, points):
    return points * 0 + points.min() * 0  # torch raises on an empty tensor


def flattens_one(self, source, target, points):
    return (points * 0).squeeze(0)


def reads_words(self, source, target, points):
    return "left"


def noisy_description(self, picture):
    return np.random.default_rng().uniform(0, 40, 2).astype(np.float32), None


def dislikes_mirrors(self, picture):
    if picture.is_mirrored:
        raise KeyError(picture.key)  # as a method that looks descriptions up by key would
    return np.array(picture.size, np.float32), None


@pytest.mark.parametrize(
    ("functions", "severity", "sentence"),
    [
        ({"match": sized}, "problem", "match returned float32 of shape (4, 3) for 4 points; return (4, 2) numbers"),
        ({"match": not_a_number}, "problem", "NaN or infinity for 2 of 4 points"),
        ({"match": far_outside}, "problem", "outside the target image, by up to"),
        ({"match": just_outside}, "note", "4 of 4 points lie outside the target image, by up to 1.5 pixels; clamp"),
        ({"match": raises}, "problem", "match raised line"),
        ({"match": noisy}, "problem", "match gives other answers the second time"),
        ({"describe": noisy_description, "match": lambda s, a, b, p: p * 0 + torch.from_numpy(a[0])}, "problem",
         "describing the images again gives other answers"),
        ({"match": ordered}, "problem", "depend on the order of the points, by up to 3 pixels"),
        ({"match": together}, "note", "a point alone gets another answer than among others, by up to 3 pixels"),
        ({"match": writes_points}, "problem", "match changes the points it is given; work on points.clone()"),
        ({"match": writes_description}, "problem", "match changes the descriptions it is given"),
        ({"match": listed}, "note", "match returned a list; return a tensor"),
        ({"match": doubled}, "note", "match returned float64 numbers"),
        ({"match": dislikes_none}, "note", "match with no points raised"),
        ({"match": flattens_one}, "problem", "match with one point returned float32 of shape (2,) for 1 points"),
        ({"match": reads_words}, "problem", "match returned <U4 of shape () for 4 points"),
        ({"describe": dislikes_mirrors}, "note", "describe of a mirrored picture raised"),
        ({"describe": lambda self, picture: 1 / 0}, "problem", "describe raised line"),
        ({"prepare": lambda self, pictures: 1 / 0}, "problem", "prepare raised line"),
    ],
)  # fmt: skip
def test_each_fault_is_seen(tmp_path, functions, severity, sentence):
    report = check(fault(**functions), tmp_path)
    found = [f for f in report.findings if sentence in f.sentence]
    assert len(found) == 1, report.text()
    assert found[0].severity == severity
    assert report.passed == (severity == "note")
    assert "\n" not in found[0].sentence


def test_a_prepared_method_sees_every_picture_once_per_category(tmp_path):
    seen = []
    check(fault(prepare=lambda self, pictures: seen.append([p.key for p in pictures])), tmp_path)
    assert [sorted(set(keys)) for keys in seen] == [["a", "b"]]


def test_no_pairs_is_wrong_usage():
    with pytest.raises(UsageError, match="at least one"):
        check_method(load_method("oracle"), [])


def test_pairs_are_left_as_they_are(tmp_path):
    pairs = make_pairs(tmp_path)
    copies = [(pair[2].copy(), pair[3].copy()) for pair in pairs]
    check_method(LoadedMethod(fault(match=writes_points), "x", "", "", ""), pairs)
    for pair, (points, truth) in zip(pairs, copies, strict=True):
        assert np.array_equal(pair[2], points)
        assert np.array_equal(pair[3], truth)


def test_predict_takes_what_methods_return():
    for answer in (torch.ones(2, 2, dtype=torch.bfloat16), np.ones((2, 2), int), [(1, 1), (1.0, 1.0)]):
        loaded = LoadedMethod(fault(match=lambda self, s, t, p, answer=answer: answer), "x", "", "", "")
        found = loaded.predict(None, None, np.zeros((2, 2)))
        assert found.dtype == np.float32
        assert (found == 1).all()


def test_knows_truth_is_read_from_the_method():
    assert load_method("oracle").knows_truth
    assert not dataclasses.replace(load_method("random")).knows_truth

"""Dense SIFT: shape, unit length, bytes that do not depend on threads, and descriptors where they say they are."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from geobench.features.dense_sift import Extractor, Settings
from geobench.features.letterbox import Letterbox
from geobench.matching import nearest
from geobench.picture import Picture
from tests.methods.examples import make_picture


def test_shape_and_unit_length(tmp_path):
    found = Extractor(Settings())(make_picture(tmp_path, "a", (90, 50)))
    assert found.features.shape == (4 * 128, 48, 48)
    assert found.features.dtype == torch.float32
    norms = found.features.norm(dim=0)
    torch.testing.assert_close(norms[norms > 0], torch.ones(int((norms > 0).sum())))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (640, 20)])
def test_runs_on_anything(tmp_path, size):
    assert torch.isfinite(Extractor(Settings())(make_picture(tmp_path, "a", size)).features).all()


def test_a_flat_image_has_no_features(tmp_path):
    Image.new("RGB", (40, 40), (90, 90, 90)).save(tmp_path / "flat.png")
    flat = Picture("flat", tmp_path / "flat.png", (40, 40), "cat", (0.0, 0.0, 40.0, 40.0))
    assert not Extractor(Settings(side=64))(flat).features.any()


def test_the_same_bytes_whatever_the_number_of_threads(tmp_path):
    picture, before = make_picture(tmp_path, "a", (90, 50)), cv2.getNumThreads()
    found = []
    for threads in (1, 2, 4):
        cv2.setNumThreads(threads)
        found.append(Extractor(Settings())(picture).features.numpy().tobytes())
    cv2.setNumThreads(before)
    assert found[0] == found[1] == found[2]


def test_one_extractor_after_another_image_gives_the_same(tmp_path):
    a, b = make_picture(tmp_path, "a", seed=1), make_picture(tmp_path, "b", seed=2)
    extractor = Extractor(Settings(side=64))
    first = extractor(a).features
    extractor(b)
    assert torch.equal(extractor(a).features, first)


def test_a_descriptor_is_opencvs_at_that_place(tmp_path):
    """With as many samples as cells nothing is interpolated: compare with single calls at (x, y) - 0.5."""
    picture, settings = make_picture(tmp_path, "a", (64, 64)), Settings(side=64, grid=8, samples=8, bins=(6.0,))
    found = Extractor(settings)(picture).features
    gray = cv2.cvtColor(Letterbox.pad((64, 64), 64).place(picture.pixels), cv2.COLOR_RGB2GRAY)
    for row, column in ((2, 5), (4, 1)):
        point = cv2.KeyPoint(x=column * 8 + 3.5, y=row * 8 + 3.5, size=4.0, angle=0.0)
        _, raw = cv2.SIFT.create().compute(gray, [point])
        expected = np.sqrt(raw[0] / raw[0].sum())
        np.testing.assert_allclose(found[:, row, column].numpy(), expected, atol=1e-6)


def test_a_shifted_image_matches_itself(tmp_path):
    """Real pixels, known answer: the right half of a textured image, matched into the whole."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    whole = np.asarray(Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC))
    Image.fromarray(whole).save(tmp_path / "whole.png")
    Image.fromarray(np.roll(whole, 64, axis=1)).save(tmp_path / "rolled.png")
    box = (0.0, 0.0, 256.0, 256.0)
    source, target = (Picture(n, tmp_path / f"{n}.png", (256, 256), "cat", box) for n in ("whole", "rolled"))
    extractor = Extractor(Settings(bins=(6.0, 12.0)))
    points = torch.tensor([[60.0, 100.0], [100.0, 60.0], [140.0, 140.0]])
    answer = nearest.Matcher(nearest.Settings())(extractor(source), extractor(target), points)
    assert (answer - points - torch.tensor([64.0, 0.0])).abs().max() < 8

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geobench.errors import InputError, UsageError
from geobench.evaluation.predictions import Predictions, queries
from geobench.evaluation.protocol import find_protocol
from geobench.reporting.match_sheet import match_sheet

PROTOCOL = find_protocol("default")


def predicted(benchmark, shift):
    pairs = benchmark.split("test")
    asked = queries(benchmark, pairs, PROTOCOL)
    return pairs, Predictions.of(asked, asked.truth + np.float32(shift))


def coloured(sheet):
    """Return how many pixels are clearly green and clearly red."""
    pixels = np.asarray(sheet).astype(int)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return int(((green > 140) & (red < 60) & (blue < 90)).sum()), int(((red > 190) & (green < 70) & (blue < 70)).sum())


@pytest.fixture
def plain(tiny, tmp_path):
    """The tiny benchmark on grey images, so that green and red are those of the drawing."""
    from PIL import Image

    table = tiny.instances
    for name, width, height in zip(table.image, table.width, table.height, strict=True):
        path = tmp_path / "grey" / str(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (int(width), int(height)), (128, 128, 128)).save(path)
    return replace(tiny, image_root=tmp_path / "grey")


def test_right_predictions_are_green_and_wrong_ones_red(plain):
    green, red = coloured(match_sheet(plain, *predicted(plain, 0), PROTOCOL))
    assert green > 500
    assert red == 0
    green, red = coloured(match_sheet(plain, *predicted(plain, 10), PROTOCOL))
    assert green == 0
    assert red > 500


def test_alpha_decides_what_is_right(plain):
    pairs, predictions = predicted(plain, 1.5)
    assert coloured(match_sheet(plain, pairs, predictions, PROTOCOL, alpha=0.15))[1] == 0
    assert coloured(match_sheet(plain, pairs, predictions, PROTOCOL, alpha=0.01))[0] == 0
    with pytest.raises(UsageError, match=r"does not count at alpha 0\.3; choose one of 0\.01, 0\.05"):
        match_sheet(plain, pairs, predictions, PROTOCOL, alpha=0.3)


def test_given_rows_are_shown_in_their_order(plain):
    pairs, predictions = predicted(plain, 0)
    one = match_sheet(plain, pairs, predictions, PROTOCOL, rows=np.array([3]), columns=1)
    two = match_sheet(plain, pairs, predictions, PROTOCOL, rows=np.array([7, 3]), columns=1)
    assert two.height > one.height
    strip = np.asarray(one)[24 : one.height - 24, :200]
    below = np.asarray(two)[two.height - one.height + 24 : two.height - 24, :200]
    np.testing.assert_array_equal(strip, below)


def test_count_limits_the_pairs_and_bytes_are_the_same(plain):
    pairs, predictions = predicted(plain, 3)
    sheets = [match_sheet(plain, pairs, predictions, PROTOCOL, count=2, columns=2).tobytes() for _ in range(2)]
    assert sheets[0] == sheets[1]
    small, large = (match_sheet(plain, pairs, predictions, PROTOCOL, count=n, columns=1).height for n in (2, 4))
    assert small < large


def test_missing_predictions_and_nothing_to_show_are_refused(plain):
    pairs, predictions = predicted(plain, 0)
    short = Predictions(*(getattr(predictions, name)[:-1] for name in ("pair", "keypoint", "x", "y")))
    with pytest.raises(InputError, match="has no prediction"):
        match_sheet(plain, pairs, short, PROTOCOL)
    with pytest.raises(UsageError, match="no pair with a question"):
        match_sheet(plain, pairs, predictions, PROTOCOL, rows=np.array([], int))

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geobench.errors import UsageError
from geobench.reporting.figures import GAP, RIGHT, WRONG, contact_sheet, draw_matches

GREY = np.full((150, 200, 3), 128, np.uint8)


def points(*rows):
    return np.array(rows, dtype=np.float32).reshape(-1, 2)


def draw(predicted, truth, correct, side=200, **more):
    starts = points(*[(50, 75)] * len(correct))
    return draw_matches(GREY, GREY, starts, predicted, truth, np.array(correct), side=side, **more)


def colour(image, x, y):
    return np.array(image.getpixel((round(x), round(y))))


def is_near(found, wanted):
    return np.abs(found - np.array(wanted)).max() < 40


@pytest.mark.parametrize("side", [200, 256, 600, 1000])
def test_a_right_match_is_green_at_both_ends_and_between(side):
    image = draw(points((120, 75)), points((121, 75)), [True], side=side)
    scale = side / 200
    assert image.size == (2 * side + GAP, round(150 * scale))
    for x in (50 * scale, 150 * scale, side + GAP + 120 * scale):
        assert is_near(colour(image, x, 75 * scale), RIGHT)


def test_a_wrong_match_is_red_with_a_hollow_ring_at_the_truth():
    image = draw(points((120, 40)), points((120, 110)), [False], side=400)
    left, at = 400 + GAP, 2
    assert is_near(colour(image, left + 120 * at, 40 * at), WRONG)
    centre = np.array([left + 120 * at, 110 * at])
    assert is_near(colour(image, *centre), (128, 128, 128))
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = 5.0 * 400 / 300 - 1
    ring = [colour(image, *(centre + radius * np.array([np.cos(a), np.sin(a)]))) for a in angles]
    assert sum(red[0] > red[1] + 60 for red in ring) > 20


def test_a_right_match_has_no_ring_and_no_red():
    pixels = np.asarray(draw(points((120, 40)), points((120, 110)), [True])).astype(int)
    assert not (pixels[..., 0] > pixels[..., 1] + 20).any()


def test_a_failed_match_has_a_ring_but_no_line():
    image = draw(points((np.nan, np.nan)), points((120, 75)), [False])
    assert is_near(colour(image, 120, 75), (128, 128, 128))
    assert is_near(colour(image, 50, 75), WRONG)
    pixels = np.asarray(image).astype(int)
    assert (pixels[:, 200 + GAP :, 0] > pixels[:, 200 + GAP :, 1] + 60).any()


def test_images_of_different_shape_are_scaled_each_to_the_side():
    tall = np.zeros((300, 100, 3), np.uint8)
    image = draw_matches(
        GREY, tall, points((100, 75)), points((50, 150)), points((50, 150)), np.array([True]), side=150
    )
    assert image.size == (150 + GAP + 50, 150)
    assert is_near(colour(image, 75, 56), RIGHT)
    assert is_near(colour(image, 150 + GAP + 25, 75), RIGHT)
    assert colour(image, 10, 140).tolist() == [255, 255, 255]


def test_lines_have_smooth_edges():
    image = draw(points((150, 140)), points((150, 140)), [True])
    assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 20


def test_names_are_written_beside_the_query_points():
    plain = draw(points((120, 75)), points((120, 75)), [True], side=400)
    named = draw(points((120, 75)), points((120, 75)), [True], side=400, names=["left_eye"])
    changed = (np.asarray(plain) != np.asarray(named)).any(axis=2)
    assert changed[:, :400].any()
    assert not changed[:, 400:].any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 12), side=st.integers(32, 300))
def test_the_same_input_gives_the_same_bytes_and_is_left_as_it_was(seed, n, side):
    rng = np.random.default_rng(seed)
    source, target = (rng.integers(0, 256, (*rng.integers(20, 90, 2), 3), dtype=np.uint8) for _ in range(2))
    arrays = [rng.uniform(-20, 120, (n, 2)).astype(np.float32) for _ in range(3)]
    correct = rng.random(n) < 0.5
    before = [array.copy() for array in (source, *arrays)]
    first, second = (_png(draw_matches(source, target, *arrays, correct, side=side)) for _ in range(2))
    assert first == second
    for array, copy in zip((source, *arrays), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def _png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_a_contact_sheet_holds_every_image_in_its_place():
    images = [Image.new("RGB", (60, 40), (10 * n, 0, 200)) for n in range(5)]
    sheet = contact_sheet(images, [f"pair {n}" for n in range(5)], columns=2)
    pixels = np.asarray(sheet)
    corners = [np.argwhere((pixels == (10 * n, 0, 200)).all(axis=2)) for n in range(5)]
    assert [len(corner) for corner in corners] == [60 * 40] * 5
    tops = [corner.min(axis=0).tolist() for corner in corners]
    assert tops[0][0] == tops[1][0] < tops[2][0] == tops[3][0] < tops[4][0]
    assert tops[0][1] == tops[2][1] == tops[4][1] < tops[1][1] == tops[3][1]


def test_captions_are_written_and_cut_to_the_width():
    image = Image.new("RGB", (100, 40), (0, 0, 255))
    sheet = contact_sheet([image, image], ["a caption that is much too long for its image " * 3, ""], columns=2)
    ink = np.argwhere((np.asarray(sheet) < 100).all(axis=2))
    assert len(ink) > 50
    assert ink[:, 0].min() > 40
    assert ink[:, 1].max() < 24 + 100 + 1


@pytest.mark.parametrize(("count", "captions", "columns"), [(0, 0, 2), (2, 1, 2), (2, 2, 0)])
def test_a_sheet_of_nothing_is_refused(count, captions, columns):
    images = [Image.new("RGB", (8, 8))] * count
    with pytest.raises(UsageError, match="a contact sheet needs"):
        contact_sheet(images, [""] * captions, columns)

"""Image files of every kind as a method sees them: real files, written by Pillow."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geobench import image_file
from geobench.builders.image_sizes import image_size, sizes_where_present
from geobench.errors import InputError
from geobench.features import dense_sift
from geobench.features.letterbox import Letterbox
from geobench.image_file import MOST_PIXELS, read_image, size_of
from geobench.matching import nearest
from geobench.picture import Picture

COLOURS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
GREY = COLOURS[..., 0]


def picture(path: Path, size: tuple[int, int] = (40, 30), mask: Path | None = None) -> Picture:
    return Picture("a", path, size, "cat", (0.0, 0.0, float(size[0]), float(size[1])), mask)


@pytest.fixture(autouse=True)
def no_warning_is_printed() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def stored(mode: str) -> tuple[Image.Image, np.ndarray]:
    """Return an image of a mode, and the RGB that is to be read of it."""
    alpha = np.full((30, 40, 1), 100, np.uint8)
    alpha[:15] = 0
    grey = np.repeat(GREY[..., None], 3, axis=2)
    if mode == "LA":
        return Image.fromarray(np.concatenate([GREY[..., None], alpha], axis=2)), grey
    if mode == "RGBA":
        return Image.fromarray(np.concatenate([COLOURS, alpha], axis=2)), COLOURS
    if mode == "P":
        few = Image.fromarray(COLOURS).quantize(16)
        return few, np.asarray(few.convert("RGB"))
    if mode == "1":
        return Image.fromarray(GREY > 127), np.where(grey > 127, np.uint8(255), np.uint8(0))
    return Image.fromarray({"L": GREY, "RGB": COLOURS}[mode]), {"L": grey, "RGB": COLOURS}[mode]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_is_its_stored_colours(tmp_path: Path, mode: str) -> None:
    image, expected = stored(mode)
    image.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.mode == mode
    found = picture(tmp_path / "a.png").pixels
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255, 0])])
def test_transparent_entries_of_a_palette_keep_their_colour(tmp_path: Path, transparency: int | bytes) -> None:
    image, expected = stored("P")
    image.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(picture(tmp_path / "a.png").pixels, expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_is_scaled_to_8(tmp_path: Path, suffix: str) -> None:
    deep = (GREY.astype(np.uint16) << 8) | np.random.default_rng(1).integers(0, 256, GREY.shape, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(picture(tmp_path / f"a.{suffix}").pixels, np.repeat(GREY[..., None], 3, axis=2))


@given(value=st.integers(0, 65535))
def test_16_bits_keep_order_and_ends(value: int) -> None:
    image = Image.fromarray(np.array([[0, value, 65535]], np.uint16))
    low, mid, high = np.asarray(image_file._eight_bits(image, Path("a.png")))[0].tolist()
    assert (low, high) == (0, 255)
    assert abs(mid - value / 257) <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_that_are_no_colours_are_refused(tmp_path: Path, dtype: type) -> None:
    Image.fromarray(COLOURS[..., 0].astype(dtype)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: holds 32-bit numbers.*; save it with 8 or 16 bits"):
        _ = picture(tmp_path / "a.tif").pixels


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 40, 90)])
def test_cmyk_jpeg_becomes_rgb(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (40, 30), colour).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert opened.mode == "CMYK"
    found = picture(tmp_path / "a.jpg").pixels
    assert np.abs(found.astype(int) - colour).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_as_stored_whatever_exif_says(tmp_path: Path, orientation: int) -> None:
    """The authors of the methods open images so, and annotations are made on stored pixels."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(picture(tmp_path / "a.png").pixels, COLOURS)
    remedy = "save it turned as its EXIF" if orientation >= 5 else "fetch the original"
    with pytest.raises(InputError, match=f"is 40x30 pixels, its annotation says 30x40; {remedy}"):
        _ = picture(tmp_path / "a.png", (30, 40)).pixels


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_of_several_frames_the_first_counts(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    found = picture(tmp_path / f"a.{suffix}").pixels
    assert found.shape == (30, 40, 3)
    assert np.abs(found.astype(int) - (250, 0, 0)).max() <= 4


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp"])
@pytest.mark.parametrize("kept", [0, 3, 30, 0.3, 0.8])
def test_truncated_files_are_one_sentence(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOURS).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"a\..*: not a readable image \(.*\); fetch it again") as caught:
        _ = picture(path).pixels
    assert "\n" not in str(caught.value)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255), suffix=st.sampled_from(["png", "jpg", "gif", "tif"]))
def test_a_spoilt_byte_is_an_image_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"spoilt.{suffix}"
    Image.fromarray(COLOURS).save(path)
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    problem = ""
    try:
        assert read_image(path, "RGB").dtype == np.uint8
    except InputError as error:
        problem = str(error)
    assert "\n" not in problem


def test_what_is_no_image_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    (tmp_path / "folder.jpg").mkdir()
    for name, words in (("a", "not a readable image"), ("folder", "not a readable image"), ("none", "no such image")):
        with pytest.raises(InputError, match=rf"{name}\.jpg: {words}"):
            _ = picture(tmp_path / f"{name}.jpg").pixels


def test_wrong_size_names_both(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: the image is 40x30 pixels, its annotation says 41x30; fetch"):
        _ = picture(tmp_path / "a.png", (41, 30)).pixels


def test_large_images_are_read_and_larger_ones_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 x 5,000 is beyond the size at which Pillow warns; one bit per pixel keeps the file small."""
    before = Image.MAX_IMAGE_PIXELS
    Image.new("1", (20_000, 5_000)).save(tmp_path / "a.png")
    assert size_of(tmp_path / "a.png") == image_size(tmp_path / "a.png") == (20_000, 5_000)
    Image.new("1", (20_000, 14_000)).save(tmp_path / "b.png")
    for read in (size_of, image_size, lambda path: read_image(path, "RGB")):
        with pytest.raises(InputError, match=r"b\.png: has 20000x14000 pixels, more than the 268,435,456"):
            read(tmp_path / "b.png")
    assert before == Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.fromarray(COLOURS).save(tmp_path / "c.png")
    assert picture(tmp_path / "c.png").pixels.shape == (30, 40, 3)
    assert Image.MAX_IMAGE_PIXELS == 10
    assert MOST_PIXELS > 20_000 * 10_000


def test_builders_measure_what_methods_read(tmp_path: Path) -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        stored(mode)[0].save(tmp_path / f"{mode}.png")
    names = [f"{mode}.png" for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "absent")]
    sizes = sizes_where_present(tmp_path, names)
    assert sizes.tolist() == [[40, 30]] * 6 + [[0, 0]]
    assert all(picture(tmp_path / name).pixels.shape[:2] == (30, 40) for name in names[:-1])


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16"])
def test_masks_of_every_mode(tmp_path: Path, mode: str) -> None:
    expected = np.zeros((30, 40), bool)
    expected[5:20, 10:30] = True
    grey = Image.fromarray(expected.astype(np.uint8) * 255)
    mask = Image.fromarray(expected.astype(np.uint16) * 65535) if mode == "I;16" else grey.convert(mode)
    mask.save(tmp_path / "m.png")
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    found = picture(tmp_path / "a.png", mask=tmp_path / "m.png").mask
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [(1, 1), (20_000, 10), (10, 20_000), (1, 300)])
def test_extreme_shapes_are_described_and_matched(tmp_path: Path, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    Image.fromarray(COLOURS).save(tmp_path / "b.png")
    extreme, plain = picture(tmp_path / "a.png", size), picture(tmp_path / "b.png")
    for side in (840, 960):
        assert Letterbox.pad(size, side).place(extreme.pixels).shape == (side, side, 3)
    assert Letterbox.squash(size, 768).place(extreme.pixels).shape == (768, 768, 3)
    extractor = dense_sift.Extractor(dense_sift.Settings())
    maps = extractor(extreme), extractor(plain)
    match = nearest.Matcher(nearest.Settings())
    points = torch.tensor([[0.0, 0.0], [size[0] / 2, size[1] / 2], [float(size[0]), float(size[1])]])
    answer = match(maps[1], maps[0], torch.tensor([[20.0, 15.0], [0.0, 0.0]]))
    assert torch.isfinite(answer).all()
    assert torch.isfinite(match(maps[0], maps[1], points)).all()
    assert (answer >= -max(size)).all()
    assert (answer <= 2 * max(size)).all()

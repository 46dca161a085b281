"""Pictures of matches, drawn with Pillow alone: the same input gives the same pixels.

Points are (x, y) in pixels of the original image with pixel centres at .5, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from geobench.errors import UsageError

RIGHT = (34, 160, 60)
WRONG = (220, 40, 40)
PAPER = (255, 255, 255)
INK = (40, 40, 40)
GAP = 4  # pixels between the two images of a pair
_MARGIN = 24  # pixels around each image of a contact sheet
_CAPTION = 14  # pixels, height of a caption
_OVERSAMPLING = 4  # lines are drawn so much larger and scaled down, which smooths their edges
_HALO = (255, 255, 255, 210)


@dataclass(frozen=True)
class _Panel:
    """Where one image of a pair lies on the canvas: canvas = image * scale + (left, 0)."""

    scale: float
    left: int

    def place(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        return np.asarray(points * self.scale + np.array([self.left, 0.0]))


def draw_matches(
    source_pixels: UInt8[np.ndarray, "h w 3"],
    target_pixels: UInt8[np.ndarray, "h2 w2 3"],
    source_points: Float[np.ndarray, "n 2"],
    predicted: Float[np.ndarray, "n 2"],
    truth: Float[np.ndarray, "n 2"],
    correct: Bool[np.ndarray, " n"],
    names: Sequence[str] | None = None,
    side: int = 400,
) -> Image.Image:
    """Return source and target side by side with a line per match: green when right, red when wrong.

    A wrong match also has a hollow ring at the truth, joined to the prediction by a thin line. A prediction that
    is NaN (the method failed) has no line, only the ring.

    Args:
        source_pixels: source image, RGB.
        target_pixels: target image, RGB.
        source_points: query points, pixels of the source.
        predicted: answers, pixels of the target.
        truth: true answers, pixels of the target.
        correct: whether each answer counts as correct.
        names: written beside the query points.
        side: length in pixels to which the longer side of each image is scaled.
    """
    left, right = scaled(source_pixels, side), scaled(target_pixels, side)
    canvas = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), PAPER)
    canvas.paste(left, (0, 0))
    canvas.paste(right, (left.width + GAP, 0))
    source = _Panel(left.width / source_pixels.shape[1], 0)
    target = _Panel(right.width / target_pixels.shape[1], left.width + GAP)
    starts, ends, rings = source.place(source_points), target.place(predicted), target.place(truth)
    # Wrong ones last, so that they lie on top.
    order = np.argsort(~np.asarray(correct, bool), kind="stable")
    overlay = _Overlay(canvas.size, thickness=max(1.0, side / 300))
    for n in order:
        overlay.match(starts[n], ends[n], rings[n], bool(correct[n]))
    canvas.paste(*overlay.finished())
    if names is not None:
        _write_names(canvas, starts, names, max(9, side // 36))
    return canvas


def contact_sheet(images: Sequence[Image.Image], captions: Sequence[str], columns: int) -> Image.Image:
    """Return the images in a grid of ``columns``, row by row, each with its caption below.

    Raises:
        UsageError: there is no image, no column, or not one caption per image.
    """
    if not images or columns < 1 or len(captions) != len(images):
        raise UsageError(f"a contact sheet needs images, as many captions, and columns ({len(images)} images given)")
    font = ImageFont.load_default(_CAPTION)
    columns = min(columns, len(images))
    width = max(image.width for image in images)
    heights = [max(image.height for image in images[n : n + columns]) for n in range(0, len(images), columns)]
    tops = np.cumsum([_MARGIN, *(height + _CAPTION + _MARGIN for height in heights)]).tolist()
    sheet = Image.new("RGB", (columns * (width + _MARGIN) + _MARGIN, tops[-1]), PAPER)
    pen = ImageDraw.Draw(sheet)
    for n, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = _MARGIN + n % columns * (width + _MARGIN), tops[n // columns]
        sheet.paste(image, (x, y))
        pen.text((x, y + image.height + GAP // 2), _fitted(caption, font, width), fill=INK, font=font)
    return sheet


class _Overlay:
    """Lines, dots and rings on a transparent layer, drawn large and scaled down."""

    def __init__(self, size: tuple[int, int], thickness: float) -> None:
        self._size = size
        self._unit = thickness * _OVERSAMPLING
        self._layer = Image.new("RGBA", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), (0, 0, 0, 0))
        self._pen = ImageDraw.Draw(self._layer)

    def match(self, start: np.ndarray, end: np.ndarray, truth: np.ndarray, correct: bool) -> None:
        colour = RIGHT if correct else WRONG
        if np.isfinite(end).all():
            if not correct:
                self._line(end, truth, colour, 0.6)
            self._line(start, end, colour, 1.0)
            self._dot(end, colour)
        if not correct:
            self._ring(truth, colour)
        self._dot(start, colour)

    def finished(self) -> tuple[Image.Image, tuple[int, int], Image.Image]:
        """Return the layer in its final size, where to paste it, and its mask."""
        small = self._layer.resize(self._size, Image.Resampling.BOX)
        return small.convert("RGB"), (0, 0), small.getchannel("A")

    def _line(self, start: np.ndarray, end: np.ndarray, colour: tuple[int, int, int], width: float) -> None:
        corners = [tuple(point) for point in (np.stack([start, end]) * _OVERSAMPLING).tolist()]
        self._pen.line(corners, fill=(*colour, 235), width=max(1, round(self._unit * width)))

    def _dot(self, centre: np.ndarray, colour: tuple[int, int, int]) -> None:
        self._circle(centre, 3.4, fill=_HALO)
        self._circle(centre, 2.4, fill=(*colour, 255))

    def _ring(self, centre: np.ndarray, colour: tuple[int, int, int]) -> None:
        self._circle(centre, 5.6, outline=_HALO, width=2.8)
        self._circle(centre, 5.0, outline=(*colour, 255), width=1.6)

    def _circle(
        self,
        centre: np.ndarray,
        radius: float,
        fill: tuple[int, ...] | None = None,
        outline: tuple[int, ...] | None = None,
        width: float = 0.0,
    ) -> None:
        x, y = (centre * _OVERSAMPLING).tolist()
        reach = radius * self._unit
        box = (x - reach, y - reach, x + reach, y + reach)
        self._pen.ellipse(box, fill=fill, outline=outline, width=round(width * self._unit))


def scaled(pixels: UInt8[np.ndarray, "h w 3"], side: int) -> Image.Image:
    """Return an image whose longer side has ``side`` pixels."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _write_names(canvas: Image.Image, points: Float[np.ndarray, "n 2"], names: Sequence[str], size: int) -> None:
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for (x, y), name in zip(points.tolist(), names, strict=True):
        pen.text((x + size / 2, y - size), name, fill=INK, font=font, stroke_width=2, stroke_fill=PAPER)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return ``text``, its end cut off where it is longer than ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"

"""Nearest neighbour among all pixels of the target image, both maps interpolated bilinearly to their images' size.

DIFT (Tang et al., NeurIPS 2023; its eval_spair.py:94-119): ``Upsample(mode="bilinear")`` to the original size, the
source vector at the whole-pixel keypoint, cosine with every target pixel, the first maximum in reading order.

The interpolated maps are never made. A dot product is linear in the features, so the similarities of the map's cells
are interpolated instead of its vectors. The squared length of an interpolated vector is a sum over its four
neighbours of their dot products times both weights, so four numbers per cell suffice (:class:`Lengths`).

Every pixel's centre is sampled where the frame shows it; under a squashing frame this is the authors' interpolation
(``align_corners=False``). Beyond the outermost cells' centres their values are repeated. In a padded frame, pixels
near the image's border are blended with cells of the padding, as upsampling the whole frame would blend them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from geobench.features.feature_map import FeatureMap
from geobench.matching.similarity import first_maximum, products
from geobench.typed_toml import StrictModel

BAND = 1 << 18
"""How many upsampled similarities are held at a time: 1 MiB of float32."""


class Settings(StrictModel):
    """Settings of ``kind = "upsampled-nearest"``: none. Padding is never an answer, as only pixels are."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Where m pixels lie between the cells of one axis: ``(1 - weight) * cell[low] + weight * cell[high]``.

    Attributes:
        pixel: number of the pixel along the axis. Of pixels that repeat the outermost cell only the first is here:
            they are alike, and the first is the answer.
        low: the cell before the pixel's centre.
        high: the cell after it; the same at the border.
        weight: of ``high``, 0 to 1.
    """

    pixel: Int64[Tensor, " m"]
    low: Int64[Tensor, " m"]
    high: Int64[Tensor, " m"]
    weight: Float[Tensor, " m"]

    @classmethod
    def of(cls, one: FeatureMap, axis: int, pixel: Int64[Tensor, " m"]) -> Samples:
        """Return where pixels lie on the columns (axis 0) or rows (axis 1) of a map, repeated ones included."""
        box, last = one.letterbox, one.grid[axis] - 1
        # In float64: in float32 the weight of a pixel far from the origin loses digits.
        centre = (pixel.double() + 0.5) * box.scale[axis] + box.offset[axis]
        place = (centre / one.cell[axis] - 0.5).clamp(0, last)
        low = place.floor().long()
        return cls(pixel, low, (low + 1).clamp_max(last), (place - low).to(one.features.dtype))

    def distinct(self, last: int) -> Samples:
        """Return the samples without those that repeat the first or the ``last`` cell after its first repetition."""
        place = self.low + self.weight
        border = (self.weight == 0) & ((self.low == 0) | (self.low == last))
        kept = ~border | torch.cat([place.new_ones(1, dtype=torch.bool), place[1:] != place[:-1]])
        return self[kept]

    def __getitem__(self, rows: Tensor | slice) -> Samples:
        return Samples(self.pixel[rows], self.low[rows], self.high[rows], self.weight[rows])

    def __len__(self) -> int:
        return len(self.pixel)

    def between(self, values: Float[Tensor, "*rest cells"]) -> Float[Tensor, "*rest m"]:
        """Return values at cells of the last axis, interpolated."""
        low, high = values.index_select(-1, self.low), values.index_select(-1, self.high)
        return low.lerp_(high, self.weight)


class Matcher:
    """Nearest neighbour by cosine among the target's pixels."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, source: FeatureMap, target: FeatureMap, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Return the most similar pixel per point.

        Args:
            source: map of the source image, of any length: interpolation depends on it, the cosine does not.
            target: map of the target image, with as many channels.
            points: (x, y) in pixels of the source image; the vector at the pixel that contains a point is taken.

        Returns:
            (x, y) in pixels of the target image, whole numbers as in the authors' code.
        """
        similarity = products(vectors_at(source, points), target.columns)
        x, y = (
            Samples.of(target, axis, torch.arange(count, device=similarity.device)).distinct(target.grid[axis] - 1)
            for axis, count in enumerate(target.letterbox.image)
        )
        best = similarity.new_full((len(points),), -torch.inf)
        answer = similarity.new_zeros((len(points), 2))
        for rows, cosine in _bands(similarity.reshape(-1, *target.grid[::-1]), target, x, y):
            where = first_maximum(cosine)
            values = cosine.gather(1, where[:, None])[:, 0]
            found = torch.stack([x.pixel[where % len(x)], rows.pixel[where // len(x)]], dim=1)
            better = values > best  # a later band must be better: among equals the first wins
            answer = torch.where(better[:, None], found.to(answer.dtype), answer)
            best = torch.where(better, values, best)
        return answer.to(points.device)


def vectors_at(source: FeatureMap, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    """Return the map interpolated bilinearly at the centres of the pixels that contain ``points``, of unit length."""
    limit = points.new_tensor(source.letterbox.image) - 1
    pixel = torch.minimum(points.floor().clamp_min(0), limit).long().to(source.features.device)
    x, y = (Samples.of(source, axis, pixel[:, axis]) for axis in (0, 1))
    upper, lower = (
        torch.lerp(source.features[:, row, x.low], source.features[:, row, x.high], x.weight) for row in (y.low, y.high)
    )
    vectors = torch.lerp(upper, lower, y.weight).T
    return torch.nn.functional.normalize(vectors, dim=1)


def _bands(
    similarity: Float[Tensor, "n h w"], target: FeatureMap, x: Samples, y: Samples
) -> Iterator[tuple[Samples, Float[Tensor, "n pixels"]]]:
    """Yield bands of pixel rows and the cosine of each point with their pixels, row by row."""
    across, lengths = x.between(similarity), Lengths.of(target, x)
    height = max(1, BAND // (max(1, len(similarity)) * len(x)))
    for top in range(0, len(y), height):
        rows = y[top : top + height]
        low, high = across.index_select(1, rows.low), across.index_select(1, rows.high)
        cosine = low.lerp_(high, rows.weight[:, None]).mul_(lengths.inverse(rows))
        yield rows, cosine.flatten(1)


@dataclass(frozen=True, eq=False)
class Lengths:
    """The lengths of the vectors of a map interpolated to the pixels of an image.

    Attributes:
        squares: squared length at pixel column m and cell row h.
        products: dot product of the vectors at pixel column m and at cell rows h and h + 1.
    """

    squares: Float[Tensor, "h m"]
    products: Float[Tensor, "h m"]

    @classmethod
    def of(cls, target: FeatureMap, x: Samples) -> Lengths:
        """Return the lengths between the cells of ``target``, at the pixel columns ``x``."""
        square, right, down, diagonal = target.neighbour_products()
        a, b = 1 - x.weight, x.weight
        low, high = x.low, x.high
        return cls(
            a * a * square[:, low] + 2 * a * b * right[:, low] + b * b * square[:, high],
            a * a * down[:, low] + a * b * diagonal[:, low] + b * b * down[:, high],
        )

    def inverse(self, y: Samples) -> Float[Tensor, "rows m"]:
        """Return one over the length at the pixel rows ``y``; lengths count as at least 1e-12 (torch's normalize)."""
        a, b = (1 - y.weight)[:, None], y.weight[:, None]
        low, high = self.squares.index_select(0, y.low), self.squares.index_select(0, y.high)
        squared = a * a * low + 2 * a * b * self.products.index_select(0, y.low) + b * b * high
        return squared.clamp_min_(1e-24).rsqrt_()

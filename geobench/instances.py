"""Instances: one row per annotated object of a benchmark, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from geobench.errors import InputError


@dataclass(frozen=True, eq=False)
class Instances:
    """Annotated objects, N rows, K keypoint columns (the largest skeleton; spare columns are never visible).

    Attributes:
        id: unique name of the row.
        image: path of the image relative to the benchmark's image root.
        width, height: size of the image in pixels; 0 where unknown, because the image was absent at building time.
        bbox: box of the object, (x, y, width, height) in pixels.
        category: what pairs are formed within, e.g. the species.
        family: the level above (AP-10K: the biological family); empty where there is none.
        keypoints: (x, y) in pixels of the original image; (0, 0) where not annotated.
        visibility: COCO flags: 0 not annotated, 1 annotated but occluded, 2 visible.
        mask: path of the instance mask relative to the image root; empty where there is none.
        azimuth: viewing direction in degrees, NaN where unknown.
        record: the row's record in the raw dataset (AP-10K: annotation id); empty where there is none.
    """

    id: np.ndarray
    image: np.ndarray
    width: Int32[np.ndarray, " n"]
    height: Int32[np.ndarray, " n"]
    bbox: Float32[np.ndarray, "n 4"]
    category: np.ndarray
    family: np.ndarray
    keypoints: Float32[np.ndarray, "n k 2"]
    visibility: UInt8[np.ndarray, "n k"]
    mask: np.ndarray
    azimuth: Float32[np.ndarray, " n"]
    record: np.ndarray

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) > 1:
            raise InputError(f"instances: the columns differ in length: {lengths}")
        if len(np.unique(self.id)) != len(self.id):
            values, counts = np.unique(self.id, return_counts=True)
            raise InputError(f"instances: the id {values[counts > 1][0]!r} is used twice; ids must be unique")

    def __len__(self) -> int:
        return len(self.id)

    @property
    def visible(self) -> Bool[np.ndarray, "n k"]:
        """Which keypoints are annotated (flag 1 or 2): the field counts both as visible."""
        return self.visibility > 0

    @classmethod
    def from_columns(
        cls,
        *,
        id: list[str],  # noqa: A002
        image: list[str],
        size: np.ndarray,
        bbox: np.ndarray,
        category: list[str],
        keypoints: np.ndarray,
        visibility: np.ndarray,
        family: list[str] | None = None,
        mask: list[str] | None = None,
        azimuth: np.ndarray | None = None,
        record: list[str] | None = None,
    ) -> Instances:
        """Return instances from plain lists and arrays; absent columns are filled with "unknown".

        Args:
            id: unique names.
            image: paths relative to the image root.
            size: (width, height) in pixels, [N, 2].
            bbox: (x, y, w, h) in pixels, [N, 4].
            category: one label per row.
            keypoints: (x, y) in pixels, [N, K, 2].
            visibility: COCO flags, [N, K].
            family: label above the category.
            mask: paths relative to the image root.
            azimuth: degrees, [N].
            record: names of the rows in the raw dataset.
        """
        n = len(id)
        empty = [""] * n
        visibility = np.asarray(visibility, dtype=np.uint8)
        points = np.where((visibility > 0)[..., None], np.asarray(keypoints, dtype=np.float32), np.float32(0))
        return cls(
            id=np.asarray(id, dtype=np.str_),
            image=np.asarray(image, dtype=np.str_),
            width=np.asarray(size[:, 0], dtype=np.int32),
            height=np.asarray(size[:, 1], dtype=np.int32),
            bbox=np.asarray(bbox, dtype=np.float32),
            category=np.asarray(category, dtype=np.str_),
            family=np.asarray(family or empty, dtype=np.str_),
            keypoints=points.astype(np.float32),
            visibility=visibility,
            mask=np.asarray(mask or empty, dtype=np.str_),
            azimuth=np.full(n, np.nan, np.float32) if azimuth is None else np.asarray(azimuth, np.float32),
            record=np.asarray(record or empty, dtype=np.str_),
        )

    def image_sizes(self) -> tuple[Int32[np.ndarray, " n"], Int32[np.ndarray, " n"]]:
        """Return width and height of every image in pixels.

        Raises:
            InputError: some are unknown, so that nothing can be measured in them.
        """
        unknown = np.flatnonzero((self.width <= 0) | (self.height <= 0))
        if len(unknown):
            raise InputError(
                f"instances: the size of {len(unknown)} of {len(self)} images is unknown (the first: "
                f"{self.image[unknown[0]]}), and this protocol measures in it; build again with the images present"
            )
        return self.width, self.height

"""Every dataset whose builder the standard tests try: how to make its miniature, and what may be broken in it.

Adding one is a function ``write_…(folder)`` that writes a miniature of the raw layout, and a line in ``RAW``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from geobench.builders.options import BuildOptions
from geobench.card import Card
from geobench.catalog import find_card
from tests.builders.ap10k_cases import write_edge
from tests.builders.raw_animal_pose import animal_pose_content, write_animal_pose
from tests.builders.raw_cub_200 import write_cub_200
from tests.builders.raw_pairs import make_raw_pairs
from tests.builders.raw_pf_pascal import write_pf_pascal
from tests.builders.raw_pf_willow import write_with_official_list
from tests.builders.raw_spair71k import write_spair71k
from tests.builders.raw_spair_u import write_spair_u
from tests.builders.raw_stanford_extra import write_stanford_extra
from tests.builders.raw_tss import write_tss


@dataclass(frozen=True)
class RawDataset:
    """A builder's miniature.

    Attributes:
        write: writes it into an absent folder and returns the folder to give as ``--source``; the images are there.
        annotations: patterns, relative to that folder, of the files that are not images.
        images: pattern of the images.
        reads_images: whether sizes come from the images, so that a file that is no image is refused.
        expected_warnings: regular expression of what a complete miniature is warned about; empty for nothing.
        has_subgroups: whether the card names subgroups, so that some keypoints are geometry-aware.
        options: to build it with.
    """

    write: Callable[[Path], Path]
    annotations: tuple[str, ...]
    images: str
    reads_images: bool = True
    expected_warnings: str = ""
    has_subgroups: bool = True
    options: BuildOptions = field(default_factory=BuildOptions)

    def annotation_files(self, source: Path) -> list[Path]:
        """Return the annotation files below ``source``, sorted."""
        return sorted({path for pattern in self.annotations for path in source.glob(pattern)})

    def image_files(self, source: Path) -> list[Path]:
        """Return the image files below ``source``, sorted."""
        return sorted(source.glob(self.images))


def _write_ap10k(folder: Path) -> Path:
    write_edge(folder, {})
    (folder / "data").mkdir()
    for path in folder.glob("*.json"):
        for image in json.loads(path.read_text())["images"]:
            Image.new("RGB", (image["width"], image["height"])).save(folder / "data" / image["file_name"])
    return folder


def _write_animal_pose(folder: Path) -> Path:
    return write_animal_pose(folder, animal_pose_content(images=30))


RAW: dict[str, RawDataset] = {
    "ap10k": RawDataset(_write_ap10k, ("*.json", "*.txt"), "data/*.jpg", reads_images=False),
    "pf-willow": RawDataset(
        write_with_official_list, ("*/*.mat", "*.csv"), "*/*.png", expected_warnings="holds 3 of 10 classes"
    ),
    "pf-pascal": RawDataset(
        write_pf_pascal, ("*.csv", "PF-dataset-PASCAL/Annotations/*/*.mat"), "PF-dataset-PASCAL/JPEGImages/*.jpg"
    ),
    "animal-pose": RawDataset(_write_animal_pose, ("keypoints.json",), "images/*.jpg"),
    "cub-200": RawDataset(write_cub_200, ("*.txt", "parts/*.txt"), "images/*/*.jpg"),
    "spair71k": RawDataset(
        write_spair71k, ("SPair-71k/*/*/*.json", "SPair-71k/*/*/*.txt"), "SPair-71k/JPEGImages/*/*.jpg", False
    ),
    "spair-u": RawDataset(
        write_spair_u,
        ("datasets/SPair-U/*/*/*.json",),
        "SPair-71k/JPEGImages/*/*.jpg",
        reads_images=False,
        has_subgroups=False,
    ),
    "stanford-extra": RawDataset(
        write_stanford_extra, ("StanfordExtra_V12/*.json", "StanfordExtra_V12/*.npy"), "Images/*/*.jpg", False
    ),
    "tss": RawDataset(
        write_tss, ("*/*/*.flo", "*/*/mask*.png", "*/*/flip_gt.txt"), "*/*/image*.png", has_subgroups=False
    ),
    "pairs": RawDataset(make_raw_pairs, ("*.jsonl",), "*.png"),
}


def card_of(name: str) -> Card:
    """Return the card of a registered dataset."""
    return find_card(name)

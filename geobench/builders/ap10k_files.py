"""Finds and reads the annotations of AP-10K: the three files of the dataset, or the folder prepared for GeoAware-SC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geobench.builders.coco import CocoKeypoints, read_coco
from geobench.builders.image_annotations import find_image_annotations, read_image_annotations
from geobench.builders.notices import Notices
from geobench.builders.options import BuildOptions
from geobench.errors import InputError
from geobench.files import sha256_of
from geobench.fingerprint import digest

# The order in which the notebook reads them: the first annotation of an image is the one that is used.
ANNOTATION_FILES = ("ap10k-train-split1.json", "ap10k-test-split1.json", "ap10k-val-split1.json")
PREPARED = "ImageAnnotation"


@dataclass(frozen=True, eq=False)
class RawAnnotations:
    """What ``--source`` holds.

    Attributes:
        coco: the annotations.
        sha256: of the files, by name; a folder of many files has one.
        image_folder: what the file names of images are relative to, itself relative to the source.
        prepared: whether they are from a folder prepared for GeoAware-SC.
    """

    coco: CocoKeypoints
    sha256: Mapping[str, str]
    image_folder: str
    prepared: bool


def read_annotations(source: Path, names: tuple[str, ...], notices: Notices, options: BuildOptions) -> RawAnnotations:
    """Return the annotations below ``source``; the dataset's own files go before a prepared folder.

    Args:
        source: the folder of AP-10K, or the ``data/ap-10k`` of GeoAware-SC.
        names: keypoint names.
        notices: told what is odd but usable.
        options: ``skip_invalid`` and ``pair_annotations`` count.

    Raises:
        InputError: there are none, or a file or record is malformed.
    """
    prepared = source / PREPARED
    if prepared.is_dir() and not _annotation_folder(source):
        return _read_prepared(source, names, notices, options)
    paths = find_annotation_files(source)
    coco = read_coco(paths, names, notices, options.skip_invalid)
    return RawAnnotations(coco, {path.name: sha256_of(path) for path in paths}, "data", prepared=False)


def _read_prepared(source: Path, names: tuple[str, ...], notices: Notices, options: BuildOptions) -> RawAnnotations:
    folder = source / PREPARED
    paths = find_image_annotations(folder)
    coco = read_image_annotations(paths, folder, names, notices, options.skip_invalid)
    if options.pair_annotations is None and (source / "PairAnnotation").is_dir():
        notices.say(
            f"{source / 'PairAnnotation'}: not read, pairs are sampled; --pair-annotations {source / 'PairAnnotation'} "
            "imports them"
        )
    hashes = {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}
    return RawAnnotations(coco, {PREPARED: digest(hashes)}, "JPEGImages", prepared=True)


def _annotation_folder(source: Path) -> Path | None:
    folders = (source / "annotations", source)
    return next((one for one in folders if any((one / name).is_file() for name in ANNOTATION_FILES)), None)


def find_annotation_files(source: Path) -> tuple[Path, ...]:
    """Return the three annotation files of AP-10K, in the order in which they are read.

    Raises:
        InputError: one of them is missing.
    """
    found = _annotation_folder(source)
    folder = found or source / "annotations"
    for name in ANNOTATION_FILES:
        if not (folder / name).is_file():
            searched = folder if found else f"{folder} and {source}"
            raise InputError(f"{folder / name}: no such file (searched {searched}); fetch the AP-10K annotations")
    return tuple(folder / name for name in ANNOTATION_FILES)

"""Imports the pair files of GeoAware-SC: ``PairAnnotation/<split>/<source>-<target>:<label>.json``.

Each file names two per-image annotation files, ``…/ImageAnnotation/<family>/<species>/<image id>.json``. Pairs are
taken in the order of the sorted file names, which is the order in which the authors evaluate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from geobench.benchmark import Pairs
from geobench.builders.notices import Notices
from geobench.errors import InputError
from geobench.files import read_json_object
from geobench.instances import Instances

FOLDERS = {
    "train": "trn",
    "val/intra-species": "val",
    "test/intra-species": "test",
    "val/cross-species": "val_cross_species",
    "test/cross-species": "test_cross_species",
    "val/cross-family": "val_cross_family",
    "test/cross-family": "test_cross_family",
}
_NAME = re.compile(r"(?P<source>[0-9]{12,})-(?P<target>[0-9]{12,}):(?P<label>[^/]+)\.json")


def read_pair_annotations(
    folder: Path, instances: Instances, reason: Mapping[int, str], notices: Notices
) -> Iterator[tuple[str, Pairs]]:
    """Yield the splits found in ``folder`` by name; a split whose sub-folder is absent has no pairs.

    Args:
        folder: the ``PairAnnotation`` folder.
        instances: what the image ids refer to.
        reason: why an image id is not among the instances.
        notices: told which sub-folders are absent.

    Raises:
        InputError: the folder or a pair file is malformed, or an image id does not resolve.
    """
    absent = [name for name in FOLDERS.values() if not (folder / name).is_dir()]
    if len(absent) == len(FOLDERS):
        raise InputError(f"{folder}: has none of the sub-folders {', '.join(absent)}; give the PairAnnotation folder")
    if absent:
        notices.say(f"{folder}: no sub-folder {', '.join(absent)}; these splits have no pairs")
    row_of = {identity: row for row, identity in enumerate(instances.id.tolist())}
    for split, name in FOLDERS.items():
        pairs = _read_split(folder / name, row_of, reason) if name not in absent else _pairs([], [])
        _check_labels(folder / name, split, pairs, instances)
        yield split, pairs


def _pairs(rows: Sequence[tuple[int, int]], labels: Sequence[str]) -> Pairs:
    ends = np.asarray(rows, np.int32).reshape(-1, 2)
    return Pairs(ends[:, 0].copy(), ends[:, 1].copy(), np.asarray(labels, np.str_))


def _read_split(folder: Path, row_of: Mapping[str, int], reason: Mapping[int, str]) -> Pairs:
    rows: list[tuple[int, int]] = []
    labels: list[str] = []
    for file in sorted(path.name for path in folder.iterdir()):
        path = folder / file
        name = _NAME.fullmatch(file)
        if name is None:
            raise InputError(f"{path}: the name is not <source id>-<target id>:<label>.json; remove or rename the file")
        content = read_json_object(path)
        source = _end(path, content.get("src_json_path"), "src_json_path", name["source"], row_of, reason)
        target = _end(path, content.get("trg_json_path"), "trg_json_path", name["target"], row_of, reason)
        rows.append((source, target))
        labels.append(name["label"])
    return _pairs(rows, labels)


def _end(
    path: Path, value: object, field: str, identity: str, row_of: Mapping[str, int], reason: Mapping[int, str]
) -> int:
    if not isinstance(value, str):
        raise InputError(f"{path}: {field} must be the path of an image annotation; fetch the file again")
    if PurePosixPath(value).stem != identity:
        raise InputError(f"{path}: {field} names {value!r}, but the file name says image {identity}; mend one of them")
    row = row_of.get(identity)
    if row is None:
        why = reason.get(int(identity), "no such image in the annotation files")
        remedy = "pass --no-crowd-list" if why == "crowd" else "use the annotations that the pairs were made from"
        raise InputError(f"{path}: {field}: image {identity} is not among the usable images ({why}); {remedy}")
    return row


def _check_labels(folder: Path, split: str, pairs: Pairs, instances: Instances) -> None:
    """Refuse labels that contradict the annotations: they were made from other ones."""
    if split.endswith("cross-family"):
        return
    column = instances.family if split.endswith("cross-species") else instances.category
    bad = np.flatnonzero((column[pairs.source] != pairs.category) | (column[pairs.target] != pairs.category))
    if len(bad):
        source, target, label = (values[bad[0]] for values in (pairs.source, pairs.target, pairs.category))
        raise InputError(
            f"{folder}: pair {instances.id[source]}-{instances.id[target]} has the label {str(label)!r}, but the "
            f"annotations say {str(column[source])!r} and {str(column[target])!r}; use the annotations that the pairs "
            "were made from"
        )

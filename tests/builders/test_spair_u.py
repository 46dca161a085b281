"""SPair-U: both published layouts give one benchmark, and SPair-71k's own annotations are never taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning, InputError
from tests.builders.raw_spair71k import write_spair71k
from tests.builders.raw_spair_u import write_spair_u, write_spair_u_extra

CARD = find_card("spair-u")


def test_both_layouts_give_the_same_benchmark(tmp_path: Path) -> None:
    own = build_benchmark(CARD, write_spair_u(tmp_path / "own"))
    extra = build_benchmark(CARD, write_spair_u_extra(tmp_path / "extra"))
    assert own.fingerprint == extra.fingerprint
    assert own.image_root.name == extra.image_root.name == "SPair-71k"
    assert own.picture(0).pixels.shape == extra.picture(0).pixels.shape


def test_only_annotated_pairs_count_whatever_the_list_says(tmp_path: Path) -> None:
    source = write_spair_u_extra(tmp_path / "raw")
    listed = (source / "SPair-71k" / "Layout" / "large" / "test.txt").read_text().splitlines()
    annotated = sorted((source / "SPair-71k" / "ExtraPairAnnotation" / "test").iterdir())
    made = build_benchmark(CARD, source)
    assert list(made.splits) == ["test"]
    assert len(made.split("test")) == len(annotated) < len(listed)
    first = json.loads(annotated[0].read_text())
    ends = (made.split("test").source[0], made.split("test").target[0])
    assert [made.instances.image[row].split("/")[-1] for row in ends] == [first["src_imname"], first["trg_imname"]]


def test_keypoints_are_those_of_the_extra_annotations(tmp_path: Path) -> None:
    source = write_spair_u_extra(tmp_path / "raw")
    table = build_benchmark(CARD, source).instances
    for row in range(len(table)):
        raw = json.loads((source / "SPair-71k" / "ExtraImageAnnotation" / f"{table.id[row]}.json").read_text())
        seen = [slot for slot, point in raw["kps"].items() if point is not None]
        assert np.flatnonzero(table.visible[row]).tolist() == sorted(map(int, seen))
        for slot in seen:
            assert table.keypoints[row, int(slot)].tolist() == raw["kps"][slot]


def test_places_where_the_archive_may_be(tmp_path: Path) -> None:
    source = write_spair_u(tmp_path / "raw")
    expected = build_benchmark(CARD, source).fingerprint
    assert build_benchmark(CARD, source / "datasets" / "SPair-U").image_root == source / "SPair-71k"
    (source / "datasets" / "SPair-U").rename(source / "SPair-U")
    assert build_benchmark(CARD, source).fingerprint == expected
    assert build_benchmark(CARD, source / "SPair-U").image_root == source / "SPair-71k"


def test_spair71k_itself_is_refused(tmp_path: Path) -> None:
    source = write_spair71k(tmp_path / "raw")
    for folder in (source, source / "SPair-71k"):
        with pytest.raises(InputError, match=r"holds neither SPair-U/PairAnnotation nor SPair-71k/ExtraPairAnnotation"):
            build_benchmark(CARD, folder)


def test_no_annotated_pair_at_all(tmp_path: Path) -> None:
    (tmp_path / "SPair-U" / "PairAnnotation" / "test").mkdir(parents=True)
    with pytest.raises(InputError, match=r"SPair-U: holds no PairAnnotation/\*/\*\.json"):
        build_benchmark(CARD, tmp_path)


def test_absent_images_are_one_warning(tmp_path: Path) -> None:
    source = write_spair_u(tmp_path / "raw")
    (source / "SPair-71k").rename(tmp_path / "elsewhere")
    with pytest.warns(GeobenchWarning, match=r"no such image; 9 images of the pairs are absent") as said:
        assert len(build_benchmark(CARD, source).split("test"))
    assert len(said) == 1
    with pytest.raises(InputError, match=r"no such image; .*leave --require-images out"):
        build_benchmark(CARD, source, BuildOptions(require_images=True))


def test_the_card_has_the_categories_of_spair71k() -> None:
    assert list(CARD.categories) == list(find_card("spair71k").categories)
    assert all(len(table.names) == 30 for table in CARD.categories.values())

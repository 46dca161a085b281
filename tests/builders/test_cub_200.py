from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from geobench.builders.options import BuildOptions, build_benchmark
from geobench.errors import GeobenchWarning, InputError, UsageError
from tests.builders.raw_cub_200 import CARD, NAMES, SIZE, card_with, lines_of, write_cub_200, write_lines
from tests.conftest import SHARED

SUBSET, PARTS = SHARED / "data" / "cub-subset", SHARED / "data" / "cub-parts"


@pytest.fixture
def raw(tmp_path):
    return write_cub_200(tmp_path / "raw")


def test_rows_hold_what_the_files_hold(raw):
    table = build_benchmark(CARD, raw).instances
    assert table.record.tolist() == [str(number) for number in range(1, 16)]
    parts = np.array([line.split() for line in lines_of(raw / "parts" / "part_locs.txt")], dtype=float)
    for row in range(15):
        mine = parts[parts[:, 0] == row + 1]
        np.testing.assert_array_equal(table.keypoints[row], mine[:, 2:4])
        np.testing.assert_array_equal(table.visibility[row], 2 * mine[:, 4])
    box = lines_of(raw / "bounding_boxes.txt")[6].split()
    assert table.bbox[6].tolist() == [float(value) for value in box[1:]]
    assert (table.width == SIZE[0]).all()
    assert (table.height == SIZE[1]).all()
    assert table.image[5] == table.id[5] == "002.Laysan_Albatross/Laysan_Albatross_0000.jpg"
    assert (table.category[5], table.family[5]) == ("Laysan Albatross", "bird")


@pytest.mark.parametrize(("split", "numbers"), [("train", (0, 2, 4)), ("test/same-species", (1, 3))])
def test_same_species_pairs_are_all_combinations_in_the_order_of_the_ids(raw, split, numbers):
    benchmark = build_benchmark(CARD, raw)
    pairs = benchmark.split(split)
    species = [[5 * one + number for number in numbers] for one in range(3)]
    expected = [pair for members in species for pair in itertools.combinations(members, 2)]
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == expected
    assert pairs.category.tolist() == benchmark.instances.category[pairs.source].tolist()


def test_any_species_pairs_are_the_draw_of_csm_without_repetitions(raw):
    pairs = build_benchmark(CARD, raw).split("test/any-species")
    rng = np.random.RandomState(6)
    rows = [1, 3, 6, 8, 11, 13]
    source, target = rng.choice(rows, 10000), rng.choice(rows, 10000)
    expected = dict.fromkeys(pair for pair in zip(source.tolist(), target.tolist(), strict=True) if pair[0] != pair[1])
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == list(expected)
    assert len(pairs) == 30
    assert set(pairs.category.tolist()) == {"all"}


def test_the_seed_decides_any_species_only(raw):
    card = card_with(any_species_pairs=10)
    one, again, other = (build_benchmark(card, raw, BuildOptions(seed=seed)) for seed in (1, 1, 2))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    for split in ("train", "test/same-species"):
        np.testing.assert_array_equal(one.split(split).source, other.split(split).source)
    assert one.split("test/any-species").source.tolist() != other.split("test/any-species").source.tolist()
    with pytest.raises(UsageError, match=r"--seed -1: .*seeds from 0"):
        build_benchmark(card, raw, BuildOptions(seed=-1))


def test_pairs_without_a_common_part_are_left_out(raw):
    _set_parts(raw, {2: range(7), 4: range(7, 15)})
    benchmark = build_benchmark(CARD, raw)
    for split in benchmark.test_splits():
        pairs = benchmark.split(split)
        assert pairs.mutual(benchmark).any(axis=1).all()
        assert not ((pairs.source == 1) & (pairs.target == 3)).any()


def _set_parts(raw: Path, visible: dict[int, range]) -> None:
    """Make only the named parts of some images visible."""
    path = raw / "parts" / "part_locs.txt"
    lines = []
    for line in lines_of(path):
        image, part = (int(value) for value in line.split()[:2])
        seen = image not in visible or part - 1 in visible[image]
        lines.append(line if image not in visible else f"{image} {part} 9.0 9.0 {int(seen)}")
    write_lines(path, lines)


def test_subgroups_and_mirror_follow_the_names():
    skeleton = CARD.skeletons()["*"]
    for number, name in enumerate(NAMES):
        twin = name.replace("left", "*").replace("right", "left").replace("*", "right")
        assert skeleton.mirror[number] == NAMES.index(twin)
        members = skeleton.groups.get(name.split("_")[-1], ())
        assert (number in members) == ("left" in name or "right" in name)


def test_a_part_is_geometry_aware_when_its_twin_is_visible_in_the_target(raw):
    left, right = NAMES.index("left_wing"), NAMES.index("right_wing")
    _set_parts(raw, {2: range(left, left + 1), 4: range(left, right + 1)})
    benchmark = build_benchmark(CARD, raw)
    pairs = benchmark.split("test/any-species")
    tags = pairs.geometry_aware(benchmark)
    forward, backward = ((pairs.source == a) & (pairs.target == b) for a, b in ((1, 3), (3, 1)))
    assert np.flatnonzero(tags[forward][0]).tolist() == [left]
    assert not tags[backward].any()


def test_the_unpacked_archive_is_found_below_the_source(raw, tmp_path):
    before = build_benchmark(CARD, raw).fingerprint
    (tmp_path / "download").mkdir()
    raw.rename(tmp_path / "download" / "CUB_200_2011")
    assert build_benchmark(CARD, tmp_path / "download").fingerprint == before


def test_line_ends_and_the_order_of_lines_do_not_matter(raw):
    before = build_benchmark(CARD, raw).fingerprint
    for path in raw.rglob("*.txt"):
        lines = lines_of(path) if path.name == "parts.txt" else lines_of(path)[::-1]
        path.write_bytes(b"".join(line.encode() + b"\r\n" for line in lines))
    assert build_benchmark(CARD, raw).fingerprint == before


def test_images_that_images_txt_does_not_list_are_passed_over_and_told(raw):
    kept = [line for line in lines_of(raw / "images.txt") if int(line.split()[0]) <= 10]
    write_lines(raw / "images.txt", kept)
    with pytest.warns(GeobenchWarning, match=r"lists 10 images; passed over: 5 images of .*image_id 11") as said:
        benchmark = build_benchmark(CARD, raw)
    assert len(said) == 1
    assert len(benchmark.instances) == 10


def test_absent_images_are_one_warning_and_unknown_sizes(raw):
    complete = build_benchmark(CARD, raw)
    shutil.rmtree(raw / "images" / "003.Sooty_Albatross")
    with pytest.warns(GeobenchWarning, match="5 of 15 images are absent") as said:
        benchmark = build_benchmark(CARD, raw)
    assert len(said) == 1
    assert benchmark.instances.width.tolist() == [SIZE[0]] * 10 + [0] * 5
    for name in benchmark.splits:
        np.testing.assert_array_equal(benchmark.split(name).target, complete.split(name).target)


def test_leave_out_pairs_only_the_images_that_are_there(raw):
    shutil.rmtree(raw / "images" / "003.Sooty_Albatross")
    with pytest.warns(GeobenchWarning, match="5 of 15 images are absent and left out, as the card says"):
        benchmark = build_benchmark(card_with(absent_images="leave-out"), raw)
    assert len(benchmark.instances) == 10
    assert len(benchmark.split("test/any-species")) == 12
    shutil.rmtree(raw / "images")
    with pytest.raises(InputError, match="none of the 15 images is there"):
        build_benchmark(card_with(absent_images="leave-out"), raw)


def test_a_part_outside_its_image_is_told_and_kept(raw):
    path = raw / "parts" / "part_locs.txt"
    write_lines(path, ["1 1 77.0 9.0 1", *lines_of(path)[1:]])
    with pytest.warns(GeobenchWarning, match=r"image_id 1 \(001.*back at \(77, 9\) is outside the image \(1 such"):
        benchmark = build_benchmark(CARD, raw)
    assert benchmark.instances.keypoints[0, 0].tolist() == [77, 9]


@pytest.fixture(scope="module")
def subset():
    with pytest.warns(GeobenchWarning, match="lists 543 images; passed over: 11245 images"):
        return build_benchmark(CARD, SUBSET)


@pytest.mark.skipif(not SUBSET.is_dir(), reason="the CUB images are not on this machine")
class TestSubset:
    def test_it_builds_from_543_images(self, subset):
        assert len(subset.instances) == 543
        assert {name: len(pairs) for name, pairs in subset.splits.items()} == {
            "train": 4350,
            "test/same-species": 3076,
            "test/any-species": 9149,
        }
        assert not [name for name in subset.instances.image.tolist() if not (subset.image_root / name).is_file()]

    def test_left_and_right_are_those_of_the_bird(self, subset):
        """A bird with its left eye or wing alone in view faces left, so left is the bird's own."""
        table = subset.instances
        beak, tail = NAMES.index("beak"), NAMES.index("tail")
        faces_left = table.keypoints[:, beak, 0] < table.keypoints[:, tail, 0]
        for part in ("eye", "wing"):
            left, right = (table.visible[:, NAMES.index(f"{side}_{part}")] for side in ("left", "right"))
            known = table.visible[:, beak] & table.visible[:, tail]
            assert faces_left[known & left & ~right].mean() > 0.95
            assert faces_left[known & right & ~left].mean() < 0.07

    def test_parts_are_inside_their_images_and_boxes_start_at_zero(self, subset):
        table = subset.instances
        size = np.stack([table.width, table.height], axis=1)[:, None]
        inside = ((table.keypoints >= 0) & (table.keypoints < size)).all(axis=2)
        assert inside[table.visible].all()
        assert table.bbox[:, :2].min() == 0


@pytest.mark.skipif(not (SUBSET.is_dir() and PARTS.is_dir()), reason="the CUB annotations are not on this machine")
def test_published_counts_are_those_of_all_annotations(tmp_path):
    """images.txt of the release is not here; its lines are not needed to count, so these have made-up names."""
    root = shutil.copytree(PARTS, tmp_path / "CUB_200_2011")
    shutil.copy(SUBSET / "train_test_split.txt", root)
    write_lines(root / "images.txt", [f"{number} image_{number}.jpg" for number in range(1, 11789)])
    with pytest.warns(GeobenchWarning, match="11788 of 11788 images are absent"):
        benchmark = build_benchmark(CARD, tmp_path)
    found = {
        "images": len(set(benchmark.instances.image.tolist())),
        "categories": len(set(benchmark.instances.category.tolist())),
        "pairs": sum(map(len, benchmark.splits.values())),
        **benchmark.provenance["counts"],
    }
    assert found == CARD.expected
    assert len(benchmark.split("test/same-species")) == 81878

from __future__ import annotations

import pytest

from geobench.builders.options import BuildOptions, build_benchmark
from geobench.errors import GeobenchWarning, InputError, UsageError
from tests.builders.raw_cub_200 import CARD, card_with, lines_of, write_cub_200, write_lines

PARTS_FILE, LOCATIONS = "parts/parts.txt", "parts/part_locs.txt"


@pytest.fixture
def raw(tmp_path):
    return write_cub_200(tmp_path / "raw")


@pytest.mark.parametrize(
    ("file", "line", "text", "message"),
    [
        ("images.txt", 2, "2", r"line 2: has 1 field, expected 2 \(image_id, image_name\)"),
        ("images.txt", 2, "two a.jpg", 'line 2: image_id is "two", expected an integer'),
        ("images.txt", 2, "1 a.jpg", "line 2: image_id 1 is already in line 1"),
        ("images.txt", 2, "2 ../a.jpg", r'line 2: image_name "\.\./a\.jpg" is not a path inside'),
        ("classes.txt", 2, "1 X", "line 2: class_id 1 is already in line 1"),
        (
            "classes.txt",
            2,
            "2 001.Black_footed_Albatross",
            "line 2: class_name Black footed Albatross is already in line 1",
        ),
        ("classes.txt", 2, "2 7.Black_footed_Albatross", "line 2: class_name Black footed Albatross is already"),
        ("classes.txt", 2, "2 a/b", 'line 2: class_name "a/b" contains a path separator'),
        ("image_class_labels.txt", 4, "4 9", r"line 4: class_id 9 is not in classes\.txt"),
        ("image_class_labels.txt", 4, "3 1", "line 4: image_id 3 is already in line 3"),
        ("image_class_labels.txt", 4, "99 1", r"no line for image_id 4 of images\.txt \(1 such images\)"),
        ("bounding_boxes.txt", 1, "1 nan 2.0 9.0 9.0", 'line 1: x is "nan", expected a finite number'),
        ("bounding_boxes.txt", 1, "1 1.0 2.0 -9.0 9.0", "line 1: width is -9, expected more than 0"),
        ("bounding_boxes.txt", 1, "1 1.0 2.0 9.0 0.0", "line 1: height is 0, expected more than 0"),
        ("bounding_boxes.txt", 1, "1 1.0 2.0 9.0", "line 1: has 4 fields, expected 5"),
        ("bounding_boxes.txt", 1, "1 1.0 2.0 9e9 9.0", "line 1: width is 9e9, too large for an image"),
        ("train_test_split.txt", 5, "5 2", "line 5: is_training_image is 2, expected 0 or 1"),
        ("train_test_split.txt", 5, "5 ", "line 5: has 1 field, expected 2"),
        (PARTS_FILE, 7, "7 right eye", "part_name must be the names of the card, in its order"),
        (PARTS_FILE, 7, "6 left eye", "line 7: part_id 6 is already in line 6"),
        (LOCATIONS, 20, "2 5 inf 3.0 1", 'line 20: x is "inf", expected a finite number'),
        (LOCATIONS, 20, "2 5 3.0 3.0 2", "line 20: visible is 2, expected 0 or 1"),
        (LOCATIONS, 20, "2 16 3.0 3.0 1", r"line 20: part_id 16 is not in parts/parts\.txt"),
        (LOCATIONS, 20, "2 4 3.0 3.0 1", "line 20: part_id 4 of image_id 2 is already in line 19"),
        (LOCATIONS, 20, "2 5 3.0 3.0", "line 20: has 4 fields, expected 5"),
        (LOCATIONS, 20, "", r"no line for part_id 5 \(crown\) of image_id 2 \(1 such lines\)"),
    ],
)
def test_a_malformed_line_is_one_sentence(raw, file, line, text, message):
    path = raw / file
    lines = lines_of(path)
    lines[line - 1 : line] = [text]
    write_lines(path, lines)
    with pytest.raises(InputError, match=message) as caught:
        build_benchmark(CARD, raw)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_an_image_without_a_box_is_the_fault_of_the_boxes(raw):
    write_lines(raw / "images.txt", [*lines_of(raw / "images.txt"), "16 new.jpg"])
    with pytest.raises(InputError, match=r"bounding_boxes\.txt: no line for image_id 16 of images\.txt"):
        build_benchmark(CARD, raw)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"1 \xff\n", "not UTF-8 at byte 2"),
        (b"1 1\n2 0", "the last line has no line end, as if cut off"),
        (b"1 1\n", "no line for image_id 2"),
    ],
)
def test_a_file_that_is_cut_off_or_no_text_is_refused(raw, content, message):
    path = raw / "train_test_split.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        build_benchmark(CARD, raw)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("file", ["images.txt", PARTS_FILE, LOCATIONS, "bounding_boxes.txt"])
def test_an_absent_file_is_named(raw, file):
    (raw / file).unlink()
    with pytest.raises(InputError, match=f"{file}: no such file"):
        build_benchmark(CARD, raw)


def test_a_wrong_recipe_names_the_key(raw):
    with pytest.raises(InputError, match=r"\[splits\]: unknown key 'absent_image'; did you mean absent_images"):
        build_benchmark(card_with(absent_image="keep"), raw)


class TestPublishedPairLists:
    @pytest.fixture
    def lists(self, tmp_path):
        (tmp_path / "lists").mkdir()
        return tmp_path / "lists"

    def build(self, raw, lists, **options):
        return build_benchmark(CARD, raw, BuildOptions(pair_annotations=lists, **options))

    def test_they_replace_their_split_and_keep_their_order(self, raw, lists):
        write_lines(lists / "random_pairs.txt", ["9 2", "14 4", "2 14"])
        benchmark, without = self.build(raw, lists), build_benchmark(CARD, raw)
        pairs = benchmark.split("test/any-species")
        assert (pairs.source + 1).tolist() == [9, 14, 2]
        assert (pairs.target + 1).tolist() == [2, 4, 14]
        assert set(pairs.category.tolist()) == {"all"}
        same = benchmark.split("test/same-species")
        assert same.source.tolist() == without.split("test/same-species").source.tolist()
        assert "random_pairs.txt" in benchmark.provenance["source_sha256"]

    def test_pairs_of_one_species_are_counted_under_it(self, raw, lists):
        write_lines(lists / "class_pairs.txt", ["9 7"])
        assert self.build(raw, lists).split("test/same-species").category.tolist() == ["Laysan Albatross"]

    def test_repetitions_and_pairs_of_one_image_are_left_out_and_told(self, raw, lists):
        write_lines(lists / "random_pairs.txt", ["9 2", "9 2", "2 9", "4 4"])
        with pytest.warns(GeobenchWarning, match=r"random_pairs\.txt: 2 of 4 pairs are left out"):
            assert len(self.build(raw, lists).split("test/any-species")) == 2

    @pytest.mark.parametrize(
        ("file", "text", "message"),
        [
            ("random_pairs.txt", "2 99", "line 1: target 99 is not an image_id of the dataset"),
            ("random_pairs.txt", "0 2", "line 1: source 0 is not an image_id of the dataset"),
            ("random_pairs.txt", "2", "line 1: has 1 field, expected 2"),
            ("class_pairs.txt", "2 9", "line 1: joins Black footed Albatross and Laysan Albatross"),
            ("pairs.txt", "2 9", r"holds none of class_pairs\.txt, random_pairs\.txt"),
        ],
    )
    def test_malformed_ones_are_one_sentence(self, raw, lists, file, text, message):
        write_lines(lists / file, [text])
        with pytest.raises(InputError, match=message):
            self.build(raw, lists)

    def test_a_seed_has_no_use_beside_a_random_list(self, raw, lists):
        write_lines(lists / "random_pairs.txt", ["9 2"])
        with pytest.raises(UsageError, match="--seed draws test/any-species"):
            self.build(raw, lists, seed=3)

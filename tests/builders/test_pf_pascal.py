from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from geobench.benchmark import Benchmark
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.builders.pf_pascal_annotations import Annotation
from geobench.builders.pf_pascal_identity import rows_of_pair
from geobench.builders.pf_pascal_pairs import ListedPair
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning, InputError
from tests.builders.raw_pf_pascal import (
    CLASSES,
    FOLDER,
    HEAD,
    POINTS_HEAD,
    SIZE,
    bare,
    listed,
    write_annotation,
    write_list,
    write_pf_pascal,
)
from tests.conftest import SHARED

CARD = find_card("pf-pascal")
REAL = SHARED / "data" / "pf-pascal-csv"
FULL = np.arange(16.0).reshape(8, 2) + 2  # eight keypoints, as a bottle has


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_pf_pascal(tmp_path / "raw")


def build(source: Path, told: str = "", **options: bool) -> Benchmark:
    """Build; warnings that do not match ``told`` are errors (see conftest.py)."""
    with warnings.catch_warnings():
        if told:
            warnings.filterwarnings("ignore", f"(?s).*({told})", GeobenchWarning)
        return build_benchmark(CARD, source, BuildOptions(**options))


def kps(raw: Path, category: str, stem: str) -> np.ndarray:
    return np.asarray(scipy.io.loadmat(raw / FOLDER / "Annotations" / category / f"{stem}.mat")["kps"])


def test_an_image_is_one_instance_with_the_rows_of_its_file(raw: Path) -> None:
    table = build(raw).instances
    assert table.id.tolist() == sorted(f"{c}/{c}_{number}" for c in CLASSES for number in range(3))
    for row, name in enumerate(table.id):
        stored = kps(raw, *str(name).split("/"))
        visible = ~np.isnan(stored[:, 0])
        np.testing.assert_array_equal(table.visible[row, : len(stored)], visible)
        assert not table.visible[row, len(stored) :].any()
        np.testing.assert_array_equal(table.keypoints[row, : len(stored)][visible], stored[visible].astype(np.float32))
        assert table.bbox[row].tolist() == [1, 2, 79, 48]
        assert (table.width[row], table.height[row]) == SIZE


def test_pairs_are_those_of_the_lists_in_their_order(raw: Path) -> None:
    benchmark = build(raw)
    assert list(benchmark.splits) == ["train", "val", "test"]
    test, name = benchmark.split("test"), benchmark.instances.id
    wanted = [(f"{c}/{c}_{one}", f"{c}/{c}_{one + 1}") for c in CLASSES for one in range(2)]
    assert list(zip(name[test.source].tolist(), name[test.target].tolist(), strict=True)) == wanted
    assert test.category.tolist() == [category for category in CLASSES for _ in range(2)]
    assert test.attributes == {}
    train = benchmark.split("train")
    assert train.attributes["flip"].tolist() == [0, 1] * 6
    assert name[train.source[:2]].tolist() == ["bicycle/bicycle_1"] * 2
    assert train.mutual(benchmark).any(axis=1).all()


def test_no_annotations_tell_the_same_keypoints_to_match(raw: Path, tmp_path: Path) -> None:
    """Identity changes with the files, what is asked does not."""
    with_files = build(raw)
    shutil.rmtree(raw / FOLDER / "Annotations")
    without = build(raw, "no such annotation|which keypoint is which")
    for split in ("val", "test"):
        one, other = with_files.split(split), without.split(split)
        for row in range(len(one)):
            for end in ("source", "target"):
                a, b = getattr(one, end)[row], getattr(other, end)[row]
                first = with_files.instances.keypoints[a][one.mutual(with_files)[row]]
                second = without.instances.keypoints[b][other.mutual(without)[row]]
                np.testing.assert_allclose(first, second, atol=1e-4)
    assert not without.split("train").mutual(without).any()
    assert not without.split("train").geometry_aware(without).any()


def test_without_annotations_only_full_lists_have_names(tmp_path: Path) -> None:
    some = FULL.copy()
    some[[2, 5]] = np.nan
    marks = {("bottle", stem): (FULL if stem in "ab" else some) + 20 * n for n, stem in enumerate("abcdef")}
    pairs_listed = [listed(marks, "bottle", *ends) for ends in ("ab", "cb", "ef")]
    write_list(tmp_path / "test_pairs.csv", pairs_listed, POINTS_HEAD)
    benchmark = build(tmp_path, "no such annotation|line 3: which keypoint is which is unknown.*2 of 3|no such image")
    pairs = benchmark.split("test")
    mutual = pairs.mutual(benchmark)
    assert np.flatnonzero(mutual[0]).tolist() == list(range(8))
    for row in (1, 2):
        assert np.flatnonzero(mutual[row]).tolist() == [8, 9, 10, 11, 12, 13]
    skeleton = benchmark.skeleton("bottle")
    assert skeleton.names[8:] == tuple(f"unknown_{number}" for number in range(6))
    assert skeleton.mirror[8:] == tuple(range(8, 14))
    tags = pairs.geometry_aware(benchmark)
    assert tags[0].sum() == 8
    assert tags[1:].sum() == 0
    assert (benchmark.instances.width == 0).all()


marked = st.lists(st.booleans(), min_size=6, max_size=6)


@given(source=marked, target=marked, known=st.sampled_from([(), ("a",), ("b",), ("a", "b")]))
def test_a_row_that_is_told_is_the_right_one(source: list[bool], target: list[bool], known: tuple[str, ...]) -> None:
    place = {"a": np.arange(12.0).reshape(6, 2), "b": np.arange(12.0).reshape(6, 2) + 50}
    rows = np.flatnonzero(np.array(source) & np.array(target))
    files = {}
    for stem, visible in (("a", source), ("b", target)):
        points = np.where(np.array(visible)[:, None], place[stem], np.nan)
        files["x", stem] = Annotation(Path(stem), points, np.zeros(4))
    pair = ListedPair(2, "x", "a", "b", (place["a"][rows], place["b"][rows]), None)
    told = rows_of_pair(pair, {key: one for key, one in files.items() if key[1] in known}, 6)
    assert told == (tuple(rows.tolist()) if known or len(rows) == 6 else None)


def test_a_list_that_the_annotations_contradict_is_told_and_kept(raw: Path) -> None:
    moved = kps(raw, "cow", "cow_1")
    moved[0] += 3
    write_annotation(raw, "cow", "cow_1", moved)
    with pytest.warns(GeobenchWarning, match=r"test_pairs_pf_pascal\.csv: line 6: .*annotations do not .*\(2 of 6"):
        benchmark = build_benchmark(CARD, raw)
    pairs, name = benchmark.split("test"), benchmark.instances.id
    assert name[pairs.source[4]] == "cow/cow_0#test:6"
    assert np.flatnonzero(pairs.mutual(benchmark)[4]).min() == len(CARD.categories["cow"].names)
    assert not pairs.geometry_aware(benchmark)[4].any()


def test_a_pair_that_lists_fewer_keypoints_than_both_images_show_has_its_own_instances(raw: Path) -> None:
    path = raw / "test_pairs_pf_pascal.csv"
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], *(cell.split(";", 1)[1] for cell in cells[3:])])
    path.write_text("\n".join(lines) + "\n")
    benchmark, before = build(raw), np.flatnonzero(build(raw).split("val").mutual(build(raw))[0])
    pairs = benchmark.split("test")
    assert benchmark.instances.id[pairs.source[0]] == "bicycle/bicycle_0#test:2"
    assert np.flatnonzero(pairs.mutual(benchmark)[0]).tolist() == before[1:].tolist()


def test_rows_that_the_card_does_not_name_are_told_and_kept(raw: Path) -> None:
    points = np.concatenate([kps(raw, "bottle", "bottle_0"), [[9.0, 9.0]]])
    write_annotation(raw, "bottle", "bottle_0", points)
    with pytest.warns(GeobenchWarning, match=r"bottle_0\.mat: kps has 9 rows, but the card names 8"):
        benchmark = build_benchmark(CARD, raw)
    assert benchmark.skeleton("bottle").names[8:] == ("row_8",)
    assert benchmark.skeleton("cow") == CARD.skeletons()["cow"]


def test_a_keypoint_outside_its_image_is_told_and_kept(raw: Path) -> None:
    points = kps(raw, "bottle", "bottle_3")
    points[0] = (200, 3)
    write_annotation(raw, "bottle", "bottle_3", points)
    write_list(raw / "test_pairs_pf_pascal.csv", [bare("bottle", "bottle_3", "bottle_0")], HEAD)
    with pytest.warns(GeobenchWarning, match=r"bottle_3\.jpg: keypoint 0 of bottle/bottle_3 at \(200, 3\) is outside"):
        assert build_benchmark(CARD, raw).instances.keypoints.max() == 200


def test_lists_may_be_in_either_folder_and_have_either_name(raw: Path) -> None:
    before = build(raw).fingerprint
    for split in ("train", "val", "test"):
        (raw / f"{split}_pairs_pf_pascal.csv").rename(raw / FOLDER / f"{split}_pairs.csv")
    assert build(raw).fingerprint == build(raw / FOLDER).fingerprint == before


def _lines(*lines: str, head: str = HEAD) -> Callable[[Path], None]:
    return lambda raw: write_list(raw / "test_pairs_pf_pascal.csv", list(lines), head)


def _content(content: bytes) -> Callable[[Path], None]:
    return lambda raw: (raw / "test_pairs_pf_pascal.csv").write_bytes(content) and None


def _mat(points: np.ndarray, box: tuple[float, ...] = (1, 2, 80, 50)) -> Callable[[Path], None]:
    return lambda raw: write_annotation(raw, "cow", "cow_0", points, box) and None


def _mat_content(content: bytes) -> Callable[[Path], None]:
    return lambda raw: (raw / FOLDER / "Annotations" / "cow" / "cow_0.mat").write_bytes(content) and None


def _second_list(raw: Path) -> None:
    shutil.copy(raw / "test_pairs_pf_pascal.csv", raw / FOLDER / "test_pairs.csv")


def _no_lists(raw: Path) -> None:
    for path in raw.glob("*.csv"):
        path.unlink()


A, B = "cow_0", "cow_1"
PAIR = bare("cow", A, B)
COW = np.ones((16, 2))
HALF = np.where(np.arange(32).reshape(16, 2) == 9, np.nan, 1.0)
MATLAB_73 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n".ljust(512)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(
            _lines(f"{PAIR},1;2,3;4,5;6,7", head=POINTS_HEAD), r"line 2: YB has 1 numbers, XA has 2", id="short"
        ),
        pytest.param(_lines(f"{PAIR},1;2,3;4,5;6", head=POINTS_HEAD), r"line 2: has 6 fields, expected 7", id="fields"),
        pytest.param(_lines(f"{PAIR},nan,3,5,6", head=POINTS_HEAD), r'line 2: XA has "nan"', id="nan"),
        pytest.param(_lines(f"{PAIR},1,,5,6", head=POINTS_HEAD), r'line 2: YA has ""', id="no number"),
        pytest.param(
            _lines(f"{PAIR},{','.join([';'.join('1' * 17)] * 4)}", head=POINTS_HEAD),
            r"line 2: lists 17 keypoints, but cow has 16",
            id="more than rows",
        ),
        pytest.param(_lines(PAIR.replace(",10", ",21")), r'line 2: class is "21", expected 1 to 20', id="class"),
        pytest.param(_lines(PAIR, PAIR), r"line 3: the pair is already in line 2", id="repeated"),
        pytest.param(_lines(bare("cow", A, A)), r"line 2: joins cow_0 with itself", id="itself"),
        pytest.param(
            _lines(PAIR.replace(".jpg", ".gif", 1)), r"line 2: source_image is .*expected the path", id="kind"
        ),
        pytest.param(_lines(f"{PAIR},2", head=f"{HEAD},flip"), r'line 2: flip is "2", expected 0 or 1', id="flip"),
        pytest.param(_lines(head=HEAD), r"csv: lists no pair", id="no pair"),
        pytest.param(_lines("x,y", head="a,b"), r"csv: the first line is \"a,b\"", id="head"),
        pytest.param(_content(f"{HEAD}\n{PAIR}".encode()), r"csv: cut off: the last line", id="cut off"),
        pytest.param(
            _content(f"{HEAD}\n\xff{PAIR}\n".encode("latin-1")),
            r"csv: not a readable list of pairs \(not UTF-8 at byte 32",
            id="utf-8",
        ),
        pytest.param(
            _content(f'{HEAD}\n"{PAIR}\n'.encode()), r"csv: not a readable list of pairs \(unexpected end", id="quote"
        ),
        pytest.param(_second_list, r"there is also .*keep the one test list to use", id="two lists"),
        pytest.param(_no_lists, r"holds no test_pairs\.csv", id="no lists"),
        pytest.param(_mat(np.ones((2, 16))), r"cow_0\.mat: kps is .*shape \(2, 16\), expected .*\(n, 2\)", id="shape"),
        pytest.param(_mat(HALF), r"cow_0\.mat: kps: keypoint 4 has one coordinate only", id="half"),
        pytest.param(_mat(COW * np.inf), r"cow_0\.mat: kps: keypoint 0 is not a position", id="infinite"),
        pytest.param(_mat(COW, (9, 9, 1, 20)), r"cow_0\.mat: bbox has a negative width or height", id="negative box"),
        pytest.param(_mat(COW, (1, 1, np.nan, 20)), r"cow_0\.mat: bbox is not one row of four", id="nan box"),
        pytest.param(_mat(COW, (1, 1, 9)), r"cow_0\.mat: bbox is .*shape \(1, 3\)", id="short box"),
        pytest.param(_mat_content(b""), r"cow_0\.mat: not a readable MATLAB file", id="empty mat"),
        pytest.param(_mat_content(MATLAB_73), r"cow_0\.mat: a MATLAB 7\.3 file", id="mat 7.3"),
    ],
)
def test_malformed_input_is_one_sentence(raw: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(raw)
    with pytest.raises(InputError, match=message) as caught:
        build(raw)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    source = tmp_path_factory.mktemp("pf-pascal")
    for split in ("train", "val", "test"):
        shutil.copy(REAL / f"{split}_pairs.csv", source)
    return build(source, "no such annotation|no such image|which keypoint is which is unknown.*229 of 299")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real lists of PF-Pascal are not on this machine")
class TestReal:
    def test_counts_are_those_of_the_card(self, real: Benchmark) -> None:
        counts = {f"pairs_{split}": len(pairs) for split, pairs in real.splits.items()}
        assert counts | {"categories": len(real.skeletons)} == CARD.expected
        test = real.split("test")
        mutual = test.mutual(real).sum(axis=1)
        assert (mutual.sum(), mutual.min(), mutual.max()) == (2414, 4, 17)
        assert len(np.unique(real.instances.image[np.concatenate([test.source, test.target])])) == 506

    def test_names_hold_of_the_keypoints_that_are_known(self, real: Benchmark) -> None:
        """A few things that the names say are true of all instances where both keypoints are known."""
        above = {"bottle": ("left_top", "left_base"), "bicycle": ("seat_base", "back_wheel_centre")}
        above |= {"pottedplant": ("left_rim", "left_base"), "chair": ("left_backrest_top", "left_seat_back")}
        above |= {"cow": ("withers", "left_front_paw"), "motorbike": ("handle_centre", "front_wheel_centre")}
        table = real.instances
        for category, (upper, lower) in above.items():
            names = CARD.categories[category].names
            both = table.visible[:, [names.index(upper), names.index(lower)]].all(axis=1) & (table.category == category)
            height = table.keypoints[both][:, [names.index(upper), names.index(lower)], 1]
            assert len(height) >= 4
            assert (height[:, 0] < height[:, 1]).mean() >= (0.75 if category == "bottle" else 1), category

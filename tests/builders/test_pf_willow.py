from __future__ import annotations

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from geobench.builders.matlab import read_points
from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import find_card
from geobench.errors import GeobenchError, GeobenchWarning, InputError, UsageError
from geobench.storage import load_benchmark_folder
from tests.builders.raw_pf_willow import CLASSES, POINTS_HEAD, SIZE, write_official_list, write_pf_willow, write_points
from tests.conftest import SHARED

CARD = find_card("pf-willow")
REAL = SHARED / "data" / "pf-willow"


def build(source, options=None):
    """Build, letting the notice about absent classes pass: the miniature has three of ten."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*of 10 classes", category=GeobenchWarning)
        return build_benchmark(CARD, source, options)


@pytest.fixture
def raw(tmp_path):
    return write_pf_willow(tmp_path / "raw")


def test_rows_hold_what_the_files_hold(raw):
    table = build(raw).instances
    assert table.id.tolist() == sorted(table.id.tolist())
    assert len(table) == 9
    stored = scipy.io.loadmat(raw / "duck(S)" / "duc_001.mat")["pts_coord"]
    row = table.id.tolist().index("duck(S)/duc_001")
    np.testing.assert_array_equal(table.keypoints[row], stored.T.astype(np.float32))
    assert (table.width[row], table.height[row]) == SIZE
    assert (table.image[row], table.category[row], table.family[row]) == ("duck(S)/duc_001.png", "duck(S)", "duck")
    assert (table.visibility == 2).all()


def test_box_is_the_box_of_the_keypoints(raw):
    table = build(raw).instances
    low, high = table.keypoints.min(axis=1), table.keypoints.max(axis=1)
    np.testing.assert_array_equal(table.bbox, np.concatenate([low, high - low], axis=1))
    np.testing.assert_array_equal(table.bbox[:, 2:].max(axis=1), (high - low).max(axis=1))
    assert (np.maximum(*table.image_sizes()) == max(SIZE)).all()


def test_pairs_are_all_ordered_pairs_within_a_class(raw):
    benchmark = build(raw)
    pairs, table = benchmark.split("test"), benchmark.instances
    expected = [(i, j) for i in range(9) for j in range(9) if i != j and table.category[i] == table.category[j]]
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == expected
    assert set(benchmark.splits) == {"test"}
    assert pairs.mutual(benchmark).all()


def test_subgroups_follow_the_kind_of_object(raw):
    benchmark = build(raw)
    pairs = benchmark.split("test")
    tags = pairs.geometry_aware(benchmark)
    assert set(benchmark.skeletons) == set(CLASSES)
    assert tags[pairs.category == "winebottle(wC)"].all()
    assert not tags[pairs.category == "duck(S)"].any()
    np.testing.assert_array_equal(np.flatnonzero(tags[pairs.category == "car(G)"].all(axis=0)), [0, 1])


def test_a_flip_swaps_left_and_right_of_bottles_only(raw):
    skeletons = build(raw).skeletons
    assert skeletons["car(G)"].mirror == skeletons["duck(S)"].mirror == tuple(range(10))
    bottle = skeletons["winebottle(wC)"]
    swapped = [name.translate({}).replace("left", "*").replace("right", "left") for name in bottle.names]
    assert [bottle.names[i] for i in bottle.mirror] == [name.replace("*", "right") for name in swapped]


@pytest.mark.parametrize("header", ["source_image,target_image", "imageA,imageB"])
@pytest.mark.parametrize("prefix", ["", "PF-dataset/"])
def test_a_pair_list_gives_the_pairs_in_its_order(raw, header, prefix):
    listed = [("car(G)/car_002.png", "car(G)/car_000.png"), ("duck(S)/duc_001.png", "duck(S)/duc_002.png")]
    lines = [header + ",note", *(f"{prefix}{one},{prefix}{other},1.5" for one, other in listed)]
    (raw / "pairs.csv").write_text("\n".join(lines) + "\n")
    benchmark = build(raw)
    pairs, image = benchmark.split("test"), benchmark.instances.image
    assert list(zip(image[pairs.source], image[pairs.target], strict=True)) == listed
    assert benchmark.provenance["pairs"] == "pairs.csv"


def test_a_full_pair_list_gives_the_fingerprint_of_no_list(raw):
    without = build(raw)
    pairs, image = without.split("test"), without.instances.image
    frame = pd.DataFrame({"source_image": image[pairs.source], "target_image": image[pairs.target]})
    frame.to_csv(raw / "pairs.csv", index=False)
    assert build(raw).fingerprint == without.fingerprint


def test_the_official_list_gives_the_fingerprint_of_no_list(raw):
    without = build(raw)
    write_official_list(raw, raw / "test_pairs_pf.csv")
    benchmark = build(raw)
    assert benchmark.fingerprint == without.fingerprint
    assert len((raw / "test_pairs_pf.csv").read_text().splitlines()[1].split(",")) == 42
    assert benchmark.provenance["pairs"] == "test_pairs_pf.csv"


def test_listed_keypoints_that_are_not_those_of_the_files_are_told(raw):
    path = write_official_list(raw, raw / "test_pairs.csv")
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[23] = str(float(cells[23]) + 2)  # XB2
    path.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    with pytest.warns(GeobenchWarning, match=r"test_pairs\.csv: line 4: keypoint 1 of .*\(1 such keypoints\)"):
        build(raw)


def test_order_and_place_of_the_files_do_not_matter(raw, tmp_path):
    copy = tmp_path / "elsewhere" / "PF-dataset"
    for path in sorted(raw.rglob("*.*"), reverse=True):
        target = copy / path.relative_to(raw)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert build(copy.parent).fingerprint == build(raw).fingerprint


def test_saves_and_loads(raw, tmp_path):
    benchmark = build(raw)
    assert load_benchmark_folder(benchmark.save(tmp_path / "out")).fingerprint == benchmark.fingerprint


def test_a_moved_keypoint_changes_the_fingerprint(raw):
    before = build(raw).fingerprint
    path = raw / "car(G)" / "car_000.mat"
    points = scipy.io.loadmat(path)["pts_coord"]
    points[0, 0] += 0.5
    write_points(path, points)
    assert build(raw).fingerprint != before


def test_absent_classes_are_told(raw):
    with pytest.warns(GeobenchWarning, match=r"holds 3 of 10 classes; without car\(M\)"):
        benchmark = build_benchmark(CARD, raw)
    assert len(benchmark.provenance["warnings"]) == 1


def test_a_keypoint_outside_its_image_is_told_and_kept(raw):
    path = raw / "car(G)" / "car_001.mat"
    points = scipy.io.loadmat(path)["pts_coord"]
    points[0, 4] = SIZE[0] + 7
    write_points(path, points)
    with pytest.warns(GeobenchWarning, match=r"car_001.mat: pts_coord: keypoint 4 at \(67, .*outside the 60x40 image"):
        benchmark = build(raw)
    assert benchmark.instances.keypoints[1, 4, 0] == SIZE[0] + 7


def _rename_class(raw):
    (raw / "duck(S)").rename(raw / "duck(X)")


def _no_keypoints(raw):
    (raw / "car(G)" / "car_001.mat").unlink()


def _no_image(raw):
    (raw / "car(G)" / "car_001.png").unlink()


def _empty_class(raw):
    for path in (raw / "car(G)").iterdir():
        path.unlink()


def _broken_image(raw):
    (raw / "car(G)" / "car_001.png").write_bytes(b"not an image")


def _points(points):
    def damage(raw):
        write_points(raw / "car(G)" / "car_001.mat", points)

    return damage


def _mat_bytes(content):
    def damage(raw):
        (raw / "car(G)" / "car_001.mat").write_bytes(content)

    return damage


def _other_field(raw):
    scipy.io.savemat(raw / "car(G)" / "car_001.mat", {"points": np.ones((2, 10))})


def _one_nan(raw):
    points = np.ones((2, 10))
    points[1, 3] = np.nan
    write_points(raw / "car(G)" / "car_001.mat", points)


def _two_lists(raw):
    for name in ("a.csv", "b.csv"):
        (raw / name).write_text("source_image,target_image\n")


def _list(text):
    def damage(raw):
        (raw / "pairs.csv").write_bytes(text.encode() if isinstance(text, str) else text)

    return damage


HEAD, A, B, DUCK = "source_image,target_image\n", "car(G)/car_000.png", "car(G)/car_001.png", "duck(S)/duc_000.png"
MATLAB_73 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n".ljust(512)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_rename_class, r"duck\(X\): not a class of PF-Willow; did you mean duck\(S\)"),
        (_no_keypoints, r"car_001\.mat: no such keypoint file"),
        (_no_image, r"car_001\.png: no such image"),
        (_empty_class, r"car\(G\): holds no images"),
        (_broken_image, r"car_001\.png: not a readable image"),
        (_points(np.ones((10, 2))), r"car_001\.mat: pts_coord is .*shape \(10, 2\), expected .*\(2, 10\)"),
        (_points(np.ones((2, 9))), r"shape \(2, 9\)"),
        (_points(np.array([["x"] * 10] * 2)), r"pts_coord is .*expected numbers"),
        (_points(np.ones((2, 10))), r"all keypoints are one point"),
        (_one_nan, r"car_001\.mat: pts_coord: keypoint 3 is not finite"),
        (_points(np.full((2, 10), 1e300)), r"keypoint 0 is not finite"),
        (_other_field, r"required field pts_coord is missing"),
        (_mat_bytes(b""), r"car_001\.mat: not a readable MATLAB file"),
        (_mat_bytes(b"\x00" * 200), r"not a readable MATLAB file|required field"),
        (_mat_bytes(MATLAB_73), r"MATLAB 7\.3 file"),
        (_two_lists, r"holds several pair lists \(a\.csv, b\.csv\)"),
        (_list(""), r"pairs\.csv: not a readable pair list"),
        (_list("source_image\nx\n"), r"pairs\.csv: not a readable pair list"),
        (_list(b"source_image,target_image\n\xff\xfe,x\n"), r"pairs\.csv: not a readable pair list"),
        (_list(f"{HEAD}{A},car(G)/nobody.png\n"), r"line 2: no image 'car\(G\)/nobody\.png'"),
        (_list(f"{HEAD}{A},\n"), r"line 2: no image ''"),
        (_list(f"{HEAD}{A},{B}\n{A},{DUCK}\n"), r"line 3: the pair joins images of two classes"),
        (_list(f"{HEAD}{A},{B},1\n"), r"pairs\.csv: line 2: has 3 fields, expected 2"),
        (_list(f"source_image,target_image,XA1\n{A},{B},1\n"), r"line 2: has 1 coordinates, expected 40"),
        (_list(f"{POINTS_HEAD}\n{A},{B}{',1' * 39},nan\n"), r'line 2: "nan" is not a coordinate'),
        (_list(f"{HEAD[:-1]},XA,YA,XB,YB\n{A},{B},1;2,3,4,5\n"), r"line 2: has 5 coordinates, expected 40"),
        (_list(f"{HEAD}{A},{A}\n"), r"line 2: the pair joins an image with itself"),
        (_list(f"{HEAD}{A},{B}\n{B},{A}\n{A},{B}\n"), r"line 4: the pair is a repetition"),
    ],
)
def test_malformed_input_is_one_sentence(raw, damage, message):
    damage(raw)
    with pytest.raises(InputError, match=message):
        build(raw)


def test_a_folder_without_classes_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="holds none of the class folders"):
        build(tmp_path)


def test_options_it_does_not_have_are_refused(raw):
    with pytest.raises(UsageError, match="--seed"):
        build(raw, BuildOptions(seed=1))
    assert len(build(raw, BuildOptions(require_images=True)).instances) == 9


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_mat_file_never_ends_in_a_traceback(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "x.mat"
    write_points(path, np.arange(20.0).reshape(2, 10))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            points = read_points(path, "pts_coord", 10)
        except GeobenchError:
            return
    assert points.shape == (10, 2)
    assert np.isfinite(points).all()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real PF-Willow is not on this machine")
class TestReal:
    def test_counts_are_those_of_the_card(self):
        benchmark = build_benchmark(CARD, REAL)
        assert len(benchmark.instances) == CARD.expected["images"] == 100
        assert len(benchmark.split("test")) == CARD.expected["pairs"] == 900
        assert len(benchmark.skeletons) == CARD.expected["categories"] == 10
        assert not benchmark.provenance["warnings"]

    def test_pairs_are_the_recovered_list_in_its_order_with_and_without_it(self, tmp_path):
        listed = pd.read_csv(REAL / "pairs_900_recovered.csv")
        without = tmp_path / "raw"
        without.mkdir()
        for folder in sorted(path for path in REAL.iterdir() if path.is_dir()):
            (without / folder.name).symlink_to(folder)
        with_list, computed = build_benchmark(CARD, REAL), build_benchmark(CARD, without)
        for benchmark in (with_list, computed):
            pairs, image = benchmark.split("test"), benchmark.instances.image
            assert image[pairs.source].tolist() == listed["source_image"].tolist()
            assert image[pairs.target].tolist() == listed["target_image"].tolist()
        assert with_list.fingerprint == computed.fingerprint

    def test_names_hold_on_every_image(self):
        """What the names claim of left, right, front and rear is true of all 100 images."""
        benchmark = build_benchmark(CARD, REAL)
        for claims in (
            {"car": ("rear_wheel", "front_wheel"), "motorbike": ("rear_wheel", "front_wheel")},
            {"duck": ("tail_tip", "beak_tip"), "winebottle": ("mouth_left", "mouth_right")},
            {"winebottle": ("neck_left", "neck_right")},
            {"winebottle": ("shoulder_left", "shoulder_right")},
            {"winebottle": ("body_left", "body_right")},
            {"winebottle": ("base_left", "base_right")},
        ):
            for kind, (left, right) in claims.items():
                rows = np.flatnonzero(benchmark.instances.family == kind)
                names = benchmark.skeleton(str(benchmark.instances.category[rows[0]])).names
                x = benchmark.instances.keypoints[rows, :, 0]
                assert (x[:, names.index(left)] < x[:, names.index(right)]).all()

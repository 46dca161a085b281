"""SPair-71k: raw keypoint ids, lists of pairs, difficulty flags, and the real lists where they are at hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from geobench.builders.options import BuildOptions, build_benchmark
from geobench.builders.spair_images import SpairLayout
from geobench.builders.spair_pairs import FLAGS, read_pair_names
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning, InputError
from tests.builders.raw_spair71k import CATEGORIES, UNUSED, write_spair71k
from tests.evaluation.geoaware_goldens import golden

SHARED = Path(__file__).parents[3] / "shared" / "data"
CARD = find_card("spair71k")


def test_subgroups_and_partners_are_the_authors_by_raw_id() -> None:
    tables = golden("index_tables")
    for category, skeleton in CARD.skeletons().items():
        groups = {tuple(sorted(block)) for block in tables["geo_groups"][category] if isinstance(block, list)}
        couples = {tuple(sorted(block)) for block in tables["flip_lists_train"][category] if isinstance(block, list)}
        assert {tuple(sorted(members)) for members in skeleton.groups.values()} == groups
        assert {(i, j) for i, j in enumerate(skeleton.mirror) if i < j} == couples
        for slot in UNUSED.get(category, ()):
            assert skeleton.names[slot] == f"unused_{slot}"


def test_keypoints_keep_their_raw_ids(tmp_path: Path) -> None:
    source = write_spair71k(tmp_path)
    made = build_benchmark(CARD, source)
    for row in range(len(made.instances)):
        category, stem = str(made.instances.id[row]).split("/")
        raw = json.loads((source / "SPair-71k" / "ImageAnnotation" / category / f"{stem}.json").read_text())
        for slot, point in raw["kps"].items():
            assert bool(made.instances.visible[row, int(slot)]) == (point is not None)
            if point is not None:
                assert made.instances.keypoints[row, int(slot)].tolist() == point
        x1, y1, x2, y2 = raw["bndbox"]
        assert made.instances.bbox[row].tolist() == [x1, y1, x2 - x1, y2 - y1]
        assert made.instances.azimuth[row] == 45 * raw["azimuth_id"]


def test_both_lists_and_none(tmp_path: Path) -> None:
    source = write_spair71k(tmp_path)
    large = build_benchmark(CARD, source)
    small = build_benchmark(CARD, source, BuildOptions(layout="small"))
    assert {name: len(pairs) for name, pairs in large.splits.items()} == {"train": 18, "val": 6, "test": 18}
    assert {name: len(pairs) for name, pairs in small.splits.items()} == {"train": 6, "val": 2, "test": 6}
    (source / "SPair-71k" / "Layout").rename(source / "elsewhere")
    without = build_benchmark(CARD, source)
    ends = [np.sort(b.split("test").source * 100 + b.split("test").target) for b in (large, without)]
    np.testing.assert_array_equal(ends[0], ends[1])


def test_difficulty_flags_follow_their_pairs(tmp_path: Path) -> None:
    source = write_spair71k(tmp_path)
    made = build_benchmark(CARD, source, BuildOptions(layout="small"))
    pairs = made.split("test")
    assert set(pairs.attributes) == set(FLAGS)
    folder = source / "SPair-71k" / "PairAnnotation" / "test"
    for n, (s, t) in enumerate(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)):
        stems = [str(made.instances.id[row]).split("/")[1] for row in (s, t)]
        (path,) = folder.glob(f"*-{stems[0]}-{stems[1]}:{pairs.category[n]}.json")
        raw = json.loads(path.read_text())
        assert {flag: int(pairs.attributes[flag][n]) for flag in FLAGS} == {flag: raw[flag] for flag in FLAGS}


def test_a_pair_file_that_contradicts_the_images_is_told(tmp_path: Path) -> None:
    source = write_spair71k(tmp_path)
    path = sorted((source / "SPair-71k" / "PairAnnotation" / "val").iterdir())[0]
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"kps_ids": raw["kps_ids"][1:]}))
    with pytest.warns(GeobenchWarning, match=r"kps_ids are not the keypoints .* \(1 such pairs\)"):
        build_benchmark(CARD, source)


def _change(source: Path, folder: str, **changes: object) -> Path:
    path = sorted((source / "SPair-71k" / folder).rglob("*.json"))[0]
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


@pytest.mark.parametrize(
    ("folder", "changes", "sentence"),
    [
        ("ImageAnnotation", {"bndbox": [5, 5, 2, 9]}, "bndbox .* is not x1, y1, x2, y2"),
        ("ImageAnnotation", {"image_width": 0}, "image_width is 0, expected at least 1"),
        ("ImageAnnotation", {"azimuth_id": 8}, "azimuth_id is 8, expected"),
        ("ImageAnnotation", {"kps": None}, "kps is null, expected an object"),
        ("ImageAnnotation", {"kps": {"0": [1]}}, r"kps 0 is \[1\], expected"),
        ("ImageAnnotation", {"kps": {"nose": [1, 2]}}, 'kps: "nose" is not a keypoint number'),
        ("ImageAnnotation", {"kps": {"29": [1, 2]}}, "kps 29 is annotated, the card has 14 keypoints"),
        ("ImageAnnotation", {"kps": {"0": [float("nan"), 2]}}, r"NaN"),
        ("PairAnnotation", {"src_imname": "x.jpg"}, 'src_imname is "x.jpg", its name says'),
        ("PairAnnotation", {"truncation": 4}, "truncation is 4, expected at most 3"),
        ("PairAnnotation", {"kps_ids": ["a"]}, "kps_ids is .* expected a list of keypoint numbers"),
    ],
)
def test_a_malformed_record_names_file_and_field(tmp_path: Path, folder: str, changes: dict, sentence: str) -> None:
    source = write_spair71k(tmp_path)
    path = _change(source, folder, **changes)
    with pytest.raises(InputError, match=sentence) as refused:
        build_benchmark(CARD, source)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("000001-2008_000003-2008_000004_zebra", "unknown category 'zebra'"),
        ("nonsense", "line 1: .* is not number-source-target_category"),
        ("000001-2008_000003-2008_000009_bus", "2008_000009.json: no such file"),
    ],
)
def test_a_malformed_line_of_a_list(tmp_path: Path, line: str, sentence: str) -> None:
    source = write_spair71k(tmp_path)
    (source / "SPair-71k" / "Layout" / "large" / "test.txt").write_text(line + "\n")
    with pytest.raises(InputError, match=sentence):
        build_benchmark(CARD, source)
    (source / "SPair-71k" / "Layout" / "large" / "test.txt").write_text("000001-2008_000003-2008_000004_bus\n" * 2)
    with pytest.raises(InputError, match=r"line 2: .* is already in line 1"):
        build_benchmark(CARD, source)


@pytest.mark.skipif(not (SHARED / "spair-layout").is_dir(), reason="needs ../shared")
@pytest.mark.parametrize(("size", "counts"), [("large", (53340, 5384, 12234)), ("small", (10652, 1070, 2438))])
def test_the_real_lists_have_the_published_number_of_pairs(tmp_path: Path, size: str, counts: tuple[int, ...]) -> None:
    (tmp_path / "Layout").symlink_to(SHARED / "spair-layout")
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        pairs = read_pair_names(tmp_path, split, size, SpairLayout())
        assert len(pairs) == count
        assert set(Counter(pair.category for pair in pairs)) == set(CARD.categories)
        if size == "large":
            assert CARD.expected[f"pairs_{split}"] == count


@pytest.mark.skipif(not (SHARED / "spair-native-samples").is_dir(), reason="needs ../shared")
def test_a_native_annotation_is_read(tmp_path: Path) -> None:
    samples = SHARED / "spair-native-samples"
    image = json.loads((samples / "ImageAnnotation_aeroplane_2008_002719.json").read_text())
    folder = tmp_path / "ImageAnnotation" / "aeroplane"
    folder.mkdir(parents=True)
    for stem in ("2008_002719", "2008_004100"):  # the second image's own annotation is not at hand
        (folder / f"{stem}.json").write_text(json.dumps(image))
    (tmp_path / "PairAnnotation" / "test").mkdir(parents=True)
    name = "000001-2008_002719-2008_004100:aeroplane.json"
    (tmp_path / "PairAnnotation" / "test" / name).write_text((samples / name.replace(":", "_")).read_text())
    with pytest.warns(GeobenchWarning):
        made = build_benchmark(CARD, tmp_path)
    assert int(made.instances.visible[0].sum()) == sum(point is not None for point in image["kps"].values())
    assert {k: int(v[0]) for k, v in made.split("test").attributes.items()} == {
        "mirror": 0,
        "viewpoint_variation": 0,
        "scale_variation": 0,
        "truncation": 2,
        "occlusion": 2,
    }


def test_loader_goldens(tmp_path: Path) -> None:
    """The goldens' SPair-71k in its raw layout gives the authors' images, pairs and visible keypoints."""
    files = golden("datasets")["files"]
    for path, content in files.items():
        if path.startswith("data/SPair-71k/"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(json.dumps(content))
    with pytest.warns(GeobenchWarning, match="images of the pairs are absent"):
        made = build_benchmark(CARD, tmp_path / "data")
    for run in (r for r in golden("pck_runs")["runs"].values() if r["settings"].get("EVAL_DATASET") == "spair"):
        if run["settings"].get("TEST_SAMPLE") or run["split"] not in made.splits:
            continue
        pairs = made.split(run["split"])
        ids = [[str(made.instances.image[row]) for row in rows] for rows in (pairs.source, pairs.target)]
        ours = sorted(zip(*ids, pairs.mutual(made).sum(axis=1).tolist(), strict=True))
        theirs = sorted((_below(p["src"]), _below(p["trg"]), len(p["vis"])) for p in run["pairs"])
        assert ours == theirs


def _below(path: str) -> str:
    return path[path.index("JPEGImages") :]


def test_categories_of_the_miniature_are_on_the_card() -> None:
    assert set(CATEGORIES) <= set(CARD.categories)
    assert np.array_equal(sorted(UNUSED), ["bicycle", "bus"])

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from geobench.builders.options import BuildOptions, build_benchmark
from geobench.catalog import find_card
from geobench.errors import GeobenchWarning, InputError
from geobench.flow_file import read_flow
from tests.builders.raw_tss import PAIRS, flo_bytes, write_tss

CARD = find_card("tss")
FIRST = "FG3DCar/001_005"


@pytest.fixture
def raw(tmp_path):
    return write_tss(tmp_path / "raw")


def test_both_directions_of_every_pair_and_whether_it_is_mirrored(raw):
    benchmark = build_benchmark(CARD, raw)
    pairs, ids = benchmark.split("test"), benchmark.instances.id
    expected = [(f"{p}/{n}/{a}", f"{p}/{n}/{b}") for p, n in PAIRS for a, b in ((1, 2), (2, 1))]
    assert [*zip(ids[pairs.source].tolist(), ids[pairs.target].tolist(), strict=True)] == expected
    assert pairs.category.tolist() == [part for part, _ in PAIRS for _ in (1, 2)]
    assert pairs.attributes["flip"].tolist() == [0] * 6 + [1] * 2
    assert benchmark.recipe["truth"] == "flow"


def test_rows_name_their_flow_and_mask_and_have_their_sizes_and_boxes(raw):
    benchmark = build_benchmark(CARD, raw)
    table = benchmark.instances
    for row, name in enumerate(table.id.tolist()):
        folder, number = name.rsplit("/", 1)
        assert table.record[row] == f"{folder}/flow{number}.flo"
        mask = np.array(Image.open(raw / folder / f"mask{number}.png")) > 0
        assert (table.width[row], table.height[row]) == mask.shape[::-1]
        rows, columns = np.nonzero(mask)
        x, y, width, height = table.bbox[row].tolist()
        assert (x, y, x + width - 1, y + height - 1) == (columns.min(), rows.min(), columns.max(), rows.max())
        np.testing.assert_array_equal(benchmark.picture(row).mask, mask)


def test_keypoints_are_pixel_centres_and_where_the_flow_leads(raw):
    benchmark = build_benchmark(CARD, raw)
    points, records = benchmark.instances.keypoints, benchmark.instances.record
    for row in range(0, len(records), 2):
        for own, other, columns in ((row, row + 1, slice(0, 10)), (row + 1, row, slice(10, 20))):
            flow = read_flow(raw / str(records[own]))
            for start, end in zip(points[own, columns], points[other, columns], strict=True):
                column, line = (start - 0.5).astype(int)
                assert (start - 0.5).tolist() == [column, line]
                np.testing.assert_allclose(end, start + flow[line, column], atol=1e-5)


def test_content_of_flows_and_masks_is_in_the_fingerprint(raw):
    before = build_benchmark(CARD, raw).fingerprint
    flow = read_flow(raw / FIRST / "flow1.flo")
    known = np.argwhere(flow[..., 0] < 1e9)[1]  # not one of the pixels that are keypoints
    flow[tuple(known)] += 1
    (raw / FIRST / "flow1.flo").write_bytes(flo_bytes(flow))
    after = build_benchmark(CARD, raw)
    assert after.fingerprint != before


def test_folders_of_the_archive_and_of_the_kit(raw, tmp_path):
    expected = build_benchmark(CARD, raw).fingerprint
    for name in ("TSS_CVPR2016", "Dataset"):
        shutil.copytree(raw, tmp_path / name / name)
        assert build_benchmark(CARD, tmp_path / name).fingerprint == expected


def test_absent_images_and_parts_are_told(raw):
    whole = build_benchmark(CARD, raw).fingerprint
    (raw / FIRST / "image2.png").unlink()
    with pytest.warns(GeobenchWarning, match=r"image2\.png: no such image; 1 of 8 images are absent"):
        assert build_benchmark(CARD, raw).fingerprint == whole
    with pytest.raises(InputError, match=r"image2\.png: no such image"):
        build_benchmark(CARD, raw, BuildOptions(require_images=True))
    shutil.rmtree(raw / "FG3DCar")
    with pytest.warns(GeobenchWarning, match=r"holds 2 of 3 parts; without FG3DCar"):
        build_benchmark(CARD, raw)


def _small(path):
    Image.new("L", (3, 3), 255).save(path)


def _black(path):
    Image.fromarray(np.zeros_like(np.array(Image.open(path)))).save(path)


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("mask1.png", _small, r"mask1\.png: is 3x3 pixels, FG3DCar/001_005/flow1\.flo is \d+x\d+; fetch both again"),
        ("image2.png", _small, r"image2\.png: is 3x3 pixels, FG3DCar/001_005/flow2\.flo is"),
        ("mask2.png", _black, r"mask2\.png: the mask has no foreground"),
        ("mask1.png", lambda path: path.unlink(), r"mask1\.png: no such image"),
        ("mask1.png", lambda path: path.write_bytes(b"x"), r"mask1\.png: not a readable image"),
        ("flow2.flo", lambda path: path.unlink(), r"flow2\.flo: no such file"),
        ("flip_gt.txt", lambda path: path.write_bytes(b"\xff2"), r"flip_gt\.txt: holds .* expected 0 or 1"),
        (
            "flow1.flo",
            lambda path: path.write_bytes(flo_bytes(np.full_like(read_flow(path), 1e10))),
            r"flow1\.flo: no displacement leads into the other image",
        ),
    ],
    ids=["mask-size", "image-size", "empty-mask", "no-mask", "bad-mask", "no-flow", "flip", "unknown-flow"],
)
def test_a_bad_file_is_one_sentence(raw, name, change, sentence):
    change(raw / FIRST / name)
    with pytest.raises(InputError, match=sentence):
        build_benchmark(CARD, raw)


def test_without_a_flip_file_a_pair_is_not_mirrored(raw):
    (raw / "PASCAL" / "bike_01_02" / "flip_gt.txt").unlink()
    assert build_benchmark(CARD, raw).split("test").attributes["flip"].tolist() == [0] * 8

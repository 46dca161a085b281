"""Cells and points: which cell contains a point, where a cell's centre lies, what is padding, how groups fuse."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geobench.errors import InputError
from geobench.features.feature_map import FeatureMap, frame_of, fuse, unit_length
from geobench.features.letterbox import Letterbox

sides = st.integers(8, 400)
sizes = st.tuples(sides, sides)
kinds = st.sampled_from(["pad", "squash", "longest-side", "original"])


def make_map(size, kind="pad", side=64, grid=(8, 8), channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(channels, grid[1], grid[0], generator=generator)
    return FeatureMap(unit_length(features), Letterbox.of(kind, size, side))


@given(sizes, kinds, st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_the_centre_of_a_cell_in_the_image_lies_in_that_cell(size, kind, grid):
    one = make_map(size, kind, grid=grid)
    cells = torch.arange(grid[0] * grid[1])[one.in_image()]
    centres = one.centres(cells)
    strictly = ((centres > 0.01) & (centres < torch.tensor(size) - 0.01)).all(dim=1)
    assert torch.equal(one.cells(centres[strictly]), cells[strictly])


@given(sizes, kinds, st.floats(0, 1), st.floats(0, 1))
def test_a_point_is_within_half_a_cell_of_the_centre_of_its_cell(size, kind, u, v):
    one = make_map(size, kind)
    point = torch.tensor([[u * size[0], v * size[1]]])
    # The resized image is a whole number of pixels: its far border may miss half a model pixel, and one cell.
    limit = torch.tensor(one.cell) / 2 + 0.51
    moved = one.letterbox.to_model(one.centres(one.cells(point))) - one.letterbox.to_model(point)
    assert (moved.abs() <= limit + 1e-3).all()


@given(sizes, kinds, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_every_point_has_a_cell_that_shows_some_of_the_image(size, kind, x, y):
    one = make_map(size, kind)
    cell = int(one.cells(torch.tensor([[x, y]])))
    low = torch.tensor([cell % 8, cell // 8]) * torch.tensor(one.cell)
    offset, content = torch.tensor(one.letterbox.offset), torch.tensor(one.letterbox.content)
    assert 0 <= cell < 64
    assert (low < offset + content).all()
    assert (low + torch.tensor(one.cell) > offset).all()


def test_numbers_by_hand():
    """A 100 x 50 image padded to 64: content 64 x 32, 16 black rows above; cells of 8 model = 12.5 image pixels."""
    one = make_map((100, 50))
    assert one.grid == (8, 8)
    assert one.cell == (8.0, 8.0)
    points = torch.tensor([[0.0, 0.0], [12.4, 12.4], [12.6, 0.0], [99.9, 49.9], [100.0, 50.0]])
    assert one.cells(points).tolist() == [16, 16, 17, 47, 47]
    assert one.centres(torch.tensor([16, 47])).tolist() == [[6.25, 6.25], [93.75, 43.75]]
    assert one.in_image().reshape(8, 8).any(dim=1).tolist() == [False, False, True, True, True, True, False, False]
    assert one.grid_points(torch.tensor([[100.0, 50.0]])).tolist() == [[8.0, 6.0]]


def test_geoaware_centres():
    """60 x 60 cells of a frame of 840: cell * 14 + 7."""
    one = make_map((840, 840), side=840, grid=(60, 60))
    assert one.centres(torch.tensor([0, 61])).tolist() == [[7.0, 7.0], [21.0, 21.0]]


def test_fusing_squares_the_weights_into_the_cosine():
    a, b = make_map((40, 40), seed=1), make_map((40, 40), seed=2, channels=5)
    fused = fuse([a, b], [1.0, 2.0]).columns
    expected = (a.columns.T @ a.columns + 4 * b.columns.T @ b.columns) / 5
    torch.testing.assert_close(fused.T @ fused, expected)


def test_fusing_brings_a_coarse_map_to_the_finest_grid():
    coarse = FeatureMap(torch.ones(1, 4, 4), Letterbox.pad((40, 30), 32))
    fused = fuse([coarse, make_map((40, 30))], [1.0, 1.0])
    assert fused.grid == (8, 8)
    torch.testing.assert_close(fused.features[0], torch.full((8, 8), 0.5**0.5))


def test_maps_of_different_frames_are_not_fused():
    with pytest.raises(InputError, match="different parts of the image"):
        fuse([make_map((80, 40)), make_map((80, 40), "squash")], [1.0, 1.0])


@given(st.tuples(st.integers(1, 2000), st.integers(1, 2000)), st.booleans())
def test_padded_frames_of_any_two_sides_show_the_same_view(size, swapped):
    """The diffusion model's 960 and DINOv2's 840, 60 x 60 cells each; points are read in 840, whatever the order."""
    maps = [make_map(size, side=side, grid=(60, 60)) for side in (960, 840)]
    assert fuse(maps[::-1] if swapped else maps, [1.0, 1.0]).letterbox == maps[1].letterbox
    assert frame_of(maps[::-1] if swapped else maps) is maps[1]


def test_the_finest_grid_gives_the_frame_however_large():
    maps = [make_map((80, 60), side=64), make_map((80, 60), side=128, grid=(16, 16))]
    assert frame_of(maps) is maps[1]
    assert frame_of([maps[0], make_map((80, 60), seed=3)]) is maps[0]


def test_a_zero_vector_stays_zero():
    assert torch.equal(unit_length(torch.zeros(3, 2, 2)), torch.zeros(3, 2, 2))


def test_a_group_may_keep_its_lengths():
    raw = FeatureMap(3 * make_map((40, 40)).features, Letterbox.pad((40, 40), 64))
    assert torch.equal(fuse([raw], [1.0], [False]).features, raw.features)
    both = fuse([raw, raw], [2.0, 1.0], [False, True]).features
    torch.testing.assert_close(both[:3].norm(dim=0), torch.full((8, 8), 6.0))
    torch.testing.assert_close(both[3:].norm(dim=0), torch.ones(8, 8))


def test_with_padding_a_point_beside_the_image_is_in_the_paddings_cell():
    one = make_map((100, 50))
    above = torch.tensor([[50.0, -10.0], [50.0, -1000.0]])
    assert one.cells(above).tolist() == [20, 20]
    assert one.cells(above, padding=True).tolist() == [12, 4]


@given(sizes, kinds, st.integers(8, 300), st.integers(1, 64), st.integers(1, 64))
def test_no_point_falls_off_a_grid_whose_cells_are_no_whole_pixels(size, kind, side, columns, rows):
    one = make_map(size, kind, side, (columns, rows), channels=1)
    corners = torch.tensor([[0.0, 0.0], [size[0], size[1]], [-1e6, 1e6], [1e6, -1e6]])
    for padding in (False, True):
        cells = one.cells(corners, padding)
        assert ((cells >= 0) & (cells < columns * rows)).all()

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.measures.regions import (
    SIZE_BINS,
    WIDTH_BINS,
    bounding_box,
    crop_positions,
    crops_holding,
    presence,
    region_areas,
    ridge_widths,
    size_histogram,
    width_histogram,
)

Mask = NDArray[np.bool_]


def strip(width: float, angle: float, size: int = 200) -> Mask:
    """A strip through the middle, its normal turned by `angle` degrees."""
    rows, columns = np.indices((size, size)) - size / 2 + 0.25
    normal = np.deg2rad(angle)
    return np.abs(rows * np.cos(normal) + columns * np.sin(normal)) < width / 2


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 8, 25])
@pytest.mark.parametrize("turned", [False, True])
def test_width_of_a_straight_strip_is_exact(width: int, turned: bool) -> None:
    mask = np.zeros((120, 300), np.bool_)
    mask[40 : 40 + width, 10:290] = True
    widths = ridge_widths(mask.T.copy() if turned else mask)
    assert np.median(widths) == width
    assert widths.max() == width


@pytest.mark.parametrize("width", [5.0, 9.0, 16.0])
@pytest.mark.parametrize("angle", [10, 22.5, 30, 45, 67])
def test_width_of_a_slanting_strip_is_within_a_pixel(width: float, angle: float) -> None:
    assert abs(np.median(ridge_widths(strip(width, angle))) - width) <= 1


def test_width_of_a_square_and_of_a_disc_is_their_diameter() -> None:
    mask = np.zeros((120, 120), np.bool_)
    mask[20:81, 30:91] = True
    assert np.median(ridge_widths(mask)) == 61
    rows, columns = np.indices((120, 120)) - 60
    assert abs(np.median(ridge_widths(np.hypot(rows, columns) <= 30)) - 60) <= 1


def test_edge_of_the_window_is_no_edge_of_a_region() -> None:
    mask = np.zeros((50, 50), np.bool_)
    mask[:, 20:27] = True
    assert set(ridge_widths(mask)) == {7}


def test_region_that_fills_the_window() -> None:
    assert set(ridge_widths(np.ones((5, 9), np.bool_))) == {5}
    assert len(ridge_widths(np.ones((5, 9), np.bool_))) == 5


def test_width_histogram_rounds_and_clamps() -> None:
    histogram = width_histogram(np.array([1.0, 1.4, 1.6, 127, 128, 5000]))
    expected = np.zeros(WIDTH_BINS, np.int64)
    expected[[0, 1, 126, 127]] = [2, 1, 1, 2]
    np.testing.assert_array_equal(histogram, expected)


def test_areas_of_8_connected_regions() -> None:
    mask = np.zeros((10, 10), np.bool_)
    mask[0, 0] = mask[1, 1] = mask[2, 0] = True  # touch at corners: one region
    mask[5:8, 5:9] = True
    assert sorted(region_areas(mask).tolist()) == [3, 12]
    assert region_areas(np.ones((3, 3), np.bool_)).tolist() == [9]


def test_size_bins_are_half_octaves() -> None:
    areas = np.arange(1, 3000)
    histogram = size_histogram(areas)
    for index in range(24):
        low, high = 2 ** (index / 2), 2 ** ((index + 1) / 2)
        assert histogram[index] == np.count_nonzero((areas >= low) & (areas < high)) or high > 3000
    assert size_histogram(2 ** np.arange(32))[::2].tolist() == [1] * 32
    assert size_histogram(np.array([2**40]))[SIZE_BINS - 1] == 1


def test_bounding_box_has_a_rim_inside_the_window() -> None:
    mask = np.zeros((20, 30), np.bool_)
    mask[0:3, 10:12] = True
    rows, columns = bounding_box(mask)
    assert (rows, columns) == (slice(0, 4), slice(9, 13))
    widths = np.sort(ridge_widths(mask))
    np.testing.assert_array_equal(widths, np.sort(ridge_widths(mask[rows, columns].copy())))


@pytest.mark.parametrize("shape", [(64, 64), (100, 83), (16, 200)])
@pytest.mark.parametrize("side", [16, 32, 64])
def test_crops_equal_looking_at_every_crop(shape: tuple[int, int], side: int) -> None:
    mask = np.random.default_rng(1).random(shape) < 0.002
    blocks = presence(mask)
    # Only whole blocks are looked at, so that all crops start at multiples of a block.
    height, width = (length - length % 16 for length in shape)
    starts = [
        (row, column) for row in range(0, height - side + 1, 16) for column in range(0, width - side + 1, 16)
    ]
    assert crop_positions(shape, side) == len(starts)
    held = sum(bool(mask[row : row + side, column : column + side].any()) for row, column in starts)
    assert crops_holding(blocks, side) == held


def test_window_below_one_block_has_no_crop() -> None:
    mask = np.ones((10, 40), np.bool_)
    assert crop_positions((10, 40), 16) == 0
    assert crops_holding(presence(mask), 16) == 0

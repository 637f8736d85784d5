import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.imagery.tiles import Window, blend_weights, blocks, check_inside, grid


@pytest.mark.parametrize("size", [(10, 10), (64, 64), (65, 130), (200, 63), (1, 1)])
def test_grid_covers_every_pixel_with_windows_of_one_size_inside_the_image(size):
    seen = np.zeros(size, dtype=int)
    for window in grid(*size, window=64, overlap=16):
        check_inside(window, *size, "image")
        assert (window.height, window.width) == (min(64, size[0]), min(64, size[1]))
        seen[window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert seen.min() == 1


def test_neighbouring_windows_share_at_least_the_overlap():
    starts = sorted({window.row for window in grid(333, 64, window=64, overlap=20)})
    assert starts[-1] == 333 - 64
    assert np.diff(starts).max() <= 64 - 20


def test_an_image_smaller_than_the_window_gives_one_window_of_its_size():
    assert grid(30, 40, window=64, overlap=0) == [Window(0, 0, 30, 40)]


def test_blocks_partition_the_image():
    seen = np.zeros((100, 70), dtype=int)
    for window in blocks(100, 70, 32):
        seen[window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 512), (4096, 4096)])
def test_blend_weights_are_positive_and_symmetric(size):
    weights = blend_weights(*size)
    assert weights.dtype == np.float32
    assert weights.shape == size
    assert weights.min() > 0
    assert weights.max() <= 1
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])


def test_blending_a_constant_over_a_grid_gives_the_constant():
    total, weight = np.zeros((100, 90)), np.zeros((100, 90))
    for window in grid(100, 90, window=32, overlap=8):
        place = np.s_[window.row : window.row + window.height, window.col : window.col + window.width]
        total[place] += 3.5 * blend_weights(window.height, window.width)
        weight[place] += blend_weights(window.height, window.width)
    np.testing.assert_allclose(total / weight, 3.5, rtol=1e-6)


def test_half_overlapping_weights_add_up_to_one():
    row = blend_weights(1, 64)[0] / blend_weights(1, 1)[0, 0]
    np.testing.assert_allclose(row[:32] + row[32:], 1, atol=2e-3)


def test_impossible_sizes_are_refused():
    with pytest.raises(
        SettingError, match="overlap must be at least 0 and below the window of 64 px, got 64"
    ):
        grid(100, 100, window=64, overlap=64)
    with pytest.raises(SettingError, match="height and width must be at least 1 px, got 0 x 5"):
        grid(0, 5, window=64, overlap=0)
    with pytest.raises(SettingError, match="block size must be at least 1 px, got 0"):
        list(blocks(5, 5, 0))
    with pytest.raises(SettingError, match="here: .* does not lie within the raster of 5 x 6 px"):
        check_inside(Window(0, 0, 5, 7), 5, 6, "here")

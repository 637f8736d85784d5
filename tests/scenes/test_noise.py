import numpy as np
import pytest

from rareseg.scenes.noise import canopy, cells, smooth_line, smooth_plane, spline_weights, streaks


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("scale", [2.0, 7.5, 300.0])
def test_spline_weights_sum_to_one_and_reproduce_lines(scale):
    weights = spline_weights(100, scale, 0.25)
    assert weights.sum(1) == pytest.approx(np.ones(100), abs=1e-5)
    # A cubic B-spline with knots on a line is that line, one knot further on.
    assert weights @ np.arange(weights.shape[1]) == pytest.approx(0.25 + np.arange(100) / scale + 1, abs=1e-3)


def test_noise_has_mean_0_and_deviation_1():
    plane, line = smooth_plane(rng(), 512, 6), smooth_line(rng(), 20_000, 10)
    for values in (plane, line):
        assert abs(values.mean()) < 0.1
        assert values.std() == pytest.approx(1, abs=0.1)


def test_larger_scale_is_smoother():
    fine, coarse = (np.abs(np.diff(smooth_plane(rng(), 256, scale))).mean() for scale in (4, 32))
    assert coarse < fine / 4


def test_streaks_run_along_their_angle():
    plane = streaks(rng(), 256, 0.0, 9)
    assert plane.std() == pytest.approx(1, abs=0.1)
    assert np.abs(np.diff(plane, axis=1)).mean() < 0.6 * np.abs(np.diff(plane, axis=0)).mean()


def test_cells_hold_about_a_squared_spacing():
    number, distance, count = cells(rng(), 200, 10)
    assert number.max() < count
    assert np.bincount(number.ravel())[np.unique(number)].mean() == pytest.approx(100, rel=0.2)
    assert 0 <= distance.min() <= distance.max() < 20


def test_crowns_are_brighter_towards_the_sun():
    """The slopes that face the sun are lit: east of a crown's top where it stands in the east."""
    east, _ = canopy(rng(), 128, 12, (1.0, 0.0))
    west, _ = canopy(rng(), 128, 12, (-1.0, 0.0))
    number, distance, _ = cells(rng(), 128, 12)
    columns = np.broadcast_to(np.arange(128), (128, 128))
    centre = np.bincount(number.ravel(), columns.ravel()) / np.maximum(np.bincount(number.ravel()), 1)
    side = np.sign(columns - centre[number])
    rim = (distance > 2) & (distance < 6)
    assert (east * side)[rim].mean() > 0.05
    assert (west * side)[rim].mean() < -0.05

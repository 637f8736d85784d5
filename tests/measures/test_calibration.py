"""Calibration from histograms against plain NumPy over every pixel, and where the answer is known."""

import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.calibration import (
    RESOLUTION,
    USUAL_BINS,
    calibration_error,
    expected_share,
    reliability,
)
from rareseg.measures.curves import BINS, REACH, ScoreHistogram
from rareseg.records.dataset import VOID

SHAPE = (300, 400)


def sigmoid(log_odds):
    return 1 / (1 + np.exp(-np.asarray(log_odds, np.float64)))


def direct_error(probability, holds, inner_edges):
    """The formula, pixel by pixel: edges are probabilities, a pixel on one belongs above it."""
    place = np.searchsorted(inner_edges, probability, side="right")
    total = 0.0
    for number in range(len(inner_edges) + 1):
        inside = place == number
        if inside.any():
            total += inside.mean() * abs(holds[inside].mean() - probability[inside].mean())
    return total


def snapped(edges):
    """Probabilities moved to the nearest edge of the histogram."""
    width = 2 * REACH / BINS
    log_odds = np.log(edges) - np.log1p(-np.asarray(edges))
    return sigmoid(np.round((log_odds + REACH) / width) * width - REACH)


def count(log_odds, labels):
    return ScoreHistogram.count(log_odds[None].astype(np.float32), labels, overlapping=True)


def drawn(seed, centre, spread, scale=1.0, offset=0.0):
    """Log-odds and labels; labels follow sigmoid(scale * log_odds + offset)."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(centre, spread, SHAPE).astype(np.float32)
    labels = (rng.random(SHAPE) < sigmoid(scale * log_odds + offset)).astype(np.uint8)
    return log_odds, labels


@pytest.mark.parametrize("bins", [1, 2, 15, 40])
@pytest.mark.parametrize("centre", [-4.0, 0.0, 3.0])
def test_error_is_that_of_numpy_over_pixels(bins, centre):
    log_odds, labels = drawn(1, centre, 2.5, scale=0.6, offset=0.8)
    labels[np.random.default_rng(2).random(SHAPE) < 0.05] = VOID
    (found,) = calibration_error(count(log_odds, labels), bins=bins)
    counted = labels != VOID
    probability, holds = sigmoid(log_odds[counted]), labels[counted] == 1
    edges = np.arange(1, bins) / bins
    assert found == pytest.approx(direct_error(probability, holds, snapped(edges)), abs=RESOLUTION)
    # Over the edges asked for, pixels between the two kinds of edge count in the neighbouring bin.
    moved = sum(
        np.mean((probability >= min(pair)) & (probability <= max(pair)))
        for pair in zip(edges, snapped(edges), strict=True)
    )
    assert np.abs(edges - snapped(edges)).max(initial=0) <= RESOLUTION
    assert found == pytest.approx(direct_error(probability, holds, edges), abs=RESOLUTION + 2 * moved)


def test_equal_mass_is_numpy_over_quantiles():
    log_odds, labels = drawn(3, -5.0, 1.5, scale=0.5)
    curve = count(log_odds, labels)
    bins = reliability(curve, 0, binning="equal_mass")
    assert len(bins) == USUAL_BINS
    assert max(held.pixels for held in bins) <= 1.02 * min(held.pixels for held in bins)
    probability = sigmoid(log_odds.ravel())
    order = np.argsort(probability, kind="stable")
    expected = 0.0
    for part in np.array_split(order, USUAL_BINS):
        expected += part.size / order.size * abs(labels.ravel()[part].mean() - probability[part].mean())
    (found,) = calibration_error(curve, binning="equal_mass")
    # Parts that end a few pixels apart differ by those pixels.
    assert found == pytest.approx(expected, abs=RESOLUTION + 30 * USUAL_BINS / probability.size)
    assert found > 5 * calibration_error(count(*drawn(3, -5.0, 1.5)), binning="equal_mass")[0]


def test_equal_mass_keeps_pixels_of_one_probability_together():
    labels = np.zeros((10, 10), np.uint8)
    labels[:2] = 1
    (held,) = reliability(count(np.full((10, 10), -2.0), labels), 0, binning="equal_mass")
    assert held == pytest.approx((sigmoid(-2.0), 0.2, 100), abs=RESOLUTION)


def test_reliability_tells_frequency_and_probability_of_each_bin():
    log_odds = np.array([[-3.0, -3.0, -3.0, -3.0, 2.0, 2.0]])
    labels = np.array([[0, 0, 0, 1, 1, VOID]], np.uint8)
    low, high = reliability(count(log_odds, labels), 0, bins=2)
    assert low == pytest.approx((sigmoid(-3), 0.25, 4), abs=RESOLUTION)
    assert high == pytest.approx((sigmoid(2), 1.0, 1), abs=RESOLUTION)


def histogram_of(bins_and_counts):
    """A histogram of one class with so many pixels, none of it, in these bins."""
    curve = ScoreHistogram.empty(1)
    for place, pixels in bins_and_counts:
        curve.negatives[0, place] = pixels
    return curve


def test_a_pixel_counts_with_the_probability_of_its_bins_middle():
    for place in (BINS // 2, BINS // 2 + 1000, 7):
        middle = (place + 0.5) * 2 * REACH / BINS - REACH
        (held,) = reliability(histogram_of([(place, 3)]), 0)
        assert held == pytest.approx((sigmoid(middle), 0.0, 3), rel=1e-12)


def test_edges_lie_at_the_nearest_edge_of_the_histogram():
    inner = np.arange(1, 15) / 15
    edges = np.round((np.log(inner) - np.log1p(-inner) + REACH) * BINS / (2 * REACH)).astype(int)
    around = [(place + side, 1) for place in edges for side in (-1, 0)]
    held = reliability(histogram_of(around), 0, bins=15)
    assert [part.pixels for part in held] == [1, *[2] * 13, 1]


def test_equal_mass_ends_a_part_with_the_bin_that_fills_it():
    held = reliability(
        histogram_of([(place, 10) for place in (5, 60, 700, 8000)]), 0, bins=4, binning="equal_mass"
    )
    assert [part.pixels for part in held] == [10, 10, 10, 10]
    held = reliability(histogram_of([(5, 30), (60, 10)]), 0, bins=2, binning="equal_mass")
    assert [part.pixels for part in held] == [30, 10]


def test_honest_probabilities_have_almost_no_error():
    log_odds, labels = drawn(5, -3.0, 2.0)
    (error,) = calibration_error(count(log_odds, labels))
    (share,) = expected_share(count(log_odds, labels))
    assert error < 0.005
    assert share == pytest.approx(labels.mean(), abs=0.003)
    assert share == pytest.approx(sigmoid(log_odds).mean(), abs=RESOLUTION)


def test_a_shift_of_the_log_odds_shows_in_the_error_and_the_expected_share():
    log_odds, labels = drawn(5, -3.0, 2.0)
    shifted = count(log_odds + np.float32(np.log(20)), labels)
    assert calibration_error(shifted)[0] > 0.2
    assert expected_share(shifted)[0] > 3 * labels.mean()


def test_counts_of_windows_merge():
    log_odds, labels = drawn(6, -2.0, 2.0, scale=0.5)
    both = count(log_odds[:100], labels[:100]) + count(log_odds[100:], labels[100:])
    assert calibration_error(both) == calibration_error(count(log_odds, labels))


def test_an_absent_class_has_the_error_of_what_it_was_given():
    curve = count(np.full((4, 4), -1.0), np.zeros((4, 4), np.uint8))
    assert calibration_error(curve)[0] == pytest.approx(sigmoid(-1), abs=RESOLUTION)
    assert expected_share(curve)[0] == pytest.approx(sigmoid(-1), abs=RESOLUTION)


@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_nothing_counted_is_not_measurable(binning):
    empty = ScoreHistogram.empty(2)
    assert calibration_error(empty, binning=binning) == (None, None)
    assert expected_share(empty) == (None, None)
    assert reliability(empty, 0, binning=binning) == ()


def test_settings_out_of_range_are_refused():
    curve = ScoreHistogram.empty(2)
    for bins in (0, 1001):
        with pytest.raises(SettingError, match="1 to 1000 bins"):
            reliability(curve, 0, bins=bins)
    with pytest.raises(SettingError, match="equal_width or equal_mass, got 'quantile'"):
        calibration_error(curve, binning="quantile")
    for index in (-1, 2):
        with pytest.raises(SettingError, match="class index from 0 to 1"):
            reliability(curve, index)

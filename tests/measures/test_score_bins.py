import numpy as np
import pytest

from rareseg.errors import DataError, SettingError
from rareseg.measures.score_bins import (
    BINS,
    REACH,
    bin_threshold,
    count_bins,
    first_bin,
    from_top,
    middle_threshold,
    score_bins,
)


def expected_bins(log_odds):
    """In float64: the bin whose edges lie around the value."""
    return np.clip(np.floor((log_odds.astype(np.float64) + REACH) * BINS / (2 * REACH)), 0, BINS - 1)


@pytest.mark.parametrize("shape", [(70_000,), (300, 500), (3, 40, 50), (2, 70_000), (0,), (1, 1)])
def test_bins_are_even_steps(shape):
    values = np.random.default_rng(0).normal(scale=8, size=shape).astype(np.float32)
    found = score_bins(values, "here")
    assert found.shape == shape and found.dtype == np.uint16
    exact = (np.clip(values.astype(np.float64), -REACH, REACH) + REACH) * BINS / (2 * REACH)
    # An edge is kept to a hundredth of a bin.
    assert (found >= np.clip(np.floor(exact - 0.01), 0, BINS - 1)).all()
    assert (found <= np.clip(np.floor(exact + 0.01), 0, BINS - 1)).all()
    if found.size > 1000:
        assert (found == expected_bins(values)).mean() > 0.98


def test_values_on_an_edge_fall_into_the_bin_above():
    # Multiples of 5/8192 are edges, and float32 holds them exactly.
    edges = (np.arange(-32768, 32768) * 5 / 8192).astype(np.float32)
    np.testing.assert_array_equal(score_bins(edges[None], "here")[0], np.arange(BINS))


@pytest.mark.parametrize("far", [30, 1e5, 1e9, 1e30, np.inf])
@pytest.mark.parametrize("count", [1, 17, 4096])
def test_ends_are_open(far, count):
    values = np.full((1, count), far, np.float32)
    assert (score_bins(values, "here") == BINS - 1).all()
    assert (score_bins(-values, "here") == 0).all()
    both = np.concatenate([values, -values, np.zeros((1, 5), np.float32)], axis=1)
    assert np.unique(score_bins(both, "here")).tolist() == [0, BINS // 2, BINS - 1]


def test_parts_of_arrays_are_binned_as_copies_of_them():
    values = np.random.default_rng(1).normal(size=(400, 600)).astype(np.float32)
    part = values[3:390, 5:590]
    np.testing.assert_array_equal(score_bins(part, "here"), score_bins(part.copy(), "here"))
    np.testing.assert_array_equal(score_bins(values.T, "here"), score_bins(values, "here").T)


@pytest.mark.parametrize("place", [0, 70_000, 140_000 - 1])
def test_what_is_not_a_number_is_an_error(place):
    values = np.zeros((2, 70_000), np.float32)
    values.reshape(-1)[place] = np.nan
    values[0, 5] = np.inf
    with pytest.raises(DataError, match=r"1 values of class 3 are not numbers \(NaN\)"):
        score_bins(values, "class 3")


def test_thresholds_of_bins_lead_back_to_them():
    places = [*range(0, BINS, 97), 1, 2, BINS - 2, BINS - 1]
    assert [first_bin(bin_threshold(place)) for place in places] == places
    assert (bin_threshold(0), bin_threshold(BINS // 2)) == (0.0, 0.5)
    assert first_bin(0.5) == BINS // 2 and first_bin(np.nextafter(0.5, 1) + 1e-6) == BINS // 2 + 1


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(SettingError, match=r"between 0 and 1 \(a probability\), got"):
        first_bin(threshold)


def test_middle_of_equal_thresholds():
    counts = np.zeros(BINS, np.int64)
    counts[[100, 200]] = 1
    given = from_top(counts)
    assert given[[0, 100, 101, 200, 201]].tolist() == [2, 2, 1, 1, 0]
    assert middle_threshold(given, 200) == middle_threshold(given, 101) == bin_threshold(151)
    assert middle_threshold(given, 50) == 0.0


def test_histograms_of_the_class_and_of_all():
    rng = np.random.default_rng(2)
    bins = rng.integers(0, BINS, (50, 60)).astype(np.uint16)
    counted = rng.random(bins.shape) < 0.8
    holds = counted & (rng.random(bins.shape) < 0.1)
    for some, where in ((holds, counted), (holds, None), (holds & False, counted)):
        positives, every = count_bins(bins, some, where)
        np.testing.assert_array_equal(positives, np.bincount(bins[some], minlength=BINS))
        every_one = bins.ravel() if where is None else bins[where]
        np.testing.assert_array_equal(every, np.bincount(every_one, minlength=BINS))

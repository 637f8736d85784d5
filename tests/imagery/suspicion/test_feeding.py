import numpy as np
import pytest

from rareseg.imagery.suspicion.feeding import band_gap, prediction_scale


@pytest.fixture
def training():
    return np.random.default_rng(0).normal(5, 2, (4, 3, 16, 16)).astype(np.float32)


def test_the_largest_gap_of_any_band_counts(training):
    prediction = training.copy()
    prediction[:, 1] += 6
    assert band_gap(training, prediction) == pytest.approx(3, rel=0.05)
    assert band_gap(training, training) == 0
    assert prediction_scale(training, prediction) == pytest.approx(1)
    assert prediction_scale(training, training * 10) == pytest.approx(10)


def test_other_bands_or_nothing_cannot_be_compared(training):
    assert band_gap(training, training[:, :2]) is None
    assert band_gap(training, training[:0]) is None
    assert band_gap(training * 0, training) is None
    assert prediction_scale(training * 0, training) is None

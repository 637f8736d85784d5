"""From probabilities to class maps."""

import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.decisions import decide


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def probabilities_of(rng, classes, shape=(40, 50)):
    return rng.dirichlet(np.ones(classes), shape).transpose(2, 0, 1).astype(np.float32)


def test_two_classes_are_cut_at_the_seconds_threshold(rng):
    found = decide(
        probabilities := probabilities_of(rng, 2), (0.8, 0.2), decision="threshold", overlapping=False
    )
    np.testing.assert_array_equal(found, probabilities[1] >= 0.2)
    assert found.dtype == np.uint8


def test_overlapping_classes_are_cut_each_at_its_own_and_a_missing_threshold_is_one_half(rng):
    probabilities = rng.random((3, 20, 20)).astype(np.float32)
    found = decide(probabilities, (0.2, None, 0.9), decision="threshold", overlapping=True)
    for label, cut in enumerate((0.2, 0.5, 0.9)):
        np.testing.assert_array_equal((found >> label) & 1, probabilities[label] >= cut)


def test_argmax_gives_the_likeliest_whatever_the_thresholds(rng):
    probabilities = probabilities_of(rng, 4)
    found = decide(probabilities, (0.0,) * 4, decision="argmax", overlapping=False)
    np.testing.assert_array_equal(found, probabilities.argmax(axis=0))


def test_argmax_with_weights_gives_the_largest_product(rng):
    probabilities = probabilities_of(rng, 4)
    weights = (0.5, 1.0, 3.0, 1e-3)
    found = decide(probabilities, (None,) * 4, decision="argmax", overlapping=False, weights=weights)
    expected = (probabilities * np.reshape(weights, (4, 1, 1))).argmax(axis=0)
    np.testing.assert_array_equal(found, expected)
    assert (found != probabilities.argmax(axis=0)).any()
    assert found.dtype == np.uint8
    ties = np.full((3, 2, 2), 1 / 3, np.float32)
    assert not decide(ties, (), decision="argmax", overlapping=False, weights=(1.0, 1.0, 1.0)).any()
    assert not decide(ties, (), decision="argmax", overlapping=False, weights=(2.0, 2.0, 1.0)).any()


def test_weights_are_for_argmax_and_one_per_class(rng):
    probabilities = probabilities_of(rng, 2)
    for decision, weights in (("threshold", (1.0, 2.0)), ("argmax", (1.0, 2.0, 3.0))):
        with pytest.raises(SettingError, match="decision weights for argmax only, one for each of 2 classes"):
            decide(probabilities, (0.5, 0.5), decision=decision, overlapping=False, weights=weights)

"""Moved probabilities against the formula in float64, and fits that must find what moved them."""

import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.calibration import calibration_error
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.scaling import (
    Scaling,
    _of_classes,
    _of_odds,
    fit_classes,
    fit_odds,
    rebinned,
    scaled,
)

SHAPE = (200, 250)


def softmax(logits, axis=0):
    power = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return power / power.sum(axis=axis, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def drawn(seed, classes, shares=None):
    """Honest logits (classes, rows, cols) float64, and labels drawn from their softmax."""
    rng = np.random.default_rng(seed)
    prior = np.log(shares if shares is not None else np.full(classes, 1 / classes))
    logits = rng.normal(0, 1.5, (classes, *SHAPE)) + prior[:, None, None]
    chosen = (softmax(logits).cumsum(axis=0) < rng.random(SHAPE)).sum(axis=0)
    return logits, chosen.clip(max=classes - 1).astype(np.uint8)


def histogram(probabilities, labels, *, overlapping=False):
    odds = np.log(probabilities) - np.log1p(-probabilities)
    return ScoreHistogram.count(odds.astype(np.float32), labels, overlapping=overlapping)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [1.0, 0.4, 3.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_exclusive_classes_move_by_the_formula(classes, temperature, dtype):
    logits, _ = drawn(0, classes)
    shift = tuple(np.linspace(-2, 3, classes).tolist())
    expected = softmax(logits / temperature - np.array(shift)[:, None, None])
    given = softmax(logits).astype(dtype)
    found = scaled(given, Scaling(temperature, shift), overlapping=False)
    assert found is given, "in place: a block of probabilities is large"
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("temperature", [1.0, 0.4, 3.0])
def test_overlapping_classes_move_each_on_its_own(temperature):
    logits = np.random.default_rng(1).normal(-2, 2, (3, *SHAPE))
    shift = (0.0, 2.5, -1.5)
    expected = sigmoid(logits / temperature - np.array(shift)[:, None, None])
    found = scaled(sigmoid(logits).astype(np.float32), Scaling(temperature, shift), overlapping=True)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.05, 20.0])
def test_certain_answers_stay_finite(overlapping, temperature):
    extremes = np.array([[0, 1, 1e-30, 1], [1, 0, 1, 1e-30], [0, 0, 0, 0]], np.float32)
    found = scaled(extremes, Scaling(temperature, (0.0, 12.0, -12.0)), overlapping=overlapping)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
    if not overlapping:
        np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("overlapping", [False, True])
def test_an_idle_scaling_changes_nothing(overlapping):
    given = np.random.default_rng(2).random((2, 9, 9)).astype(np.float32)
    found = scaled(given.copy(), Scaling(1.0, (0.0, 0.0)), overlapping=overlapping)
    np.testing.assert_array_equal(found, given)


def test_one_shift_per_class():
    with pytest.raises(SettingError, match="one shift for each of 3 classes, got 2"):
        scaled(np.zeros((3, 2, 2), np.float32), Scaling(1.0, (0.0, 0.0)), overlapping=False)


@pytest.mark.parametrize("overlapping", [False, True])
def test_a_moved_histogram_is_that_of_moved_probabilities(overlapping):
    logits, labels = drawn(3, 2)
    given = (sigmoid(logits) if overlapping else softmax(logits)).astype(np.float32)
    scaling = Scaling(1.7, (0.3, 2.0))
    moved = rebinned(histogram(given, labels, overlapping=overlapping), scaling, overlapping=overlapping)
    direct = histogram(scaled(given, scaling, overlapping=overlapping), labels, overlapping=overlapping)
    for found, expected in ((moved.positives, direct.positives), (moved.negatives, direct.negatives)):
        # Cumulated, a pixel that lands one bin off shows in one place only.
        up_to = np.cumsum(expected, axis=1)
        assert (np.cumsum(found, axis=1)[:, 2:] >= up_to[:, :-2]).all()
        assert (np.cumsum(found, axis=1)[:, :-2] <= up_to[:, 2:]).all()
    assert moved.average_precision() == pytest.approx(direct.average_precision(), abs=1e-4)


@pytest.mark.parametrize(("temperature", "shift"), [(1.0, 3.0), (2.0, 0.0), (0.6, -1.5)])
def test_a_fit_of_two_classes_finds_what_moved_them(temperature, shift):
    logits, labels = drawn(4, 2, shares=np.array([0.95, 0.05]))
    # What is answered is (honest + shift) * temperature, so this scaling brings it back.
    answered = softmax((logits + np.array([0.0, shift])[:, None, None]) * temperature)
    curve = histogram(answered, labels)
    found = fit_odds(curve, overlapping=False)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert found.shift[0] == 0
    assert found.shift[1] == pytest.approx(shift, abs=0.1)
    errors = calibration_error(rebinned(curve, found, overlapping=False))
    assert max(errors) < 0.004 < max(calibration_error(curve))


def test_a_fit_of_overlapping_classes_has_one_temperature_and_a_shift_for_each():
    rng = np.random.default_rng(5)
    logits = rng.normal([[[-3.0]], [[0.5]]], 2.0, (2, *SHAPE))
    holds = rng.random((2, *SHAPE)) < sigmoid(logits)
    labels = (holds[0] + 2 * holds[1]).astype(np.uint8)
    answered = sigmoid((logits + np.array([2.0, -1.0])[:, None, None]) * 1.5)
    found = fit_odds(histogram(answered, labels, overlapping=True), overlapping=True)
    assert found.temperature == pytest.approx(1.5, rel=0.05)
    assert found.shift == pytest.approx((2.0, -1.0), abs=0.1)


@pytest.mark.parametrize(
    ("temperature", "shift"), [(1.0, (0.0, 1.0, 3.0, -1.0)), (1.8, (0.0, 0.5, 1.5, 0.0))]
)
def test_a_fit_of_several_classes_finds_what_moved_them(temperature, shift):
    logits, labels = drawn(6, 4, shares=np.array([0.6, 0.3, 0.08, 0.02]))
    answered = softmax((logits + np.array(shift)[:, None, None]) * temperature).astype(np.float32)
    found = fit_classes(answered.reshape(4, -1), labels.ravel())
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    assert found.shift == pytest.approx(shift, abs=0.12)


def test_a_fit_of_two_classes_by_pixels_is_that_by_histogram():
    logits, labels = drawn(7, 2, shares=np.array([0.9, 0.1]))
    answered = softmax((logits + np.array([0.0, 1.0])[:, None, None]) * 1.3).astype(np.float32)
    by_pixels = fit_classes(answered.reshape(2, -1), labels.ravel())
    by_histogram = fit_odds(histogram(answered, labels), overlapping=False)
    assert by_pixels.temperature == pytest.approx(by_histogram.temperature, rel=1e-3)
    assert by_pixels.shift == pytest.approx(by_histogram.shift, abs=1e-3)


def test_least_log_loss_is_reached():
    """Any small change of the fitted numbers costs."""
    logits, labels = drawn(8, 3)
    answered = softmax(logits * 1.4 + np.array([0.0, 1.0, -0.5])[:, None, None]).astype(np.float32)
    found = fit_classes(answered.reshape(3, -1), labels.ravel())

    def log_loss(scaling):
        moved = scaled(answered.astype(np.float64), scaling, overlapping=False).reshape(3, -1)
        return -np.log(moved[labels.ravel(), np.arange(labels.size)]).sum()

    least = log_loss(found)
    for step in (-0.02, 0.02):
        assert log_loss(found._replace(temperature=found.temperature + step)) > least
        for index in range(3):
            shift = np.array(found.shift)
            shift[index] += step
            assert log_loss(found._replace(shift=tuple(shift))) > least


def test_absent_classes_take_no_part_in_the_fit():
    logits, labels = drawn(9, 3)
    answered = softmax(logits + np.array([0.0, 1.0, 2.0])[:, None, None]).astype(np.float32)
    without = fit_classes(answered.reshape(3, -1), labels.ravel())
    wider = np.concatenate([answered, np.full((1, *SHAPE), 1e-4, np.float32)])
    found = fit_classes(wider.reshape(4, -1), labels.ravel())
    assert found.shift[:3] == pytest.approx(without.shift, abs=1e-3)
    mean = np.dot(np.bincount(labels.ravel()), found.shift[:3]) / labels.size
    assert found.shift[3] == pytest.approx(mean)
    assert abs(mean) > 0.1
    assert fit_classes(wider.reshape(4, -1), np.zeros(labels.size, np.uint8)).idle
    single = histogram(answered[:2] / answered[:2].sum(axis=0), np.zeros(SHAPE, np.uint8))
    assert fit_odds(single, overlapping=False).idle


def test_a_constant_answer_is_moved_to_the_share():
    """Slope and shift cannot be told apart here: the fit must not fail on it."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:20] = 1
    half = np.full((2, *SHAPE), 0.5, np.float32)
    for found in (
        fit_odds(histogram(half, labels), overlapping=False),
        fit_classes(half.reshape(2, -1), labels.ravel()),
    ):
        moved = scaled(half.copy(), found, overlapping=False)
        assert moved[1] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("kind", ["odds", "classes"])
def test_slopes_and_bends_are_those_of_the_value(kind):
    """Newton's method still gets there with a wrong Hessian, only slowly."""
    logits, labels = drawn(10, 3)
    answered = softmax(logits).astype(np.float32)
    if kind == "odds":
        curve = histogram(answered, labels)
        value = _of_odds(curve.positives, curve.negatives)
        point = np.array([0.8, 0.3, -0.4, 0.6])
    else:
        value = _of_classes(answered.reshape(3, -1), labels.ravel().astype(np.int64))
        point = np.array([0.8, 0.3, -0.4])
    _, slope, bend = value(point)
    for index in range(len(point)):
        step = np.zeros(len(point))
        step[index] = 1e-4
        up, down = value(point + step), value(point - step)
        assert slope[index] == pytest.approx((up[0] - down[0]) / 2e-4, rel=1e-5, abs=1e-2)
        assert bend[index] == pytest.approx((up[1] - down[1]) / 2e-4, rel=1e-5, abs=1e-2)


@pytest.mark.parametrize("right", [True, False])
def test_a_perfect_network_and_one_that_is_always_wrong_are_fitted_within_bounds(right):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:20] = 1
    odds = np.where((labels == 1) == right, 3.0, -3.0)
    probabilities = np.stack([sigmoid(-odds), sigmoid(odds)])
    for found in (
        fit_odds(histogram(probabilities, labels), overlapping=False),
        fit_classes(probabilities.astype(np.float32).reshape(2, -1), labels.ravel()),
    ):
        assert 0.049 < found.temperature < 20.1
        assert np.isfinite(found.shift).all()
        assert max(np.abs(found.shift)) < 60


def test_histograms_of_several_exclusive_classes_are_refused():
    curve = ScoreHistogram.empty(3)
    with pytest.raises(SettingError, match="got 3 exclusive"):
        fit_odds(curve, overlapping=False)
    with pytest.raises(SettingError, match="3 exclusive classes cannot be moved"):
        rebinned(curve, Scaling(1.0, (0.0,) * 3), overlapping=False)
    assert fit_odds(curve, overlapping=True).idle

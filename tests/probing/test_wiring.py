"""What the loss wants, what weighs what, from values of the loss alone."""

import numpy as np
import pytest
import torch
from tests.probing import fakes

from rareseg.probing import chosen
from rareseg.probing.wiring import Questions, wanted_form, wiring_evidence

LOSSES = [
    (fakes.softmax_cross_entropy, 2, "logits"),
    (fakes.softmax_cross_entropy, 3, "logits"),
    (fakes.smoothed, 3, "logits"),
    (fakes.focal, 3, "logits"),
    (fakes.sigmoid_cross_entropy, 1, "logits"),
    (fakes.sigmoid_cross_entropy, 3, "logits"),
    (fakes.dice, 1, "logits"),
    (fakes.probability_cross_entropy, 3, "probabilities"),
    (fakes.probability_binary, 1, "probabilities"),
    (fakes.probability_binary, 3, "probabilities"),
    (fakes.strict_binary, 1, "probabilities"),
    (fakes.probability_dice, 1, "probabilities"),
    (fakes.squared, 1, "probabilities"),
    (fakes.log_probability, 3, "log-probabilities"),
]


@pytest.mark.parametrize(("loss", "channels", "wants"), LOSSES)
def test_what_a_loss_wants_is_told_from_its_values(loss, channels, wants):
    given = fakes.rare_batch(classes=max(channels, 2))
    subject = fakes.FakeSubject(loss, fakes.constant(0.0, channels))
    asked = Questions(subject, given, channels)
    assert wanted_form(asked.loss, asked.truth) == wants


def _found(loss, answers, classes=2, **given):
    names = ("background", "road", "water")[:classes]
    subject = fakes.FakeSubject(loss, answers, names, **given)
    return wiring_evidence(subject, fakes.rare_batch(classes=classes), classes - 1)


def test_a_softmax_does_not_mind_a_shift_and_sigmoids_do():
    assert _found(fakes.softmax_cross_entropy, fakes.noise(3), 3).moved_by_shift == pytest.approx(0, abs=1e-5)
    assert _found(fakes.sigmoid_cross_entropy, fakes.noise(3), 3).moved_by_shift > 0.01


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 20.0), (5.0, 1.0)])
def test_effective_weights_are_those_of_the_loss(weights):
    def loss(logits, labels):
        return fakes.softmax_cross_entropy(logits, labels, weight=torch.tensor(weights))

    found = _found(loss, fakes.noise(2)).effective_weights
    assert found == pytest.approx((1.0, weights[1] / weights[0]), rel=0.05)


def test_positive_weight_of_one_channel_is_found():
    def loss(logits, labels):
        return fakes.sigmoid_cross_entropy(logits, labels, pos_weight=torch.tensor(30.0))

    assert _found(loss, fakes.noise(1)).effective_weights == pytest.approx((1.0, 30.0), rel=0.05)


def test_a_ratio_is_told_from_a_mean_over_pixels():
    assert _found(fakes.sigmoid_cross_entropy, fakes.noise(1)).dice_like < 0.01
    assert _found(fakes.focal, fakes.noise(2)).dice_like < 0.01
    assert _found(fakes.dice, fakes.noise(1)).dice_like > 0.05


def test_the_slope_at_rare_pixels_is_their_share_of_the_loss():
    found = _found(fakes.softmax_cross_entropy, fakes.constant(0.0, 2))
    assert found.rare_slope == pytest.approx(0.05, abs=0.02)


def test_dice_on_empty_labels_punishes_claims_less_than_cross_entropy_does():
    assert _found(fakes.softmax_cross_entropy, fakes.noise(2)).empty_slope > 0.9
    assert abs(_found(fakes.dice, fakes.constant(0.0, 1)).empty_slope) < 0.1


def test_what_the_loss_raises_is_kept():
    found = _found(fakes.strict_binary, fakes.constant(3.0, 1))
    assert found.loss_now is None
    assert "between 0 and 1" in found.loss_error


def test_activation_is_read_from_answers():
    softmax = lambda given: np.full((4, 2, 400), 0.5, np.float32)  # noqa: E731
    assert _found(fakes.probability_cross_entropy, softmax).activation == "softmax"
    assert _found(fakes.sigmoid_cross_entropy, fakes.constant(1.0, 1)).activation == "constant"
    assert _found(fakes.softmax_cross_entropy, fakes.noise(3), 3).activation == "none"


def test_prior_and_wrong_answers_cost_what_they_should():
    given = fakes.rare_batch()
    found = wiring_evidence(fakes.FakeSubject(fakes.softmax_cross_entropy, fakes.noise(2)), given, 1)
    share = float((given.labels == 1).mean())
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found.loss_at_prior == pytest.approx(entropy, rel=1e-3)
    assert found.loss_at_even == pytest.approx(np.log(2), rel=1e-4)
    assert found.loss_at_wrong == pytest.approx(share * 2 * chosen.SURE, rel=1e-2)

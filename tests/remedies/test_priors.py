import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.remedies.priors import (
    LEAST_SHARE,
    entropy,
    log_odds,
    log_prior,
    shift,
)

SHARES = (0.6293, 0.2546, 0.1161)


def softmax(logits):
    power = np.exp(logits - logits.max(-1, keepdims=True))
    return power / power.sum(-1, keepdims=True)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits)))


def test_softmax_of_log_prior_gives_the_shares():
    assert softmax(log_prior(SHARES)) == pytest.approx(SHARES)
    assert softmax(log_prior([2 * share / 3 for share in SHARES])) == pytest.approx(SHARES)


def test_sigmoid_of_log_odds_gives_the_shares():
    assert sigmoid(log_odds((0.04, 0.9, 0.5))) == pytest.approx((0.04, 0.9, 0.5))


def test_log_odds_is_the_difference_of_two_log_priors():
    negative, positive = log_prior((0.96, 0.04))
    assert log_odds([0.04])[0] == pytest.approx(positive - negative)


def test_absent_and_only_classes_stay_finite():
    assert log_prior((1.0, 0.0))[1] == pytest.approx(np.log(LEAST_SHARE), abs=1e-5)
    assert log_odds((0.0, 1.0)) == pytest.approx([-log_odds([1.0])[0], log_odds([1.0])[0]])
    assert np.isfinite(log_odds((0.0, 1.0))).all()


def test_entropy_is_the_cross_entropy_of_a_network_at_the_prior():
    answers = np.log(softmax(log_prior(SHARES)))
    assert entropy(SHARES) == pytest.approx(-np.dot(SHARES, answers))


def test_entropy_in_its_limits():
    assert entropy((0.25,) * 4) == pytest.approx(np.log(4))
    assert entropy((1.0, 0.0)) == 0


LIKELIHOOD = np.random.default_rng(0).dirichlet(np.full(40, 3.0), 3)
"""p(x | class) of 40 feature values for three classes: everything else follows from it."""


def posterior(shares):
    """p(class | x), (40, classes), where classes have these shares."""
    joint = LIKELIHOOD.T * np.asarray(shares)
    return joint / joint.sum(axis=1, keepdims=True)


def trained(loss, count=400):
    """Logits (40, 3) that minimise a convex loss(logits) -> gradient, by plain descent to its end."""
    logits = np.zeros((40, 3))
    for _ in range(count * 50):
        logits -= loss(logits)
    return logits


def weighted_gradient(weights, drawn, adjustment):
    """Gradient of the weighted, logit-adjusted cross-entropy at each x, samples drawn with shares `drawn`."""
    target = posterior(drawn) * np.asarray(weights)
    total = target.sum(axis=1, keepdims=True)
    added = adjustment * log_prior(SHARES)
    return lambda logits: (softmax(logits + added) * total - target) / total


@pytest.mark.parametrize(
    ("weights", "drawn", "adjustment"),
    [
        ((0.5, 1.5, 4.0), None, 0.0),
        (None, (0.3, 0.3, 0.4), 0.0),
        (None, None, 1.0),
        (None, None, 0.5),
        ((0.5, 1.5, 4.0), (0.3, 0.3, 0.4), 0.7),
    ],
)
def test_what_training_shifts_comes_off_again(weights, drawn, adjustment):
    """The logits at which the loss is least, found by descent, less the shift, are the honest posterior's."""
    logits = trained(weighted_gradient(weights or (1, 1, 1), drawn or SHARES, adjustment))
    moved = shift(SHARES, weights=weights, drawn=drawn, adjustment=adjustment)
    assert softmax(logits - moved) == pytest.approx(posterior(SHARES), abs=1e-6)
    assert np.abs(softmax(logits) - posterior(SHARES)).max() > 0.05
    assert moved[0] == 0, "the most frequent class is where shifts are counted from"


@pytest.mark.parametrize("adjustment", [0.0, 1.0])
def test_odds_are_shifted_class_by_class(adjustment):
    """A class seen with p(x | it) and p(x | not it): the odds in training, less the shift, are those in use."""
    share, drawn = 0.04, 0.3
    ratio = np.log(LIKELIHOOD[0]) - np.log(LIKELIHOOD[1])
    honest, seen = ratio + log_odds([share])[0], ratio + log_odds([drawn])[0]
    answered = seen - adjustment * log_odds([share])[0]
    moved = shift((0.5, share), overlapping=True, drawn=(0.5, drawn), adjustment=adjustment)
    assert answered - moved[1] == pytest.approx(honest)
    assert moved[0] == pytest.approx(0)


def test_the_shift_of_two_classes_is_that_of_their_odds():
    two = shift((0.96, 0.04), drawn=(0.7, 0.3), adjustment=0.5)
    one = shift((0.04,), overlapping=True, drawn=(0.3,), adjustment=0.5)
    assert two[1] - two[0] == pytest.approx(one[0])


def test_nothing_done_shifts_nothing():
    assert shift(SHARES) == pytest.approx([0, 0, 0])
    assert shift(SHARES, weights=(2, 2, 2), drawn=SHARES) == pytest.approx([0, 0, 0])
    assert shift(SHARES, overlapping=True, drawn=SHARES) == pytest.approx([0, 0, 0])


def test_what_was_never_seen_stays_finite_and_moves_no_other():
    plain = shift((0.9, 0.1), weights=(1.0, 3.0), drawn=(0.6, 0.4))
    for weights, drawn in (((1.0, 3.0, 0.0), (0.6, 0.4, 0.0)), ((1.0, 3.0, 5.0), (0.6, 0.4, 0.0))):
        found = shift((0.9, 0.1, 0.0), weights=weights, drawn=drawn)
        assert np.isfinite(found).all()
        assert found[:2] == pytest.approx(plain, abs=1e-4)
    # A class that occurs but was never drawn, or weighs nothing, is moved by the other terms alone.
    never_drawn = shift((0.8, 0.1, 0.1), drawn=(0.6, 0.4, 0.0))
    assert never_drawn == pytest.approx(
        [0, np.log(0.4 / 0.1) - np.log(0.6 / 0.8), -np.log(0.6 / 0.8)], abs=1e-5
    )
    weightless = shift((0.8, 0.1, 0.1), weights=(2.0, 3.0, 0.0))
    assert weightless == pytest.approx([0, np.log(3 / 2), -np.log(2)])
    assert np.isfinite(shift((0.9, 0.1, 0.0), adjustment=1.0)).all()
    assert np.isfinite(shift((0.0, 1.0), overlapping=True, drawn=(0.5, 1.0), adjustment=1.0)).all()


@pytest.mark.parametrize("shares", [(), (0.5, -0.1), (1.2,), (0.0, 0.0), (float("nan"), 0.5), ((0.5, 0.5),)])
def test_shares_that_are_none_are_refused(shares):
    for function in (log_prior, log_odds, entropy):
        with pytest.raises(SettingError, match="shares must be one number in 0..1 per class"):
            function(shares)


def test_shifts_that_cannot_be_made_are_refused():
    with pytest.raises(SettingError, match="shares must be one number in 0..1 per class"):
        shift((1.5, 0.5))
    with pytest.raises(SettingError, match="drawn must hold 3 numbers, one per class"):
        shift(SHARES, drawn=(0.5, 0.5))
    with pytest.raises(SettingError, match="shares must be one number in 0..1 per class"):
        shift(SHARES, drawn=(0.5, 0.5, float("nan")))
    with pytest.raises(SettingError, match="weights must hold 3 numbers"):
        shift(SHARES, weights=(1, 1))
    for weights in ((0, 0, 0), (1, -1, 1), (1, float("inf"), 1)):
        with pytest.raises(SettingError, match="weights must be finite, not below 0 and not all 0"):
            shift(SHARES, weights=weights)
    with pytest.raises(SettingError, match="weights shift nothing where classes overlap"):
        shift(SHARES, weights=(1, 2, 3), overlapping=True)

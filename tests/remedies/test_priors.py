import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.remedies.priors import (
    LEAST_SHARE,
    entropy,
    log_odds,
    log_prior,
    undo_sampling_shift,
    undo_sampling_shift_of_odds,
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


def test_undoing_the_shift_is_bayes_rule():
    """One feature value x, p(x | class) known: the posterior under other shares follows from the first."""
    likelihood = np.array([0.2, 0.5, 0.9])
    drawn, met = np.full(3, 1 / 3), np.array(SHARES)
    posterior = likelihood * drawn / (likelihood * drawn).sum()
    expected = likelihood * met / (likelihood * met).sum()
    assert softmax(undo_sampling_shift(np.log(posterior), drawn, met)) == pytest.approx(expected)


def test_shifts_there_and_back_cancel():
    logits = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)
    there = undo_sampling_shift(logits, (1 / 3,) * 3, SHARES)
    assert undo_sampling_shift(there, SHARES, (1 / 3,) * 3) == pytest.approx(logits)
    assert undo_sampling_shift(logits, SHARES, SHARES) == pytest.approx(logits)


def test_odds_shift_like_two_classes():
    logit = np.array([[0.3, -2.0]])
    pair = np.stack([np.zeros_like(logit), logit], axis=-1)
    moved = undo_sampling_shift(pair, (0.5, 0.5), (0.96, 0.04))
    assert undo_sampling_shift_of_odds(logit, 0.5, 0.04) == pytest.approx(moved[..., 1] - moved[..., 0])


@pytest.mark.parametrize("shares", [(), (0.5, -0.1), (1.2,), (0.0, 0.0), (float("nan"), 0.5), ((0.5, 0.5),)])
def test_shares_that_are_none_are_refused(shares):
    for function in (log_prior, log_odds, entropy):
        with pytest.raises(SettingError, match="shares must be one number in 0..1 per class"):
            function(shares)


def test_shifts_that_cannot_be_made_are_refused():
    logits = np.zeros((2, 2))
    for before, after in (((0.5, 0.5), (1.0, 0.0)), ((1.0, 0.0), (0.5, 0.5)), ((0.5, 0.5), (0.3, 0.3, 0.4))):
        with pytest.raises(SettingError, match="same number of classes and no share of 0"):
            undo_sampling_shift(logits, before, after)
    with pytest.raises(SettingError, match=r"logits must end in an axis of 3 classes; got shape \(2, 2\)"):
        undo_sampling_shift(logits, SHARES, SHARES)
    with pytest.raises(SettingError, match=r"from_share must lie between 0 and 1, without either; got 0"):
        undo_sampling_shift_of_odds(logits, 0, 0.5)
    with pytest.raises(SettingError, match=r"to_share must lie between 0 and 1"):
        undo_sampling_shift_of_odds(logits, 0.5, 1.0)

"""Logits, probabilities and log-odds, each from the other."""

import numpy as np
import pytest

from rareseg.measures.probabilities import log_odds, odds_against_rest, sigmoid, softmax


@pytest.fixture
def logits():
    return (np.random.default_rng(0).normal(size=(2, 4, 30)) * 3).astype(np.float32)


def test_softmax_and_its_log_odds_agree(logits):
    shares = softmax(logits)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    raised = np.exp(logits.astype(np.float64))
    exact = log_odds(raised / raised.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(odds_against_rest(logits), exact, atol=1e-4)
    assert shares.dtype == odds_against_rest(logits).dtype == np.float32


def test_of_two_classes_softmax_is_the_sigmoid_of_the_difference(logits):
    two = logits[:, :2]
    np.testing.assert_allclose(softmax(two)[:, 1], sigmoid(two[:, 1] - two[:, 0]), atol=1e-6)
    np.testing.assert_allclose(odds_against_rest(two)[:, 1], two[:, 1] - two[:, 0], atol=1e-4)


def test_sure_answers_overflow_nothing_and_keep_their_order():
    sure = np.array([[[-200.0, 0.0, 40.0, 50.0], [0.0, 0.0, 0.0, 0.0]]], np.float32)
    np.testing.assert_array_equal(sigmoid(sure[0, 0, :2]), [0, 0.5])
    odds = odds_against_rest(sure)[0, 0]
    assert odds.tolist() == sorted(odds.tolist())
    np.testing.assert_allclose(odds, [-200, 0, 40, 50], atol=1e-3)
    assert softmax(sure)[0, 0, 3] == 1

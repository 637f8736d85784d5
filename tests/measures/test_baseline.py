import math

import numpy as np
import pytest

from rareseg.measures.baseline import constant_predictor
from rareseg.measures.confusion import Confusion, mean_of_present


def test_scores_are_those_of_the_map_that_gives_the_majority() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, (50, 60), p=[0.2, 0.7, 0.1, 0.0]).astype(np.uint8)
    pixels = np.bincount(labels.ravel(), minlength=4)
    constant = constant_predictor(pixels.tolist(), labels.size, "abcd", overlapping=False)
    scores = Confusion.count(np.ones_like(labels), labels, classes=4, overlapping=False)
    assert constant.answer == "b"
    assert constant.accuracy == pytest.approx(scores.accuracy)
    assert constant.macro_iou == pytest.approx(mean_of_present(scores.iou()))


def test_entropy_is_the_least_cross_entropy_of_a_constant() -> None:
    shares = np.array([0.6293, 0.2546, 0.1161])
    constant = constant_predictor(np.rint(shares * 10_000).tolist(), 10_000, "abc", overlapping=False)
    assert constant.entropy == pytest.approx(-(shares * np.log(shares)).sum())
    rng = np.random.default_rng(0)
    for guess in rng.dirichlet([5, 5, 5], 50):
        assert -(shares * np.log(guess)).sum() >= constant.entropy


def test_overlapping_classes_are_answered_one_by_one() -> None:
    constant = constant_predictor([80, 10, 0, 51], 100, ["a", "b", "c", "d"], overlapping=True)
    assert constant.answer == "a + d"
    assert constant.accuracy == pytest.approx((0.8 + 0.9 + 1.0 + 0.51) / 4)
    assert constant.macro_iou == pytest.approx((0.8 + 0.0 + 0.51) / 3)
    binary = [-p * math.log(p) - (1 - p) * math.log(1 - p) for p in (0.8, 0.1, 0.51)]
    assert constant.entropy == pytest.approx(sum(binary))
    assert constant_predictor([5], 100, ["a"], overlapping=True).answer == "no class"


def test_one_class_alone_surprises_nobody() -> None:
    constant = constant_predictor([0, 100], 100, ["a", "b"], overlapping=False)
    assert (constant.answer, constant.accuracy, constant.macro_iou) == ("b", 1.0, 1.0)
    assert constant.entropy == 0


def test_nothing_labelled() -> None:
    constant = constant_predictor([0, 0], 0, ["a", "b"], overlapping=False)
    assert (constant.answer, constant.accuracy, constant.entropy) == ("nothing labelled", 0.0, 0.0)

"""clDice of masks against its formula, with scikit-image's skeletons."""

import cv2
import numpy as np
import pytest
from skimage.morphology import skeletonize

from rareseg.measures.cldice import ClDiceCounts, cldice_counts


@pytest.mark.parametrize("seed", range(10))
def test_equals_the_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = [cv2.GaussianBlur(rng.random((80, 70), np.float32), (0, 0), 2) for _ in range(2)]
    predicted, truth = maps[0] > 0.5, maps[0] + maps[1] > 1
    ours, theirs = skeletonize(predicted), skeletonize(truth)
    precision, sensitivity = (ours & truth).sum() / ours.sum(), (theirs & predicted).sum() / theirs.sum()
    counts = cldice_counts(predicted, truth, np.ones(truth.shape, np.bool_))
    assert counts.precision == pytest.approx(precision)
    assert counts.sensitivity == pytest.approx(sensitivity)
    assert counts.score == pytest.approx(2 * precision * sensitivity / (precision + sensitivity))


def test_identical_empty_absent_and_sums() -> None:
    truth = np.zeros((30, 60), np.bool_)
    truth[13:18, 5:55] = True
    every = truth | True
    assert cldice_counts(truth, truth, every).score == 1
    assert cldice_counts(truth & False, truth, every).score == 0
    assert cldice_counts(truth, truth & False, every).score is None
    assert ClDiceCounts().score is None
    both = cldice_counts(truth, truth, every) + cldice_counts(truth & False, truth, every)
    assert both.sensitivity == 0.5
    assert both.precision == 1


def test_void_neither_counts_nor_breaks() -> None:
    predicted = np.zeros((30, 60), np.bool_)
    predicted[13:18, 5:55] = True
    truth, counted = predicted.copy(), np.ones((30, 60), np.bool_)
    truth[:, 20:30] = counted[:, 20:30] = False
    assert cldice_counts(predicted, truth, counted).score == 1
    assert cldice_counts(predicted, truth, counted & False).score is None

import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.operating import (
    precision_at_recall,
    precision_recall_points,
    recall_at_precision,
    roc_points,
)


def counted(seed=0, separation=3.0, share=0.04, shape=(300, 400), step=0.0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(shape) < share).astype(np.uint8)
    odds = rng.normal(size=shape) * 2 + separation * labels - 3
    odds = np.round(odds / step) * step if step else odds
    odds = odds.astype(np.float32)
    return ScoreHistogram.count(np.stack([-odds, odds]), labels, overlapping=False)


def all_points(curve, index):
    """Recall and precision at every bin, by falling threshold."""
    hits, given = curve.from_top(index)
    used = np.flatnonzero(curve.positives[index] + curve.negatives[index])[::-1]
    return hits[used] / hits[0], hits[used] / given[used], given[used]


CURVES = [
    {},
    {"separation": 0.0},
    {"separation": 9.0},
    {"separation": -3.0},
    {"share": 0.0005},
    {"step": 1.0},
    {"shape": (2, 30)},
]


@pytest.mark.parametrize("made", CURVES)
@pytest.mark.parametrize("most", [3, 20, 200])
def test_points_lie_on_the_curve_with_both_ends_and_the_best(made, most):
    curve = counted(**made)
    points = precision_recall_points(curve, 1, most=most)
    recall, precision, _ = all_points(curve, 1)
    assert 1 < len(points) <= most
    assert points[0][1:3] == pytest.approx((precision[0], recall[0]))
    assert points[-1][1:3] == pytest.approx((precision[-1], 1.0))
    assert curve.best()[1] in points
    thresholds = [point.threshold for point in points]
    assert thresholds == sorted(set(thresholds), reverse=True)
    for point in points:
        assert curve.at(1, point.threshold) == pytest.approx(point)


@pytest.mark.parametrize("made", CURVES)
def test_points_keep_the_shape(made):
    curve = counted(**made)
    points = precision_recall_points(curve, 1)
    recall, precision, _ = all_points(curve, 1)
    drawn = np.trapezoid([point.precision for point in points], [point.recall for point in points])
    assert drawn == pytest.approx(np.trapezoid(precision, recall), abs=2e-3)
    # From one to the next, recall rises a little, or to the next value that it takes.
    there = np.array([point.recall for point in points])
    places = np.searchsorted(np.unique(recall), there)
    assert ((np.diff(there) <= 4 / 200) | (np.diff(places) <= 1)).all()


def test_a_class_whose_best_scores_are_wrong_keeps_its_dip():
    odds = np.linspace(-5, 5, 10_000, dtype=np.float32)
    labels = ((odds > 0) & (odds < 3)).astype(np.uint8)
    curve = ScoreHistogram.count(odds[None, None], labels[None], overlapping=True)
    points = precision_recall_points(curve, 0)
    assert points[0].precision == 0
    rising = [point.precision for point in points if 0 < point.recall < 1]
    assert rising == sorted(rising) and len(rising) > 50


@pytest.mark.parametrize("made", CURVES)
def test_roc_points(made):
    curve = counted(**made)
    points = roc_points(curve, 1)
    assert points[0] == (1.0, 0.0, 0.0) and points[-1][1:] == (1.0, 1.0)
    assert len(points) <= 200
    false, recall = np.array([point[1:] for point in points]).T
    assert (np.diff(false) >= 0).all() and (np.diff(recall) >= 0).all()
    assert np.trapezoid(recall, false) == pytest.approx(curve.roc_area()[1], abs=0.01)
    for point in points[1:]:
        assert curve.at(1, point.threshold).recall == pytest.approx(point.recall)


@pytest.mark.parametrize("made", CURVES)
@pytest.mark.parametrize("wanted", [0.01, 0.3, 0.5, 0.9, 1.0])
def test_thresholds_for_a_wanted_score_are_the_best_of_all(made, wanted):
    curve = counted(**made)
    recall, precision, _ = all_points(curve, 1)
    found = precision_at_recall(curve, 1, wanted)
    assert found is not None and found.recall >= wanted
    assert found.precision == pytest.approx(precision[recall >= wanted].max())
    assert curve.at(1, found.threshold) == pytest.approx(found)
    found = recall_at_precision(curve, 1, wanted)
    if not (precision >= wanted).any():
        assert found is None
    else:
        assert found.precision >= wanted
        assert found.recall == pytest.approx(recall[precision >= wanted].max())
        assert curve.at(1, found.threshold) == pytest.approx(found)


def test_of_equal_precision_the_highest_recall_and_the_reverse():
    odds = np.array([[[4, 3, 2, 1, 0, -1]]], np.float32)
    labels = np.array([[1, 1, 0, 1, 0, 0]], np.uint8)
    curve = ScoreHistogram.count(odds, labels, overlapping=True)
    found = precision_at_recall(curve, 0, 0.1)
    assert (found.precision, found.recall) == (1.0, pytest.approx(2 / 3))
    found = recall_at_precision(curve, 0, 0.5)
    # All three are found among the first four; of the first five and six, fewer are right.
    assert (found.precision, found.recall) == (0.75, 1.0)
    assert recall_at_precision(curve, 0, 0.8).recall == pytest.approx(2 / 3)


def test_absent_classes_and_those_that_are_everywhere():
    absent = counted(share=0.0)
    assert precision_recall_points(absent, 1) == () == roc_points(absent, 1)
    assert precision_at_recall(absent, 1, 0.5) is None is recall_at_precision(absent, 1, 0.5)
    # Class 0 is then everywhere: precision is 1 throughout, and there is nothing to rank it against.
    assert {point.precision for point in precision_recall_points(absent, 0)} == {1.0}
    assert roc_points(absent, 0) == ()
    empty = ScoreHistogram.empty(1)
    assert precision_recall_points(empty, 0) == () == roc_points(empty, 0)
    assert precision_at_recall(empty, 0, 0.5) is None is recall_at_precision(empty, 0, 0.5)


def test_one_score_is_one_point():
    curve = ScoreHistogram.count(
        np.zeros((1, 1, 4), np.float32), np.array([[0, 1, 0, 0]], np.uint8), overlapping=True
    )
    (point,) = precision_recall_points(curve, 0)
    assert point == curve.best()[0]
    assert roc_points(curve, 0)[1:][0][1:] == (1.0, 1.0)


def test_errors():
    curve = counted(shape=(10, 10), share=0.5)
    with pytest.raises(SettingError, match="at least 3 points of a curve, got 2"):
        precision_recall_points(curve, 1, most=2)
    for index in (-1, 2):
        with pytest.raises(SettingError, match=f"class index from 0 to 1, got {index}"):
            roc_points(curve, index)
    for wanted in (0, 1.1, float("nan")):
        with pytest.raises(SettingError, match="Expected a recall above 0 and at most 1"):
            precision_at_recall(curve, 1, wanted)
        with pytest.raises(SettingError, match="Expected a precision above 0 and at most 1"):
            recall_at_precision(curve, 1, wanted)

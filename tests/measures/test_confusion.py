from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.confusion import Confusion, mean_of_present
from rareseg.records.dataset import VOID


def maps(
    seed: int, classes: int, shape: tuple[int, int] = (70, 90)
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, shape).astype(np.uint8)
    predicted = np.where(rng.random(shape) < 0.6, labels, rng.integers(0, classes, shape)).astype(np.uint8)
    labels[rng.random(shape) < 0.1] = VOID
    return predicted, labels


def masks(array: NDArray[np.uint8], k: int, overlapping: bool) -> NDArray[Any]:
    return (array >> k) & 1 == 1 if overlapping else array == k


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_those_of_sets_of_pixels(classes: int, overlapping: bool) -> None:
    predicted, labels = maps(0, 1 << classes if overlapping else classes)
    confusion = Confusion.count(predicted, labels, classes=classes, overlapping=overlapping)
    counted = labels != VOID
    assert confusion.counted == counted.sum()
    right = []
    for k in range(classes):
        given = masks(predicted, k, overlapping) & counted
        true = masks(labels, k, overlapping) & counted
        both = (given & true).sum()
        assert confusion.pixels[k] == true.sum()
        assert confusion.iou()[k] == pytest.approx(both / (given | true).sum())
        assert confusion.precision()[k] == pytest.approx(both / given.sum())
        assert confusion.recall()[k] == pytest.approx(both / true.sum())
        assert confusion.f1()[k] == pytest.approx(2 * both / (given.sum() + true.sum()))
        right.append((given == true)[counted].mean())
    expected = np.mean(right) if overlapping else (predicted == labels)[counted].mean()
    assert confusion.accuracy == pytest.approx(expected)


@pytest.mark.parametrize("overlapping", [False, True])
def test_windows_add_up(overlapping: bool) -> None:
    predicted, labels = maps(1, 4, (600, 500))  # more pixels than are coded at a time
    settings: dict[str, Any] = {"classes": 2 if overlapping else 4, "overlapping": overlapping}
    whole = Confusion.count(predicted, labels, **settings)
    parts = Confusion.empty(**settings)
    for rows in (slice(0, 7), slice(7, 300), slice(300, None)):
        parts += Confusion.count(predicted[rows], labels[rows], **settings)
    np.testing.assert_array_equal(whole.counts, parts.counts)
    assert whole.counts.sum() == (labels != VOID).sum() * (2 if overlapping else 1)


def test_absent_class_is_not_measurable_and_leaves_the_means_alone() -> None:
    labels = np.array([[0, 0, 1, 1]], np.uint8)
    predicted = np.array([[0, 2, 1, 1]], np.uint8)
    confusion = Confusion.count(predicted, labels, classes=4, overlapping=False)
    for scores in (confusion.iou(), confusion.f1(), confusion.precision(), confusion.recall()):
        assert scores[2] is None and scores[3] is None
    assert confusion.iou()[:2] == (0.5, 1.0)
    assert mean_of_present(confusion.iou()) == 0.75
    assert mean_of_present((None, None)) is None


def test_class_that_is_never_given_scores_zero() -> None:
    labels = np.array([[0, 1]], np.uint8)
    confusion = Confusion.count(np.zeros_like(labels), labels, classes=2, overlapping=False)
    assert (confusion.precision()[1], confusion.recall()[1], confusion.f1()[1]) == (0.0, 0.0, 0.0)


def test_nothing_counted() -> None:
    nothing = Confusion.empty(3, overlapping=False)
    assert nothing.accuracy is None
    assert nothing.iou() == (None, None, None)


def test_predictions_on_void_may_be_anything() -> None:
    labels = np.full((3, 3), VOID, np.uint8)
    predicted = np.full((3, 3), 77, np.uint8)
    assert Confusion.count(predicted, labels, classes=2, overlapping=False).counted == 0


def test_strange_values_are_errors() -> None:
    predicted, labels = maps(2, 3)
    with pytest.raises(
        DataError, match=r"Expected labels 0..1 where pixels are counted, but \d+ pixels hold 2\."
    ):
        Confusion.count(predicted, labels, classes=2, overlapping=False)
    labels[:], predicted[:] = 0, 3
    with pytest.raises(DataError, match=r"Expected predictions 0..2 .* 6300 pixels hold 3\."):
        Confusion.count(predicted, labels, classes=3, overlapping=False)


def test_shapes_and_kinds_must_agree() -> None:
    predicted, labels = maps(2, 2)
    with pytest.raises(SettingError, match=r"one shape, got \(69, 90\) and \(70, 90\)"):
        Confusion.count(predicted[1:], labels, classes=2, overlapping=False)
    with pytest.raises(SettingError, match=r"\(2, 2\) and \(3, 3\) cannot be added"):
        Confusion.empty(2, overlapping=False) + Confusion.empty(3, overlapping=False)

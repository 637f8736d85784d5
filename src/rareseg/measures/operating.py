"""Where on its curve a class may be run: the curve as few points, and thresholds for a wanted recall or precision."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.curves import Score, ScoreHistogram
from rareseg.measures.score_bins import bin_threshold

MOST_POINTS = 200

Floats = NDArray[np.float64]


class RocPoint(NamedTuple):
    """One point of a ROC curve: a class given from `threshold` (a probability, 0..1) on."""

    threshold: float
    false_positive_rate: float
    """Share of the pixels without the class that are given, 0..1."""
    recall: float


def precision_recall_points(
    curve: ScoreHistogram, index: int, *, most: int = MOST_POINTS
) -> tuple[Score, ...]:
    """Return the precision-recall curve of class `index` as points to draw, by falling threshold.

    All lie on the curve: `curve.at(index, point.threshold)` gives the same. Among them are both ends (the highest
    score alone, and everything given) and the best one, with the threshold of `curve.best`. Points are evenly apart
    along recall plus precision without its saw teeth (the greatest precision at that recall or above), so that from
    one to the next both change by at most 4 / most, unless no pixel's score lies between them.

    Args:
        curve: what was counted.
        index: of the class.
        most: points at most, 3 or more; fewer where there are fewer scores.

    Returns:
        Nothing if no pixel holds the class.

    Raises:
        SettingError: if there is no such class or `most` is below 3.
    """
    _check(curve, index, most)
    best = curve.best()[index]
    if best is None:
        return ()
    used, hits, given = _sweep(curve, index)
    true = int(hits[-1])
    f1 = 2 * hits / (given + true)
    # The lowest of equally good bins, as in ScoreHistogram.best.
    peak = f1.size - 1 - int(f1[::-1].argmax())
    points = [
        _score(bin_threshold(int(used[place])), int(hits[place]), int(given[place]), true)
        if place != peak
        else best
        for place in chosen(hits / true, hits / given, peak, most)
    ]
    return tuple(points)


def roc_points(curve: ScoreHistogram, index: int, *, most: int = MOST_POINTS) -> tuple[RocPoint, ...]:
    """Return the ROC curve of class `index` as points to draw, by falling threshold, from (0, 0) to (1, 1).

    Evenly apart along recall plus false positive rate. Nothing if no pixel holds the class, or every one does.
    Arguments and errors as in `precision_recall_points`; the first point's threshold of 1 stands for "nothing given".
    """
    _check(curve, index, most)
    used, hits, given = _sweep(curve, index)
    if not used.size or not hits[-1] or hits[-1] == given[-1]:
        return ()
    false = given - hits
    recall, fall_out = hits / hits[-1], false / false[-1]
    places = _even(recall + fall_out, most - 1)
    points = [
        RocPoint(bin_threshold(int(used[place])), float(fall_out[place]), float(recall[place]))
        for place in places
    ]
    return (RocPoint(1.0, 0.0, 0.0), *points)


def precision_at_recall(curve: ScoreHistogram, index: int, recall: float) -> Score | None:
    """Return the scores where precision is highest among all thresholds that reach `recall`; None: class absent.

    Of equal ones, that of the highest recall. As torchmetrics' PrecisionAtFixedRecall.

    Raises:
        SettingError: if there is no such class, or the recall is not above 0 and at most 1.
    """
    _check_share("recall", recall)
    _check(curve, index)
    used, hits, given = _sweep(curve, index)
    if not hits.size or not hits[-1]:
        return None
    precision = np.where(hits / hits[-1] >= recall, hits / given, -1.0)
    return curve.score_from(index, int(used[_last_greatest(precision)]))


def recall_at_precision(curve: ScoreHistogram, index: int, precision: float) -> Score | None:
    """Return the scores where recall is highest among all thresholds that reach `precision`.

    Of equal ones, that of the highest precision. None if no threshold reaches it, or the class is absent.
    As torchmetrics' RecallAtFixedPrecision.

    Raises:
        SettingError: if there is no such class, or the precision is not above 0 and at most 1.
    """
    _check_share("precision", precision)
    _check(curve, index)
    used, hits, given = _sweep(curve, index)
    reached = np.flatnonzero(hits / np.maximum(given, 1) >= precision)
    if not reached.size:
        return None
    # The lowest threshold reaches the highest recall; of those that reach it too, the highest is the most precise.
    return curve.score_from(index, int(used[np.searchsorted(hits, hits[reached[-1]])]))


def chosen(recall: Floats, precision: Floats, peak: int, most: int) -> list[int]:
    """Return the places of at most `most` points of a curve, by falling threshold: both ends, `peak`, and even steps.

    `recall` rises; steps are even along recall plus the greatest precision from each place on.
    """
    top = np.maximum.accumulate(precision[::-1])[::-1]
    even = _even(recall - top, most - 1)
    return sorted({*even, peak})


def _even(along: Floats, most: int) -> list[int]:
    """Return at most `most` places, first and last among them, evenly apart along a coordinate that rises."""
    if along.size <= most:
        return list(range(along.size))
    span = along[-1] - along[0]
    places: set[int] = set()
    # Both sides of a leap belong to the curve's shape; leaps are as many as marks at most.
    for count in (most, most // 2):
        marks = np.linspace(along[0], along[-1], max(count, 2))[1:-1]
        after = np.unique(np.searchsorted(along, marks).clip(1, along.size - 1))
        leaps = [place - 1 for place in after if along[place] - along[place - 1] > span / max(count - 1, 1)]
        places = {0, along.size - 1, *map(int, after), *map(int, leaps)}
        if len(places) <= most:
            break
    return sorted(places)


def _sweep(
    curve: ScoreHistogram, index: int
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Return the bins that hold a pixel, highest first, and hits and given pixels from each on."""
    used = np.flatnonzero(curve.positives[index] + curve.negatives[index])[::-1]
    hits, given = curve.from_top(index)
    return used, hits[used], given[used]


def _last_greatest(values: Floats) -> int:
    return values.size - 1 - int(values[::-1].argmax())


def _score(threshold: float, hits: int, given: int, true: int) -> Score:
    return Score(
        threshold, hits / given, hits / true, 2 * hits / (given + true), hits / (given + true - hits)
    )


def _check(curve: ScoreHistogram, index: int, most: int = MOST_POINTS) -> None:
    if not 0 <= index < len(curve.positives):
        message = f"Expected a class index from 0 to {len(curve.positives) - 1}, got {index}."
        raise SettingError(message)
    if most < 3:
        message = f"Expected at least 3 points of a curve, got {most}. {MOST_POINTS} are usual."
        raise SettingError(message)


def _check_share(what: str, value: float) -> None:
    if not 0 < value <= 1:
        message = f"Expected a {what} above 0 and at most 1, got {value}. Give 0.9 for 90 %."
        raise SettingError(message)

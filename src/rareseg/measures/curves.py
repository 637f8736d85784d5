"""Precision-recall curves from histograms of log-odds: one pass, mergeable, no sorting.

A class's log-odds fall into 65,536 even bins over [-20, 20], 0.0006 wide; pixels of one bin count as
equally scored. Everything else is exact. What that leaves open is known for each histogram: exact average
precision lies between the values that the worst and the best order inside each bin would give
(`average_precision_bounds`). Where some thousand pixels hold the class and scores are spread, average precision
is within 1e-4 of the exact one; where all scores fall into few bins, the bounds say how little is known.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.score_bins import (
    BINS,
    REACH,
    count_bins,
    first_bin,
    from_top,
    middle_threshold,
    score_bins,
)
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID

__all__ = ["BINS", "REACH", "Score", "ScoreHistogram"]

# A call of the histogram costs 0.1 ms, so windows are counted in strips of 4 megapixels (8 MB of bins).
_STRIP = 1 << 22
# Harmonic numbers H_0 to H_1023.
_HARMONIC = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 1024))])


class Score(NamedTuple):
    """What one class scores when given from `threshold` (a probability, 0..1) on."""

    threshold: float
    precision: float
    recall: float
    f1: float
    iou: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class ScoreHistogram:
    """Counts of log-odds per class; `+` merges windows, images and machines.

    `positives` and `negatives` are int64 of shape (classes, 65536): counted pixels that hold the class
    and that do not. Everything derived is None where the class is absent: not measurable.
    """

    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    @classmethod
    def empty(cls, classes: int) -> Self:
        """Return the counts of nothing."""
        return cls(np.zeros((classes, BINS), np.int64), np.zeros((classes, BINS), np.int64))

    @classmethod
    def count(cls, log_odds: NDArray[np.float32], labels: NDArray[np.uint8], *, overlapping: bool) -> Self:
        """Count one window.

        Args:
            log_odds: (classes, height, width), ln(p / (1 - p)) of each class against the rest.
            labels: (height, width), class indices, or bit sets if `overlapping`; 255 counts nowhere.
            overlapping: whether a pixel may belong to several classes.

        Raises:
            SettingError: if the shapes do not fit together.
            DataError: if a log-odds value is not a number.
        """
        if log_odds.shape[1:] != labels.shape:
            message = (
                "Expected log-odds (classes, height, width) and labels (height, width), got "
                f"{log_odds.shape} and {labels.shape}. Map the photo that belongs to this mask."
            )
            raise SettingError(message)
        counted = labels != VOID
        result = cls.empty(len(log_odds))
        for index, plane in enumerate(log_odds):
            holds = members(labels, index, overlapping=overlapping)
            result.positives[index], result.negatives[index] = _count_class(plane, holds, counted, index)
        return result

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels."""
        if self.positives.shape != other.positives.shape:
            message = (
                f"Histograms of {len(self.positives)} and {len(other.positives)} classes cannot be added. "
                "Count both with the same classes."
            )
            raise SettingError(message)
        return type(self)(self.positives + other.positives, self.negatives + other.negatives)

    @property
    def pixels(self) -> tuple[int, ...]:
        """Labelled pixels of each class."""
        return tuple(self.positives.sum(axis=1).tolist())

    def average_precision(self) -> tuple[float | None, ...]:
        """Return the area under each class's precision-recall steps, sum of (R_n - R_(n-1)) P_n, 0..1."""
        return tuple(self._average_precision(index) for index in range(len(self.positives)))

    def average_precision_bounds(self) -> tuple[tuple[float, float] | None, ...]:
        r"""Return, per class, the least and the greatest average precision that the counted pixels may have, 0..1.

        The exact value (by sorting, whatever its ties) lies between both, and so does `average_precision`: its error
        is at most the larger distance to them. In a bin with p positives and n negatives, below H hits and F false:
        least is every negative before the first positive, greatest is all positives at once before any negative.

        .. math:: \frac{1}{T} \sum_b \sum_{i=1}^{p} \frac{H + i}{H + i + F + n} \le AP \le
            \frac{1}{T} \sum_b p \frac{H + p}{H + p + F}
        """
        return tuple(self._bounds(index) for index in range(len(self.positives)))

    def roc_area(self) -> tuple[float | None, ...]:
        """Return the area under each class's ROC curve, 0..1; None where no pixel holds the class, or every one does.

        It is the chance that a pixel of the class scores higher than another pixel; ties count half (Mann & Whitney
        1947). Of a rare class it is near 1 however many false ones there are to each hit: read AP first.
        """
        return tuple(self._roc_area(index) for index in range(len(self.positives)))

    def best(self) -> tuple[Score | None, ...]:
        """Return, per class, the scores at the threshold where F1, and with it IoU, is greatest.

        It is one threshold for both, as IoU = F1 / (2 - F1) rises with F1. Where neighbouring thresholds score the
        same because no pixel lies between them, the middle one.
        """
        return tuple(self._best(index) for index in range(len(self.positives)))

    def at(self, index: int, threshold: float) -> Score | None:
        """Return what class `index` scores when given from probability `threshold`, 0..1, on.

        Raises:
            SettingError: if the threshold is not a probability.
        """
        first = first_bin(threshold)
        hits, given = self.from_top(index)
        if not hits[0]:
            return None
        return _score(threshold, int(hits[first]), int(given[first]), int(hits[0]))

    def from_top(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return hits and given pixels, (65536,) each, if class `index` is given from each bin on."""
        hits = from_top(self.positives[index])
        return hits, hits + from_top(self.negatives[index])

    def score_from(self, index: int, first: int) -> Score | None:
        """Return what class `index` scores when given from bin `first` on, with the middle of equal thresholds."""
        hits, given = self.from_top(index)
        if not hits[0]:
            return None
        threshold = middle_threshold(given, first)
        return _score(threshold, int(hits[first]), int(given[first]), int(hits[0]))

    def _average_precision(self, index: int) -> float | None:
        hits, given = self.from_top(index)
        if not hits[0]:
            return None
        used = np.flatnonzero(self.positives[index])
        return float(np.sum(self.positives[index][used] * (hits[used] / given[used])) / hits[0])

    def _bounds(self, index: int) -> tuple[float, float] | None:
        between = self._average_precision(index)
        if between is None:
            return None
        hits, given = self.from_top(index)
        used = np.flatnonzero(self.positives[index])
        here, false = self.positives[index][used], (given - hits)[used]
        above, false_above = hits[used] - here, false - self.negatives[index][used]
        least = here - false * _harmonic_rise(above + false, here)
        greatest = here * (hits[used] / (hits[used] + false_above))
        # Where bins leave nothing open, rounding must not put the value itself outside.
        return min(float(least.sum() / hits[0]), between), max(float(greatest.sum() / hits[0]), between)

    def _roc_area(self, index: int) -> float | None:
        holds, lacks = self.positives[index].astype(np.float64), self.negatives[index]
        pairs = float(holds.sum()) * float(lacks.sum())
        if not pairs:
            return None
        return float(holds @ (np.cumsum(lacks) - lacks / 2)) / pairs

    def _best(self, index: int) -> Score | None:
        hits, given = self.from_top(index)
        if not hits[0]:
            return None
        return self.score_from(index, int((2 * hits / (given + hits[0])).argmax()))


def _count_class(
    plane: NDArray[np.float32], holds: NDArray[np.bool_], counted: NDArray[np.bool_], index: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the histograms of one class's log-odds (height, width): pixels that hold it, and others."""
    positives, every = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    flat, flat_holds, flat_counted = plane.reshape(-1), holds.reshape(-1), counted.reshape(-1)
    for start in range(0, flat.size, _STRIP):
        part = slice(start, start + _STRIP)
        bins, here = score_bins(flat[part], f"class {index}"), flat_counted[part]
        some, whole = count_bins(bins, flat_holds[part], None if here.all() else here)
        positives += some
        every += whole
    return positives, every - positives


def _harmonic_rise(start: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums 1/(start + 1) + ... + 1/(start + steps), from a table to H_1023 and by Euler's series above."""
    last = len(_HARMONIC) - 1
    end = start + steps
    rise: NDArray[np.float64] = _HARMONIC[np.minimum(end, last)] - _HARMONIC[np.minimum(start, last)]
    low, high = (np.maximum(side, last).astype(np.float64) for side in (start, end))
    # Differences are formed term by term, so that no digits cancel.
    rise += np.log1p((high - low) / low)
    for power, factor in ((1, 1 / 2), (2, -1 / 12)):
        rise += factor * (high**-power - low**-power)
    return rise


def _score(threshold: float, hits: int, given: int, true: int) -> Score:
    precision = hits / given if given else 0.0
    return Score(
        threshold=threshold,
        precision=precision,
        recall=hits / true,
        f1=2 * hits / (given + true),
        iou=hits / (given + true - hits),
    )

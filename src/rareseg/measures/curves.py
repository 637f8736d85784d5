"""Precision-recall curves from histograms of log-odds: one pass, mergeable, no sorting.

A class's log-odds fall into 65,536 even bins over [-20, 20], 0.0006 wide; pixels of one bin count as
equally scored. Average precision then lies between the values that the best and the worst order inside
each bin would give, which on real maps is a difference of less than 1e-4.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.histogram import histogram
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID

BINS = 1 << 16
REACH = 20.0
"""Log-odds are clamped to [-REACH, REACH]: probabilities within 2e-9 of 0 and 1."""

_PER_UNIT = BINS / (2 * REACH)
# Pieces that stay in the processor's cache are several times faster than whole images.
_PIECE = 1 << 17


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

    def best(self) -> tuple[Score | None, ...]:
        """Return, per class, the scores at the threshold where F1, and with it IoU, is greatest.

        Where neighbouring thresholds score the same because no pixel lies between them, the middle one.
        """
        return tuple(self._best(index) for index in range(len(self.positives)))

    def at(self, index: int, threshold: float) -> Score | None:
        """Return what class `index` scores when given from probability `threshold`, 0..1, on.

        Raises:
            SettingError: if the threshold is not a probability.
        """
        if not 0 <= threshold <= 1:
            message = f"Expected a threshold between 0 and 1 (a probability), got {threshold}."
            raise SettingError(message)
        hits, given = self._from_top(index)
        if not hits[0]:
            return None
        first = _first_bin(threshold)
        return _score(threshold, int(hits[first]), int(given[first]), int(hits[0]))

    def _from_top(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each bin, hits and given pixels if the class is given from that bin on."""
        hits = np.cumsum(self.positives[index][::-1])[::-1]
        return hits, hits + np.cumsum(self.negatives[index][::-1])[::-1]

    def _average_precision(self, index: int) -> float | None:
        hits, given = self._from_top(index)
        if not hits[0]:
            return None
        used = np.flatnonzero(self.positives[index])
        gains = self.positives[index][used] / hits[0]
        return float(np.sum(gains * (hits[used] / given[used])))

    def _best(self, index: int) -> Score | None:
        hits, given = self._from_top(index)
        if not hits[0]:
            return None
        f1 = 2 * hits / (given + hits[0])
        first = int(f1.argmax())
        fewer = np.flatnonzero(given[first:] < given[first])
        last = first + int(fewer[0]) - 1 if fewer.size else BINS - 1
        # The lowest bin is open downwards: from there on everything is given, whatever its score.
        middle = (first + last + 1) // 2 if first else 0
        return _score(_probability(middle), int(hits[first]), int(given[first]), int(hits[0]))


def _count_class(
    plane: NDArray[np.float32], holds: NDArray[np.bool_], counted: NDArray[np.bool_], index: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the histograms of one class's log-odds (height, width): pixels that hold it, and others."""
    positives, every = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    flat, flat_holds, flat_counted = plane.reshape(-1), holds.reshape(-1), counted.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        part = slice(start, start + _PIECE)
        bins = _bins(flat[part], f"class {index}")
        positives += histogram(bins[flat_holds[part]], BINS)
        every += histogram(bins, BINS, flat_counted[part])
    return positives, every - positives


def _bins(log_odds: NDArray[np.float32], where: str) -> NDArray[np.uint16]:
    scaled = np.clip(log_odds, -REACH, REACH)
    # One sum is not a number if any term is, at a fraction of the price of looking at each.
    if np.isnan(scaled.sum()):
        message = (
            f"Expected log-odds, but {int(np.isnan(log_odds).sum())} values of {where} are not numbers "
            "(NaN). The network's weights may have diverged; train again at a lower learning rate."
        )
        raise DataError(message)
    scaled += np.float32(REACH)
    scaled *= np.float32(_PER_UNIT)
    return np.minimum(scaled, np.float32(BINS - 1), out=scaled).astype(np.uint16)


def _first_bin(threshold: float) -> int:
    """Return the first bin whose pixels reach the threshold; the highest bin is open upwards."""
    if threshold in (0, 1):
        return 0 if threshold == 0 else BINS - 1
    log_odds = float(np.log(threshold) - np.log1p(-threshold))
    # The rounding keeps the threshold of a bin's own edge in that bin.
    edge = np.ceil(np.round((log_odds + REACH) * _PER_UNIT, 3))
    return int(np.clip(edge, 0, BINS - 1))


def _probability(edge: int) -> float:
    """Return the probability at the lower edge of a bin; 0 for the lowest, which is open downwards."""
    if edge == 0:
        return 0.0
    return float(1 / (1 + np.exp(REACH - edge / _PER_UNIT)))


def _score(threshold: float, hits: int, given: int, true: int) -> Score:
    precision = hits / given if given else 0.0
    return Score(
        threshold=threshold,
        precision=precision,
        recall=hits / true,
        f1=2 * hits / (given + true),
        iou=hits / (given + true - hits),
    )

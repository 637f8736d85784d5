"""Relaxed precision and recall over all thresholds, from one pass: histograms that add up.

A pixel that is given counts as hit within rho px of a true one, whatever the threshold, so pixels are counted by score
and by whether the truth is near. A true pixel is found as soon as any pixel within rho of it is given, so true pixels
are counted by the highest score within rho. Both sums from a threshold on are exactly what counting the map made with
it would give (measures.relaxed), to the bin.

Volodymyr Mnih, Machine Learning for Aerial Image Labeling, PhD thesis, University of Toronto, 2013.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.break_even import crossings
from rareseg.measures.cores import Core, check_core, cut
from rareseg.measures.harmonic import harmonic
from rareseg.measures.histogram import histogram
from rareseg.measures.nearness import bins_near, bins_reached
from rareseg.measures.operating import MOST_POINTS, chosen
from rareseg.measures.relaxed import RELAXED_PX, RelaxedCounts, halo
from rareseg.measures.score_bins import (
    BINS,
    bin_threshold,
    first_bin,
    from_top,
    middle_threshold,
    score_bins,
)
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID

Bins = NDArray[np.int64]


class RelaxedScore(NamedTuple):
    """What one class scores, with slack, when given from `threshold` (a probability, 0..1) on."""

    threshold: float
    precision: float
    recall: float
    f1: float


class BreakEven(NamedTuple):
    """Where relaxed precision equals relaxed recall."""

    threshold: float
    """Probability, 0..1, of the measured point that is closest to it."""
    score: float
    """Precision and recall there, 0..1."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class RelaxedHistogram:
    """Counts by log-odds, per class; `+` merges windows, images and machines.

    All int64 of shape (classes, 65536). Everything derived is None where the class is absent: not measurable.
    """

    near: Bins
    """Counted pixels within rho of a true one, by their own score."""
    far: Bins
    """The other counted pixels, by their own score."""
    reached: Bins
    """True pixels, by the highest score of a counted pixel within rho."""
    rho: float
    """px"""

    @classmethod
    def empty(cls, classes: int, rho: float = RELAXED_PX) -> Self:
        """Return the counts of nothing.

        Raises:
            SettingError: if rho is negative.
        """
        halo(rho)
        near_bins, far_bins, reached = np.zeros((3, classes, BINS), np.int64)
        return cls(near_bins, far_bins, reached, float(rho))

    @classmethod
    def count(
        cls,
        log_odds: NDArray[np.float32],
        labels: NDArray[np.uint8],
        *,
        overlapping: bool,
        rho: float = RELAXED_PX,
        core: Core | None = None,
        only: Collection[int] | None = None,
    ) -> Self:
        """Count one window.

        Args:
            log_odds: (classes, height, width), ln(p / (1 - p)) of each class against the rest.
            labels: (height, width), class indices, or bit sets if `overlapping`; 255 neither counts nor makes a
                neighbour a hit.
            overlapping: whether a pixel may belong to several classes.
            rho: reach, px, Euclidean; 0 gives plain precision and recall.
            core: the part of the window that counts; with halo(rho) px around it, counts add up to the image's.
            only: classes to count; others stay empty, and so not measurable. None: all.

        Raises:
            SettingError: if the shapes do not fit together, rho is negative, or the core leaves the window.
            DataError: if a log-odds value is not a number.
        """
        result = cls.empty(len(log_odds), rho)
        if log_odds.shape[1:] != labels.shape:
            message = (
                "Expected log-odds (classes, height, width) and labels (height, width), got "
                f"{log_odds.shape} and {labels.shape}. Map the photo that belongs to this mask."
            )
            raise SettingError(message)
        check_core(core, labels.shape)
        counted = labels != VOID
        for index in range(len(log_odds)) if only is None else only:
            bins = score_bins(log_odds[index], f"class {index}")
            holds = members(labels, index, overlapping=overlapping)
            result.add(index, bins, holds, counted=None if counted.all() else counted, core=core)
        return result

    def add(
        self,
        index: int,
        bins: NDArray[np.uint16],
        holds: NDArray[np.bool_],
        *,
        counted: NDArray[np.bool_] | None,
        core: Core | None,
        every: Bins | None = None,
    ) -> None:
        """Add one class of one window in place.

        Args:
            index: of the class.
            bins: (height, width), as of `score_bins`.
            holds: where the class is, inside `counted`.
            counted: where pixels count; None: everywhere.
            core: as in `count`.
            every: histogram of the core's counted pixels, if the caller has it already.
        """
        where = None if counted is None else cut(counted, core)
        if every is None:
            every = histogram(cut(bins, core), BINS, where)
        close = bins_near(bins, holds, where, self.rho, core)
        self.near[index] += close
        self.far[index] += every - close
        self.reached[index] += bins_reached(bins, holds, counted, self.rho, core)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels.

        Raises:
            SettingError: if classes or rho differ.
        """
        if self.near.shape != other.near.shape or self.rho != other.rho:
            message = (
                f"Relaxed counts of {len(self.near)} classes at {self.rho:g} px and of {len(other.near)} classes at "
                f"{other.rho:g} px cannot be added. Count both with the same classes and distance."
            )
            raise SettingError(message)
        sums = (self.near + other.near, self.far + other.far, self.reached + other.reached)
        return type(self)(*sums, self.rho)

    def counts_at(self, index: int, threshold: float) -> RelaxedCounts:
        """Return the counts of the map that gives class `index` from probability `threshold`, 0..1, on.

        Raises:
            SettingError: if the threshold is not a probability.
        """
        first = first_bin(threshold)
        hits, misses, found = (int(side[index, first:].sum()) for side in (self.near, self.far, self.reached))
        return RelaxedCounts(hits + misses, hits, int(self.reached[index].sum()), found)

    def at(self, index: int, threshold: float) -> RelaxedScore | None:
        """Return what class `index` scores when given from probability `threshold`, 0..1, on.

        Raises:
            SettingError: if the threshold is not a probability.
        """
        counts = self.counts_at(index, threshold)
        precision, recall, f1 = counts.precision, counts.recall, counts.f1
        if precision is None or recall is None or f1 is None:
            return None
        return RelaxedScore(threshold, precision, recall, f1)

    def best(self) -> tuple[RelaxedScore | None, ...]:
        """Return, per class, the scores at the threshold where relaxed F1 is greatest."""
        return tuple(self._best(index) for index in range(len(self.near)))

    def break_even(self) -> tuple[BreakEven | None, ...]:
        """Return, per class, where relaxed precision equals relaxed recall; the highest if there are several such.

        Between two measured points pixels count in proportion: see `measures.break_even`.
        """
        return tuple(self._break_even(index) for index in range(len(self.near)))

    def points(self, index: int, *, most: int = MOST_POINTS) -> tuple[RelaxedScore, ...]:
        """Return the relaxed precision-recall curve of class `index` to draw, as operating.precision_recall_points."""
        sweep = self._sweep(index)
        if sweep is None:
            return ()
        used, precision, recall = sweep.used, sweep.hits / sweep.given, sweep.found / sweep.found[-1]
        f1 = _f1(precision, recall)
        peak = int(f1.argmax())
        return tuple(
            self._from(index, int(used[peak]))
            if place == peak
            else RelaxedScore(
                bin_threshold(int(used[place])),
                float(precision[place]),
                float(recall[place]),
                float(f1[place]),
            )
            for place in chosen(recall, precision, peak, most)
        )

    def _sweep(self, index: int) -> "_Sweep | None":
        if not self.reached[index].any():
            return None
        every = self.near[index] + self.far[index]
        used = np.flatnonzero(every)[::-1]
        sums = (from_top(side)[used] for side in (self.near[index], every, self.reached[index]))
        return _Sweep(used, *sums)

    def _from(self, index: int, first: int) -> RelaxedScore:
        given = from_top(self.near[index] + self.far[index])
        true, found = int(self.reached[index].sum()), int(self.reached[index, first:].sum())
        precision = int(self.near[index, first:].sum()) / int(given[first])
        recall = found / true
        f1 = harmonic(precision, recall)
        return RelaxedScore(middle_threshold(given, first), precision, recall, f1)

    def _best(self, index: int) -> RelaxedScore | None:
        sweep = self._sweep(index)
        if sweep is None:
            return None
        f1 = _f1(sweep.hits / sweep.given, sweep.found / sweep.found[-1])
        return self._from(index, int(sweep.used[f1.argmax()]))

    def _break_even(self, index: int) -> BreakEven | None:
        sweep = self._sweep(index)
        if sweep is None:
            return None
        return _crossing(sweep)


class _Sweep(NamedTuple):
    """Bins that hold a pixel, highest first, and from each on: hits, given pixels, true pixels found."""

    used: NDArray[np.intp]
    hits: Bins
    given: Bins
    found: Bins


def _crossing(sweep: _Sweep) -> BreakEven:
    found = crossings(sweep.hits[None], sweep.given[None], sweep.found[None])
    segment = int(found.segment[0])
    # Of the two measured points around it, that where precision and recall are closer. None is left of the first.
    around = [max(segment - 1, 0), segment]
    gaps = [abs(found.lead[0, place]) / sweep.given[place] for place in around]
    threshold = bin_threshold(int(sweep.used[around[int(np.argmin(gaps))]]))
    return BreakEven(threshold, float(found.score[0]))


def _f1(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)

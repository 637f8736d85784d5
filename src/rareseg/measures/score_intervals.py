"""How sure scores are: 95 % intervals over scenes drawn anew, and paired ones of the difference of two maps.

Pixels of one scene are no independent witnesses, so scenes are drawn (bootstrap), not pixels. Counts of 2,048 bins
per scene are pooled over each draw (measures.scene_counts); the interval is Student's, around the score of all pixels
(measures.intervals). Only scenes that hold a class are witnesses of its scores: below 3 of them there is no interval.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.measures import intervals
from rareseg.measures.scene_counts import Pooled, SceneCounts
from rareseg.records.scores import Interval

SCORES = ("iou", "f1", "precision", "recall", "average_precision", "calibration_error")
"""Scores that have intervals: names as in ClassScores."""
Values = Mapping[str, tuple[float | None, ...]]
"""By score, a value per class."""


_WITH_CLASS = frozenset(SCORES) - {"calibration_error"}
"""Scores that are known from the scenes that hold the class; calibration can be seen in the others, too."""


class Drawn(NamedTuple):
    """Scores over drawn scenes."""

    pooled: Pooled
    scenes: int
    holding: NDArray[np.int64]
    """In how many of the scenes each class lies, (classes,)."""

    def witnesses(self, name: str, label: int) -> int:
        """Return how many scenes tell of score `name` of class number `label`."""
        return int(self.holding[label]) if name in _WITH_CLASS else self.scenes


def drawn(counts: SceneCounts) -> Drawn:
    """Score the scenes drawn anew."""
    return _drawn(counts.counted())


def drawn_alike(one: SceneCounts, other: SceneCounts) -> tuple[Drawn, Drawn]:
    """Score two maps of the same scenes on the same draws: of the scenes that count in either."""
    either = one.witnesses | other.witnesses
    return _drawn(one.chosen(either)), _drawn(other.chosen(either))


def _drawn(held: SceneCounts) -> Drawn:
    # The number of scenes settles the draws.
    draws = intervals.scene_draws(len(held)) if len(held) else np.zeros((intervals.RESAMPLES, 0))
    return Drawn(held.pooled(draws), len(held), held.holding())


def of_class(found: Drawn, label: int, values: Values) -> dict[str, Interval]:
    """Return the intervals of the scores of class number `label`, by name; those that are not known are missing."""
    spans = {
        name: _interval(
            values[name][label],
            getattr(found.pooled, name)[:, label],
            found.witnesses(name, label),
            least=0.0,
        )
        for name in SCORES
    }
    return {name: span for name, span in spans.items() if span is not None}


def of_means(found: Drawn, means: Mapping[str, float | None], values: Values) -> dict[str, Interval]:
    """Return the intervals of means over the classes that are present, by name; `values` are those of the classes.

    None is told if fewer than 3 scenes hold one of the classes: nobody knows how much it varies.
    """
    spans = {}
    for name, mean in means.items():
        present = [label for label, value in enumerate(values[name]) if value is not None]
        if mean is None or min(found.witnesses(name, label) for label in present) < intervals.LEAST_SCENES:
            continue
        resampled = getattr(found.pooled, name)[:, present]
        # A draw that lacks a class says nothing of it: the class then scores what it scores over all.
        overall = np.array([values[name][label] for label in present], np.float64)
        filled = np.where(np.isnan(resampled), overall, resampled)
        spans[name] = _interval(mean, filled.mean(axis=1), _together(found, name, present, filled), least=0.0)
    return {name: span for name, span in spans.items() if span is not None}


def _together(found: Drawn, name: str, present: Sequence[int], drawn: NDArray[np.float64]) -> float:
    """Return how many scenes tell of a mean over classes that lie in unlike numbers of them (Satterthwaite 1946)."""
    parts = drawn.var(axis=0)
    freedoms = np.array([found.witnesses(name, label) - 1 for label in present])
    return float(parts.sum() ** 2 / (parts**2 / freedoms).sum()) + 1 if parts.any() else found.scenes


def of_difference(
    one: Drawn, other: Drawn, name: str, label: int, difference: float | None
) -> Interval | None:
    """Return the interval of score `name` of `one` minus that of `other`, over the same scenes: `drawn_alike`."""
    resampled = getattr(one.pooled, name)[:, label] - getattr(other.pooled, name)[:, label]
    witnesses = min(one.witnesses(name, label), other.witnesses(name, label))
    return _interval(difference, resampled, witnesses, least=-1.0)


def _interval(
    value: float | None, resampled: NDArray[np.float64], scenes: float, *, least: float
) -> Interval | None:
    if value is None or scenes < intervals.LEAST_SCENES:
        return None
    found = intervals.interval(np.array([value]), resampled[None], scenes=scenes, least=least)
    if found.low is None or found.high is None or not math.isfinite(found.low + found.high):
        return None
    return Interval(low=found.low, high=found.high)

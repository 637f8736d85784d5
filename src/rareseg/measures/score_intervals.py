"""How sure scores are: 95 % intervals over scenes drawn anew, and paired ones of the difference of two maps.

Pixels of one scene are no independent witnesses, so scenes are drawn (bootstrap), not pixels. Counts of 2,048 bins
per scene are pooled over each draw (measures.scene_counts); the interval is Student's, around the score of all pixels
(measures.intervals). Below 3 scenes there is none.
"""

import math
from collections.abc import Mapping
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


class Drawn(NamedTuple):
    """Scores over drawn scenes."""

    pooled: Pooled
    scenes: int


def drawn(counts: SceneCounts) -> Drawn:
    """Score the scenes drawn anew; the same scenes give the same draws, so that two maps can be paired."""
    held = counts.counted()
    return Drawn(held.pooled(intervals.scene_draws(len(held))), len(held))


def of_class(found: Drawn, label: int, values: Values) -> dict[str, Interval]:
    """Return the intervals of the scores of class number `label`, by name; those that are not known are missing."""
    spans = {
        name: _interval(values[name][label], getattr(found.pooled, name)[:, label], found.scenes, least=0.0)
        for name in SCORES
    }
    return {name: span for name, span in spans.items() if span is not None}


def of_means(found: Drawn, means: Mapping[str, float | None]) -> dict[str, Interval]:
    """Return the intervals of means over the classes that are present, by name."""
    spans = {}
    for name, mean in means.items():
        if mean is None:
            continue
        resampled = getattr(found.pooled, name)
        present = np.isfinite(resampled).any(axis=0)
        # A draw that lacks a class measures another mean: it is left out.
        averages = resampled[:, present].mean(axis=1)
        spans[name] = _interval(mean, averages, found.scenes, least=0.0)
    return {name: span for name, span in spans.items() if span is not None}


def of_difference(
    one: Drawn, other: Drawn, name: str, label: int, difference: float | None
) -> Interval | None:
    """Return the interval of score `name` of `one` minus that of `other`, over the same scenes in the same order."""
    resampled = getattr(one.pooled, name)[:, label] - getattr(other.pooled, name)[:, label]
    return _interval(difference, resampled, min(one.scenes, other.scenes), least=-1.0)


def _interval(
    value: float | None, resampled: NDArray[np.float64], scenes: int, *, least: float
) -> Interval | None:
    if value is None or scenes < intervals.LEAST_SCENES:
        return None
    found = intervals.interval(np.array([value]), resampled[None], scenes=scenes, least=least)
    if found.low is None or found.high is None or not math.isfinite(found.low + found.high):
        return None
    return Interval(low=found.low, high=found.high)

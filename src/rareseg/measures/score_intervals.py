"""How sure scores are: 95 % intervals over scenes drawn anew, and paired ones of the difference of two maps.

Pixels of one scene are no independent witnesses, so scenes are drawn (bootstrap), not pixels. Counts of each scene are
pooled over each draw (measures.scene_counts, measures.scene_details); the interval is Student's, around the score of
all pixels (measures.intervals). Only scenes that hold a class are witnesses of its scores, those that hold little of it
weak ones; below 3 of them there is no interval.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.measures import intervals
from rareseg.measures.class_counts import UNBOUNDED
from rareseg.measures.evaluation import Evaluation
from rareseg.records.scores import Interval

Values = Mapping[str, Sequence[float | None]]
"""By the name of the score, as in ClassScores.intervals, a value per class."""

_SEEN_EVERYWHERE = frozenset({"calibration_error"})
"""Scores that scenes without the class tell of, too."""


class Drawn(NamedTuple):
    """Scores over drawn scenes."""

    scores: Mapping[str, NDArray[np.float64]]
    """By name, (draws, classes); NaN where a draw has none."""
    scenes: int
    holding: NDArray[np.int64]
    """In how many of the scenes each class lies, (classes,)."""
    effective: NDArray[np.float64]
    """How many scenes of one size would tell as much of each class, (classes,): at most `holding`."""
    effective_scenes: float
    """The same of all pixels."""

    def knows(self, name: str, label: int) -> bool:
        """Whether enough scenes tell of score `name` of class number `label` for an interval."""
        found = self.scenes if name in _SEEN_EVERYWHERE else self.holding[label]
        return int(found) >= intervals.LEAST_SCENES

    def witnesses(self, name: str, label: int) -> float:
        """Return how many scenes of one size would tell as much of score `name` of class number `label`; 2 at least."""
        found = self.effective_scenes if name in _SEEN_EVERYWHERE else float(self.effective[label])
        return max(found, 2.0)


def drawn(found: Evaluation) -> Drawn:
    """Score the scenes drawn anew."""
    return _drawn(found, found.by_scene.witnesses)


def drawn_alike(one: Evaluation, other: Evaluation) -> tuple[Drawn, Drawn]:
    """Score two maps of the same scenes on the same draws: of the scenes that count in either."""
    either = one.by_scene.witnesses | other.by_scene.witnesses
    return _drawn(one, either), _drawn(other, either)


def _drawn(found: Evaluation, scenes: NDArray[np.bool_]) -> Drawn:
    held = found.by_scene.chosen(scenes)
    # The number of scenes settles the draws.
    draws = intervals.scene_draws(len(held)) if len(held) else np.zeros((intervals.RESAMPLES, 0))
    scores = held.pooled(draws)._asdict() | found.details.chosen(scenes).pooled(draws, len(found.classes))
    return Drawn(scores, len(held), held.holding(), *held.effective())


def of_class(found: Drawn, label: int, values: Values) -> dict[str, Interval]:
    """Return the intervals of the scores of class number `label`, by name; those that are not known are missing."""
    spans = {
        name: _interval(name, by_class[label], found.scores[name][:, label], found.witnesses(name, label))
        for name, by_class in values.items()
        if found.knows(name, label)
    }
    return {name: span for name, span in spans.items() if span is not None}


def of_means(found: Drawn, means: Mapping[str, float | None], values: Values) -> dict[str, Interval]:
    """Return the intervals of means over the classes that are present, by name; `values` are those of the classes.

    None is told if fewer than 3 scenes hold one of the classes: nobody knows how much it varies.
    """
    spans = {}
    for name, mean in means.items():
        present = [label for label, value in enumerate(values[name]) if value is not None]
        if mean is None or not all(found.knows(name, label) for label in present):
            continue
        filled = _filled(found, name, present, values)
        spans[name] = _interval(name, mean, filled.mean(axis=1), _together(found, name, present, filled))
    return {name: span for name, span in spans.items() if span is not None}


def of_mean_difference(
    one: Drawn, other: Drawn, name: str, difference: float | None, values: tuple[Values, Values]
) -> Interval | None:
    """Return the interval of the mean of score `name` of `one` minus that of `other`; `values` of both, by class."""
    pairs = list(zip(values[0][name], values[1][name], strict=True))
    present = [label for label, pair in enumerate(pairs) if None not in pair]
    if not present or not all(one.knows(name, label) for label in present):
        return None
    gaps = _filled(one, name, present, values[0]) - _filled(other, name, present, values[1])
    return _interval(name, difference, gaps.mean(axis=1), _together(one, name, present, gaps), signed=True)


def _filled(found: Drawn, name: str, present: Sequence[int], values: Values) -> NDArray[np.float64]:
    """Return the draws of the classes that are present; one that lacks a class has what it scores over all there."""
    resampled = found.scores[name][:, present]
    overall = np.array([values[name][label] for label in present], np.float64)
    return np.where(np.isnan(resampled), overall, resampled)


def _together(found: Drawn, name: str, present: Sequence[int], drawn: NDArray[np.float64]) -> float:
    """Return how many scenes tell of a mean over classes that lie in unlike numbers of them (Satterthwaite 1946).

    Never more than there are: classes of the same scenes vary together, however many they are.
    """
    parts = drawn.var(axis=0)
    if not parts.any():
        return found.scenes
    freedoms = np.array([found.witnesses(name, label) - 1 for label in present])
    return min(float(parts.sum() ** 2 / (parts**2 / freedoms).sum()) + 1, found.scenes)


def of_difference(
    one: Drawn, other: Drawn, name: str, label: int, difference: float | None
) -> Interval | None:
    """Return the interval of score `name` of `one` minus that of `other`, over the same scenes: `drawn_alike`."""
    if not one.knows(name, label) or not other.knows(name, label):
        return None
    resampled = one.scores[name][:, label] - other.scores[name][:, label]
    witnesses = min(one.witnesses(name, label), other.witnesses(name, label))
    return _interval(name, difference, resampled, witnesses, signed=True)


def _interval(
    name: str, value: float | None, resampled: NDArray[np.float64], scenes: float, *, signed: bool = False
) -> Interval | None:
    if value is None:
        return None
    most = math.inf if name in UNBOUNDED else 1.0
    least = -most if signed else 0.0
    found = intervals.interval(np.array([value]), resampled[None], scenes=scenes, least=least, most=most)
    if found.low is None or found.high is None or not math.isfinite(found.low + found.high):
        return None
    return Interval(low=found.low, high=found.high)

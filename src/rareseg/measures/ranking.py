"""From trials to rows: what each candidate scored, how sure that is, and how it stands to the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.intervals import Interval, interval, trusted
from rareseg.measures.scene_counts import Pooled
from rareseg.records.comparison import (
    ClassEstimates,
    Difference,
    Estimate,
    Point,
    Row,
    Rung,
    Scored,
    Scores,
    State,
    Trial,
)

Metric = Literal["average_precision", "iou", "calibration_error"]
Key = tuple[str, int, int]
"""Candidate, seed and steps of a trial."""
Part = Literal["val", "test"]


class Judged(NamedTuple):
    """A trial, and its scores over drawn scenes; None where the part was not scored."""

    trial: Trial
    val: Pooled | None
    test: Pooled | None


@final
@dataclass(frozen=True, slots=True)
class Findings:
    """All that the rows follow from."""

    classes: tuple[str, ...]
    rare: tuple[int, ...]
    """Indices of the classes whose mean average precision decides."""
    settings: Mapping[str, Mapping[str, str]]
    """What each candidate changes in the plan, in the order of the candidates."""
    default: str
    """The candidate that the others are compared with besides the best."""
    unplanned: Mapping[str, str]
    """Candidates that no plan can be made of, with the reason."""
    same: Mapping[str, str]
    """Candidates whose plan is that of another one."""
    rungs: list[Rung] = field(default_factory=list)
    """The rungs so far, short ones first."""
    judged: dict[Key, Judged] = field(default_factory=dict)
    """The trials so far."""

    def trials(self, candidate: str, rung: Rung) -> list[Judged]:
        """Return the candidate's trials of a rung, by seed; those not made yet are missing."""
        keys = ((candidate, seed, rung.steps) for seed in range(rung.seeds))
        return [self.judged[key] for key in keys if key in self.judged]


def ranked(found: Findings, rung: Rung) -> list[str]:
    """Return the rung's candidates, best first, by mean average precision; those that failed are left out."""
    scores = {}
    for name in rung.candidates:
        trials = found.trials(name, rung)
        values = [mean_score(one.trial.val, found.rare, "average_precision") for one in trials]
        numbers = [value for value in values if value is not None]
        if trials and len(numbers) == len(values):
            scores[name] = sum(numbers) / len(numbers)
    return sorted(scores, key=lambda name: -scores[name])


def rows(found: Findings) -> tuple[Row, ...]:
    """Return a row per candidate: those that came furthest first, within a rung the best first, failures last."""
    order: list[str] = []
    for rung in reversed(found.rungs):
        order += [name for name in ranked(found, rung) if name not in order]
    failed = {name for rung in found.rungs for name in rung.candidates if _failures(found, name, rung)}
    order = [name for name in order if name not in failed]
    best = _best(found, order)
    rest = [name for name in found.settings if name not in order]
    return tuple(_row(found, name, best) for name in (*order, *rest))


def mean_score(scored: Scored | None, labels: Sequence[int], metric: Metric) -> float | None:
    """Return the mean of a metric over the classes of `labels` that are present; None if none is."""
    if scored is None:
        return None
    values = getattr(scored, metric)
    present = [values[label] for label in labels if values[label] is not None]
    return sum(present) / len(present) if present else None


def _best(found: Findings, order: Sequence[str]) -> str | None:
    """Return the first that did not collapse, or the first if all did."""
    sound = [name for name in order if _last(found, name)[0] != "collapsed"]
    return next(iter([*sound, *order]), None)


def _last(found: Findings, name: str) -> tuple[State, Rung | None]:
    """Return a candidate's state, and the last rung that has trials of it."""
    tried = [rung for rung in found.rungs if found.trials(name, rung)]
    if name in found.same:
        return "same", None
    if name in found.unplanned or any(_failures(found, name, rung) for rung in tried):
        return "failed", tried[-1] if tried else None
    if not tried:
        return "waiting", None
    if any(one.trial.outcome == "collapsed" for one in found.trials(name, tried[-1])):
        return "collapsed", tried[-1]
    going_on = [rung for rung in found.rungs if name in rung.candidates]
    return "compared" if going_on[-1] is found.rungs[-1] else "dropped", tried[-1]


def _failures(found: Findings, name: str, rung: Rung) -> list[Trial]:
    return [one.trial for one in found.trials(name, rung) if one.trial.outcome == "failed"]


def _row(found: Findings, name: str, best: str | None) -> Row:
    state, rung = _last(found, name)
    trials = [one for one in found.trials(name, rung) if one.trial.val] if rung else []
    times = [one.trial.seconds_per_step for one in trials if one.trial.seconds_per_step is not None]
    return Row(
        candidate=name,
        settings=dict(found.settings[name]),
        state=state,
        reason=_reason(found, name, state, rung),
        steps=rung.steps if rung else 0,
        seeds=len(trials),
        scores=_scores(found, trials, "val"),
        test=_scores(found, trials, "test"),
        seconds_per_step=median(times) if times else None,
        history=tuple(_points(found, name)),
        to_best=_difference(found, name, best, state, rung),
        to_default=_difference(found, name, found.default, state, rung),
    )


def _reason(found: Findings, name: str, state: State, rung: Rung | None) -> str:
    if state == "same":
        return f"its plan is that of {found.same[name]}, so it was not trained again"
    if name in found.unplanned:
        return found.unplanned[name]
    if state == "failed":
        lost = [trial for held in found.rungs for trial in _failures(found, name, held)]
        return f"seed {lost[0].seed}, {lost[0].steps} steps: {lost[0].reason}"
    if state == "collapsed" and rung is not None:
        trials = found.trials(name, rung)
        lost = [one.trial for one in trials if one.trial.outcome == "collapsed"]
        return f"{len(lost)} of {len(trials)} seeds collapsed: {lost[0].reason}"
    return ""


def _points(found: Findings, name: str) -> Iterable[Point]:
    for rung in found.rungs:
        trials = [one for one in found.trials(name, rung) if one.trial.val]
        if trials:
            estimate = _estimate(trials, found.rare, "average_precision", "val")
            yield Point(steps=rung.steps, seeds=len(trials), average_precision=estimate)


def _scores(found: Findings, trials: list[Judged], part: Part) -> Scores | None:
    held = [one for one in trials if getattr(one.trial, part) is not None]
    if not held:
        return None
    return Scores(
        average_precision=_estimate(held, found.rare, "average_precision", part),
        iou=_estimate(held, found.rare, "iou", part),
        calibration_error=_estimate(held, found.rare, "calibration_error", part),
        classes=tuple(
            ClassEstimates(
                name=name,
                average_precision=_estimate(held, (label,), "average_precision", part),
                iou=_estimate(held, (label,), "iou", part),
                calibration_error=_estimate(held, (label,), "calibration_error", part),
            )
            for label, name in enumerate(found.classes)
        ),
    )


def _estimate(trials: Sequence[Judged], labels: Sequence[int], metric: Metric, part: Part) -> Estimate | None:
    """Return the mean over trials of one plan with several seeds; None if no class of `labels` is there."""
    values = [mean_score(getattr(one.trial, part), labels, metric) for one in trials]
    numbers = [value for value in values if value is not None]
    if not numbers:
        return None
    drawn = np.stack([_drawn(getattr(one, part), labels, metric) for one in trials])
    scenes = getattr(trials[0].trial, part).scenes
    return _recorded(interval(np.array(numbers), drawn, scenes=scenes, least=0.0, most=1.0))


def _difference(
    found: Findings, name: str, other: str | None, state: State, rung: Rung | None
) -> Difference | None:
    """Compare with another candidate on the same rung, seed by seed; None if there is nothing to compare."""
    if other is None or other == name or rung is None or state in ("failed", "same", "waiting"):
        return None
    mine, theirs = ({one.trial.seed: one for one in found.trials(side, rung)} for side in (name, other))
    gaps, drawn, scenes = [], [], 0
    for seed in sorted(mine.keys() & theirs.keys()):
        left, right = (_scored_by(side[seed], found.rare) for side in (mine, theirs))
        if left is not None and right is not None:
            gaps.append(left.value - right.value)
            drawn.append(left.drawn - right.drawn)
            scenes = left.scenes
    if not gaps:
        return None
    gap = interval(np.array(gaps), np.stack(drawn), scenes=scenes, least=-1.0, most=1.0)
    return Difference(
        other=other,
        steps=rung.steps,
        seeds=len(gaps),
        average_precision=_recorded(gap),
        beyond_noise=gap.excludes_zero and trusted(scenes=scenes, seeds=len(gaps)),
    )


class _Witness(NamedTuple):
    value: float
    drawn: NDArray[np.float64]
    scenes: int


def _scored_by(one: Judged, labels: Sequence[int]) -> _Witness | None:
    value = mean_score(one.trial.val, labels, "average_precision")
    if value is None or one.val is None or one.trial.val is None:
        return None
    return _Witness(value, _drawn(one.val, labels, "average_precision"), one.trial.val.scenes)


def _drawn(pooled: Pooled, labels: Sequence[int], metric: Metric) -> NDArray[np.float64]:
    """Return (draws,) the mean over those classes of `labels` that a draw holds; NaN where it holds none."""
    values: NDArray[np.float64] = getattr(pooled, metric)[:, list(labels)]
    # Absent classes have an average precision of NaN, and no other score of theirs counts either.
    there = np.isfinite(pooled.average_precision[:, list(labels)])
    number = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    mean: NDArray[np.float64] = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
    return mean


def _recorded(found: Interval) -> Estimate:
    return Estimate(value=found.value, low=found.low, high=found.high)
